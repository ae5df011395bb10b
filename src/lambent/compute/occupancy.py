"""Who moves into a cell, and who is told what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from lambent.compute.runtime_api.api import About, Sink
    from lambent.compute.sandbox.api import Program, Tenancy


class Watcher(Protocol):
    """The environment that the guests belong to. Nothing is told any more after `abandon`; after `shutdown`, only what
    is printed and `gone`."""

    def init_succeeded(self) -> None:
        """An event can be sent."""

    def init_failed(self, error: bytes, kind: str) -> None:
        """The runtime says that INIT has failed, with the JSON that callers get."""

    def answered(self, payload: bytes, *, failed: bool) -> None:
        """The answer to the event; where the function has `failed`, its error JSON."""

    def broken(self, payload: bytes, kind: str) -> None:
        """The answer is none that can be passed on: the platform's error JSON, and the type of the error."""

    def too_large(self) -> None:
        """The answer exceeds INVOKE_PAYLOAD_BYTES."""

    def settling(self) -> None:
        """The answer is whole, and the runtime will ask for another event; comes after the answer, of HTTP only."""

    def streaming(self, content_type: str) -> Sink:
        """The answer begins, and its parts go where is told here."""

    def runtime_done(self) -> None:
        """The runtime has done with the event; extensions may still be at it. Comes after the answer."""

    def settled(self) -> None:
        """Everybody has done with the event, and the next can be sent. Comes after `runtime_done`."""

    def extension_failed(self, kind: str, problem: str) -> None:
        """An extension failed: the environment cannot go on. `problem` is AWS's sentence for it."""

    def printed(self) -> None:
        """There is output to `take`."""

    def extension_printed(self, messages: list[str]) -> None:
        """An extension has written log messages."""

    def exited(self, status: int) -> None:
        """The runtime has ended by itself; its output stands in `take`."""

    def gone(self) -> None:
        """Every process has ended."""


class Closable(Protocol):
    """Something that ends when it is told to."""

    def close(self) -> None:
        """Let go; harmless twice."""


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """Who moves into a cell."""

    tenancy: Tenancy
    about: About
    runtime: Program
    extensions: tuple[str, ...]
    """The names of the external extensions."""
    obstacle: tuple[str, str] | None
    """The extension that keeps the environment from starting, and its error type."""
    extension_variables: Mapping[str, str]
    serve: Callable[[socket.socket], Closable]
    """Answers calls of AWS services that come to a listening socket of the cell, which it takes over."""
