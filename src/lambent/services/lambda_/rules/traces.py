"""The tracing header of an invocation: the chain of requests that it belongs to, and how often that has come round.

`Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=5:43e12f0f:2`. The last part is
Lambda's own: the invocations in the chain so far, one function of the chain, and how often that one has come up again.
SDKs in a function send the header with what they call, so it comes back where the chain is a loop.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_ROOT: Final = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_LINEAGE: Final = re.compile(r"(\d{1,5}):([0-9a-f]{8}):(\d{1,3})")


class Trace(msgspec.Struct, frozen=True):
    """The header that a function is invoked with, and how often its chain of requests has come round."""

    header: str
    rounds: int


class _Lineage(msgspec.Struct, frozen=True):
    """The function that is watched for, as it was when it was chosen after `invocations` of the chain."""

    invocations: int
    function: str
    rounds: int

    def __str__(self) -> str:
        return f"{self.invocations}:{self.function}:{self.rounds}"


def following(header: str, function_arn: str, ids: Ids, now_s: float) -> Trace:
    """The trace of an invocation of `function_arn` (unqualified) that comes with the tracing header `header`; a trace
    of its own where that is empty or cannot be read. Nothing of the header is passed on unread.
    """
    function = _mark(function_arn)
    if not header:  # which is nearly always
        drawn = ids.bytes(20).hex()
        return Trace(f"Root=1-{int(now_s):08x}-{drawn[:24]};Parent={drawn[24:]};Sampled=0;Lineage=1:{function}:0", 0)
    parent = ids.bytes(8).hex()
    parts = _parts(header)
    root = parts.get("Root", "")
    if not _ROOT.fullmatch(root):
        root = new_root(ids, now_s)
    lineage = _next(_read(parts.get("Lineage", "")), function)
    sampled = "1" if parts.get("Sampled") == "1" else "0"
    return Trace(f"Root={root};Parent={parent};Sampled={sampled};Lineage={lineage}", lineage.rounds)


def rooted(header: str, ids: Ids, now_s: float) -> str:
    """The tracing header `header`, with a root where it has none: whatever follows it is in one trace then."""
    parts = _parts(header)
    if _ROOT.fullmatch(parts.get("Root", "")):
        return header
    parts["Root"] = new_root(ids, now_s)
    return ";".join(f"{name}={value}" for name, value in parts.items() if name)


def new_root(ids: Ids, now_s: float) -> str:
    """The root of a trace that begins now: `1-5759e988-bd862e3fe1be46a994272793`."""
    return f"1-{int(now_s):08x}-{ids.bytes(12).hex()}"


@lru_cache(limits.FUNCTIONS_CACHED)
def _mark(function_arn: str) -> str:
    """What stands for the function in a lineage."""
    return f"{zlib.crc32(function_arn.encode()):08x}"


def _parts(header: str) -> dict[str, str]:
    if len(header) > limits.TRACE_HEADER_LENGTH:
        return {}
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in header.split(";"))}


def _read(text: str) -> _Lineage | None:
    match = _LINEAGE.fullmatch(text)
    return None if match is None else _Lineage(int(match[1]), match[2], int(match[3]))


def _next(held: _Lineage | None, function: str) -> _Lineage:
    """One function is watched for. Each time the chain has doubled it is another one, unless the one before has come up
    often; so a loop is seen whatever its length and however it was entered (after Brent's algorithm)."""
    if held is None:
        return _Lineage(1, function, 0)
    invocations = min(held.invocations + 1, limits.LINEAGE_INVOCATIONS)
    if function == held.function:
        return _Lineage(invocations, function, min(held.rounds + 1, limits.LINEAGE_ROUNDS))
    doubled = invocations & (invocations - 1) == 0
    if doubled and held.rounds * limits.LINEAGE_PERIOD < invocations:
        return _Lineage(invocations, function, 0)
    return _Lineage(invocations, held.function, held.rounds)
