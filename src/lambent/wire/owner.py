"""Whom a connection belongs to: what it asks of the server and tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.wire.budget import Budget
    from lambent.wire.connection import Connection
    from lambent.wire.http import Handler


class Owner(Protocol):
    """The server, as its connections see it."""

    handler: Handler
    clock: Clock
    bodies: Budget
    """For bodies that are gathered before anybody has looked at their requests."""

    def opened(self, connection: Connection) -> bool:
        """Take note of a new connection; False where there are too many."""

    def gone(self, connection: Connection) -> None:
        """The connection is closed and its last request is finished."""

    def stamp(self) -> bytes:
        """The Date and Server header lines."""
