"""The Date and Server header lines, made once a second."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock


class Stamp:
    """Those of now, for every answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._lines = b""

    def lines(self) -> bytes:
        """Both lines, each with its end."""
        now = int(self._clock.time())
        if now != self._second:
            self._second = now
            self._lines = f"Date: {formatdate(now, usegmt=True)}\r\nServer: Lambent\r\n".encode()
        return self._lines
