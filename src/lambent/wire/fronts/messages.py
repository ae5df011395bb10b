"""What a front and the server tell one another: structs in MessagePack, each behind its length."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.kernel.authority import Principal  # noqa: TC001 msgspec reads the annotations
from lambent.kernel.settings import Settings  # noqa: TC001 as above

# From the server.


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The first message: what a front needs to know. There are secrets in it, so no argument or variable has it."""

    settings: Settings
    sessions: bytes
    """The key that sessions are sealed with."""
    kinds: tuple[str, ...]
    """The kinds of addresses of their own that the server answers at (`kernel.doors`)."""
    log_level: int


class Output(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What an operation has answered, by the names of its model."""

    number: int
    output: dict[str, Any]


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """An answer that is ready for the client: an error."""

    number: int
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Finish(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Answer what has been asked, close every connection, and end."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Say Pong, if you can."""


# From a front.


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Connections can come."""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """A call that has been read, validated and verified."""

    number: int
    """The answer's address, of the front's choice."""
    operation: str
    region: str
    principal: Principal
    request_id: str
    host: str
    """The Host header."""
    request: dict[str, Any]
    trace: str = ""
    """The tracing header; empty where there is none."""


class Gone(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """A connection that was handed over is closed."""


class Pong(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """A Ping was read."""


FromServer = Hello | Output | Refusal | Finish | Ping
FromFront = Ready | Ask | Gone | Pong
