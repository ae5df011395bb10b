"""Randomness as a part that is handed in, so a test can repeat a run exactly."""

from __future__ import annotations

import os
import random
from typing import Protocol
from uuid import UUID


class Ids(Protocol):
    """Where every random name and secret comes from."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""

    def uuid(self) -> str:
        """A random UUID (version 4) in its 36-character form."""


class SystemIds:
    """The operating system's randomness."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def uuid(self) -> str:
        return _uuid(os.urandom(16))


class SeededIds:
    """Repeatable ids for tests; never a source of secrets."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 repeatability is the point

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uuid(self) -> str:
        return _uuid(self._random.randbytes(16))


def _uuid(source: bytes) -> str:
    return str(UUID(bytes=source, version=4))
