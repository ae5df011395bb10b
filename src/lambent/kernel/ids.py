"""Randomness as a part that is handed in, so a test can repeat a run exactly."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Protocol

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ids(Protocol):
    """Where every random name and secret comes from."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""

    def uuid(self) -> str:
        """A random UUID (version 4) in its 36-character form."""


class SystemIds:
    """The operating system's randomness. UUIDs, one for every request, are cut from a reserve of it."""

    def __init__(self) -> None:
        self._reserve: Iterator[bytes] = iter(())

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def uuid(self) -> str:
        source = next(self._reserve, None)
        if source is None:
            fresh = os.urandom(16 * limits.UUIDS_RESERVED)
            self._reserve = iter([fresh[start : start + 16] for start in range(0, len(fresh), 16)])
            source = next(self._reserve)
        return _uuid(source)


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
