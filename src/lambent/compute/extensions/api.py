"""The contract of the extensions' state machine: what it tells the environment, and whom it answers."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

EventType = Literal["INVOKE", "SHUTDOWN"]
Reason = Literal["spindown", "timeout", "failure"]


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """An extension as the log and telemetry show it."""

    name: str
    external: bool
    """Whether it is a program of its own, started from /opt/extensions; where not, it runs within the runtime."""
    state: str
    """`Started`, `Registered`, `Ready`, `Running`, `InitError`, `ExitError`, `LaunchError` or `Exited`."""
    events: tuple[EventType, ...]
    error_type: str | None


class Watcher(Protocol):
    """The environment, as its extensions are heard. Called on the event loop, from within the calls that cause it."""

    def registered(self) -> None:
        """Every external extension has registered: the runtime may start. Not called where none is expected."""

    def settled(self) -> None:
        """Every extension that is asked to has called /event/next: once after INIT (registration closed, all registered
        ones waiting) and once after each `invoke`. Not called where it was so from the beginning: see
        `Extensions.settled`."""

    def extension_failed(self, name: str, kind: str, error: bytes) -> None:
        """An extension could not start, reported an error or ended before its time: the environment cannot go on.
        `kind` is `Extension.InitError`, `Extension.ExitError`, `Extension.Crash`, `Extension.LaunchError` or an
        `Extension.X` that it chose; `error` is what it posted, how its program ended (`exit status 1`), or why it could
        not be started. Told once: of the first of them."""


class Waiter(Protocol):
    """A request of an extension for its next event."""

    def deliver(self, event_identifier: str, body: bytes) -> None:
        """Answer it with an event: its own id, and JSON."""
