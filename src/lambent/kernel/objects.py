"""Objects on S3, as those who need one ask for it, whoever holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class ObjectName(msgspec.Struct, frozen=True):
    """What names one object; without a version, whatever it holds now."""

    bucket: str
    key: str
    version: str | None = None


class NoObjects(Exception):
    """Nobody holds objects: the server was told of no S3."""


class ObjectRefused(Exception):
    """S3 answered with an error; `code` and `message` are its own."""

    def __init__(self, code: str, message: str, region: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.region = region
        """The region that the bucket is in, where S3 says so."""


class ObjectsUnreachable(Exception):
    """S3 could not be asked, or broke off."""


class Objects(Protocol):
    """Where objects are read."""

    def read(self, name: ObjectName, region: str) -> AsyncGenerator[bytes, None]:
        """The content piece by piece; `region` is that of who asks.

        Raises NoObjects, ObjectRefused and ObjectsUnreachable, the last also in the middle.
        """
