"""Randomness as a part that is handed in, so a test can repeat a run exactly."""

from __future__ import annotations

import os
import random
from typing import Protocol

from lambent.kernel import limits


class Ids(Protocol):
    """Where every random name and secret comes from."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""

    def uuid(self) -> str:
        """A random UUID (version 4) in its 36-character form."""


class SystemIds:
    """The operating system's randomness, taken in reserve, because asking for it is dear and every request needs some.
    No byte is given out twice."""

    def __init__(self) -> None:
        self._reserve = b""
        self._used = 0

    def bytes(self, count: int) -> bytes:
        start, end = self._used, self._used + count
        if end > len(self._reserve):
            if count > limits.RANDOM_RESERVE_BYTES:
                return os.urandom(count)
            self._reserve = os.urandom(limits.RANDOM_RESERVE_BYTES)
            start, end = 0, count
        self._used = end
        return self._reserve[start:end]

    def uuid(self) -> str:
        return _uuid(self.bytes(16))


class SeededIds:
    """Repeatable ids for tests; never a source of secrets."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 repeatability is the point

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uuid(self) -> str:
        return _uuid(self._random.randbytes(16))


def _uuid(source: bytes) -> str:
    text = source.hex()
    variant = "89ab"[source[8] >> 6]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
