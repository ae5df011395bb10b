"""How fast environments come into being: AWS's rate for each function, and turns between functions on this machine."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.group import Group
    from lambent.kernel.clock import Clock

Item = TypeVar("Item")


class ScalingRate:
    """A token bucket: at most `most` at once, and as many again within `period_s` seconds, refilled continuously.

    https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
    """

    def __init__(self, clock: Clock, most: int, period_s: float) -> None:
        self._clock = clock
        self._most = float(most)
        self._per_second = most / period_s
        self._left = float(most)
        self._counted = clock.monotonic()

    @property
    def full(self) -> bool:
        """Whether it is as if nothing had ever been taken."""
        self._refill()
        return self._left >= self._most

    def take(self) -> bool:
        """Take one; False where none is left."""
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Put one back that was not used after all."""
        self._left = min(self._left + 1, self._most)

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._left = min(self._left + (now - self._counted) * self._per_second, self._most)
        self._counted = now


class Turns(Generic[Item]):
    """A queue that takes turns between owners, and between the items of one owner. An item is in it at most once."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, OrderedDict[Item, None]] = OrderedDict()

    def add(self, owner: str, item: Item) -> None:
        """Queue `item` behind what `owner` has queued already; nothing happens where it is queued."""
        self._owners.setdefault(owner, OrderedDict()).setdefault(item)

    def take(self) -> Item | None:
        """The item whose turn it is, or None."""
        if not self._owners:
            return None
        owner, items = self._owners.popitem(last=False)
        item, _ = items.popitem(last=False)
        if items:
            self._owners[owner] = items
        return item


class Slot:
    """The place of one start among those that are under way."""

    def __init__(self, clock: Clock, patience_s: float, freed: Callable[[], None]) -> None:
        self._freed: Callable[[], None] | None = freed
        self._timer = clock.call_later(patience_s, self.free)

    def free(self) -> None:
        """Let the next start begin; harmless when that has happened."""
        freed, self._freed = self._freed, None
        if freed is not None:
            self._timer.cancel()
            freed()


def starts_at_once(cores: int) -> int:
    """How many starts a machine with so many cores has under way at once: enough to keep it busy, and no crowd."""
    return max(limits.STARTS_LEAST, limits.STARTS_PER_CORE * cores)


class Starts:
    """At most `most` starts at once, so that none takes long and whoever comes next need not wait for a whole burst.

    `begin` starts one environment for the group whose turn it is; the slot is to be freed once INIT is over. A start
    that takes longer than `patience_s` waits for something else than this machine, and its slot goes to the next.
    """

    def __init__(self, clock: Clock, most: int, patience_s: float, begin: Callable[[Group, Slot], None]) -> None:
        self._clock = clock
        self._most = most
        self._patience_s = patience_s
        self._begin = begin
        self._turns: Turns[Group] = Turns()
        self._under_way = 0

    def want(self, group: Group) -> None:
        """Begin the starts that `group` wants, when it is its turn. Functions take turns, whatever their groups."""
        self._turns.add(group.function_arn, group)
        self._fill()

    def _fill(self) -> None:
        while self._under_way < self._most and (group := self._turns.take()) is not None:
            if not group.wants_start:
                continue
            self._under_way += 1
            self._begin(group, Slot(self._clock, self._patience_s, self._over))
            if group.wants_start:
                self._turns.add(group.function_arn, group)

    def _over(self) -> None:
        self._under_way -= 1
        self._fill()
