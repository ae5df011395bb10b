"""How long an idle environment is kept: by the pauses its function is used to, and by how scarce memory is.

The idea is that of the histogram policy of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020): for a function
that is called every twenty minutes they are well spent, for one that is called every five seconds they are not.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion

_BUCKETS = 18  # the last but one ends at 36 hours
_NOTED_S = 1.0  # shorter pauses outlast nothing
_COVERED = 0.95  # of the pauses are shorter than what an environment is kept


class Rhythm:
    """The pauses between the invocations of one version, counted by powers of two; old ones fade."""

    __slots__ = ("_counts", "_last", "_noted")

    def __init__(self, now: float) -> None:
        self._last = now
        self._counts = [0] * _BUCKETS
        self._noted = 0

    def arrived(self, now: float) -> None:
        """An invocation came at `now`, seconds of the monotonic clock."""
        pause = now - self._last
        self._last = now
        if pause >= _NOTED_S:
            self._note(pause)

    def usual_s(self) -> float | None:
        """What most pauses stay below, in seconds; None where too few are known, or they are too long to tell."""
        if self._noted < limits.PAUSES_TOLD:
            return None
        passed = 0
        for exponent, count in enumerate(self._counts[:-1]):
            passed += count
            if passed >= _COVERED * self._noted:
                return float(2**exponent)
        return None

    def _note(self, pause: float) -> None:
        self._counts[min(int(pause).bit_length(), _BUCKETS - 1)] += 1
        self._noted += 1
        if self._noted >= limits.PAUSES_REMEMBERED:
            self._counts = [count // 2 for count in self._counts]
            self._noted = sum(self._counts)


class KeepAlive:
    """Keeps environments for `usual_s` seconds where nothing better is known. The rhythms outlast the environments."""

    def __init__(self, usual_s: float) -> None:
        self._usual_s = usual_s
        self._rhythms: OrderedDict[tuple[str, str, str, str, str | None], Rhythm] = OrderedDict()

    def rhythm(self, function: FunctionVersion, tenant: str | None, now: float) -> Rhythm:
        """The rhythm of that version for that tenant, all its revisions together."""
        key = function.account, function.region, function.name, function.version, tenant
        rhythm = self._rhythms.pop(key, None) or Rhythm(now)
        self._rhythms[key] = rhythm
        if len(self._rhythms) > limits.RHYTHMS_REMEMBERED:
            self._rhythms.popitem(last=False)
        return rhythm

    def patience_s(self, rhythm: Rhythm, pressure: float) -> float:
        """How long an environment with that rhythm may be idle. `pressure` is the memory's, from 0 to 1."""
        return max(self._wanted_s(rhythm) * (1 - pressure), min(limits.KEEP_ALIVE_FLOOR_S, self._usual_s))

    def _wanted_s(self, rhythm: Rhythm) -> float:
        usual = rhythm.usual_s()
        longest = self._usual_s * limits.KEEP_ALIVE_MOST
        if usual is None or usual > longest:  # what is never used again in time is not worth keeping longer
            return self._usual_s
        return max(usual, self._usual_s * limits.KEEP_ALIVE_LEAST)
