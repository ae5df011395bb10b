"""The pool under random bursts, crashes, slow and failing starts, cancelled callers, updates and changes of limits.

On the virtual clock, with scripted environments. `Stage.call` holds every answer against a model of who may run, and
`Stage.check` holds the pool's books against what really lives.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lambent.compute.state import State
from lambent.kernel.clock import settle
from tests.compute.stage import TIMEOUT_S, Stage, version
from tests.loops import sleepless

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lambent.compute.function import FunctionVersion

NAMES = st.sampled_from(["f", "g"])
NUMBERS = st.sampled_from(["1", "2"])
ENTRANCES = st.sampled_from(["ready", "unsound", "slow", "fails", "dies", "refused", "lost", "bug"])
AFTER = st.sampled_from([0.05, 0.0, 0.3, 1.0, 6.0])
THEN = st.sampled_from(["answer", "answer", "settle", "linger", "answer", "stumble", "crash", "hang"])
PAUSE = st.sampled_from([0.25, 0.0, 0.05, 0.1, 1.0, 7.0])


class PoolMachine(RuleBasedStateMachine):
    """Random days of a pool. Nothing is judged in the rules: the stage does that at every call and after every step."""

    @initialize(
        limit=st.sampled_from([4, 1, 2, 8, 16]),
        scaling=st.sampled_from([3, 10, 1000]),
        starts=st.integers(1, 4),
        lasting_s=st.sampled_from([6 * 3600.0, 400.0]),
        abrupt=st.booleans(),
        capacity=st.sampled_from([None, 1, 3]),
    )
    def open(self, limit: int, scaling: int, starts: int, lasting_s: float, abrupt: bool, capacity: int | None) -> None:
        self.loop = sleepless()
        self.calls: list[asyncio.Task[str]] = []
        self.revision = 1

        async def stage() -> Stage:
            return Stage(
                limit=limit, scaling=scaling, starts=starts, lasting_s=lasting_s, abrupt=abrupt, capacity=capacity
            )

        self.stage = self.run(stage())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def version(self, name: str, number: str) -> FunctionVersion:
        return version(name, number, str(self.revision))

    def step(self, work: Any) -> None:
        async def step() -> None:
            work()
            await settle(20)  # one failing start after another takes its turns

        self.run(step())

    @rule(
        name=NAMES,
        number=NUMBERS,
        count=st.sampled_from([1, 2, 3, 5, 20]),
        after=AFTER,
        then=THEN,
        pause=PAUSE,
        patient=st.booleans(),
    )
    def burst(
        self, name: str, number: str, count: int, after: float, then: str, pause: float, patient: bool = False
    ) -> None:
        function = self.version(name, number)
        self.step(
            lambda: self.calls.extend(self.stage.start(function, after, then, patient=patient) for _ in range(count))
        )
        self.the_books_are_right()
        self.run(self.stage.clock.advance(pause))

    @rule(tenants=st.lists(st.sampled_from(["blue", "green", "red"]), max_size=6), after=AFTER, then=THEN, pause=PAUSE)
    def burst_of_tenants(self, tenants: list[str], after: float, then: str, pause: float) -> None:
        function = self.version("t", "1")
        self.step(lambda: self.calls.extend(self.stage.start(function, after, then, tenant) for tenant in tenants))
        self.the_books_are_right()
        self.run(self.stage.clock.advance(pause))

    @rule(name=NAMES, number=NUMBERS, after=AFTER, pause=PAUSE)
    def call_one_after_the_other(self, name: str, number: str, after: float, pause: float) -> None:
        for _ in range(3):
            self.burst(name, number, 1, after, "answer", pause)

    @rule(index=st.integers(0, 100), count=st.integers(1, 4))
    def cancel(self, index: int, count: int) -> None:
        living = [call for call in self.calls if not call.done()]
        self.step(lambda: [call.cancel() for call in living[index % 8 :][:count]])

    @rule(index=st.integers(0, 100))
    def cancel_at_the_turn(self, index: int) -> None:
        """Cancel a caller at the very moment at which environments become free, before it can say that it is gone."""
        living = [call for call in self.calls if not call.done()]

        def cancel() -> None:
            living[index % len(living)].cancel()
            for actor in self.stage.busy[:2]:
                actor.end(actor.served, "answer")

        if living:
            self.step(cancel)

    @rule(seconds=st.sampled_from([1.0, 0.05, 0.1, 0.2, 7.0, 30.0, 80.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.stage.clock.advance(seconds))

    @rule(entrances=st.lists(ENTRANCES, max_size=6))
    def make_starts_difficult(self, entrances: list[str]) -> None:
        self.stage.entrances[:] = entrances

    @rule(index=st.integers(0, 100))
    def kill(self, index: int) -> None:
        """An environment dies by itself, whatever it is doing but serving."""
        idle = [actor for actor in self.stage.living if actor not in self.stage.busy]
        if idle:
            self.step(idle[index % len(idle)].vanish)

    @rule(index=st.integers(0, 100))
    def wither(self, index: int) -> None:
        """The same, and it takes a while until nothing is left of it."""
        idle = [actor for actor in self.stage.living if actor.state is State.IDLE]
        if idle:
            self.step(idle[index % len(idle)].wither)

    @rule(name=st.sampled_from(["f", "g", "t"]), units=st.sampled_from([None, 3, 0, 1, 2]))
    def reserve(self, name: str, units: int | None) -> None:
        self.step(lambda: self.stage.reserve(name, units))

    @rule(name=NAMES, number=NUMBERS, units=st.integers(1, 3))
    def provision(self, name: str, number: str, units: int) -> None:
        self.step(lambda: self.stage.provision(self.version(name, number), units))

    @rule(name=NAMES, number=NUMBERS)
    def deprovision(self, name: str, number: str) -> None:
        self.step(lambda: self.stage.deprovision(self.version(name, number)))

    @rule(name=NAMES, number=st.one_of(st.none(), NUMBERS))
    def retire(self, name: str, number: str | None) -> None:
        self.step(lambda: self.stage.pool.retire(version(name).arn, number))

    @rule(name=NAMES, revision=st.sampled_from([0, 1]))
    def retire_what_was_before(self, name: str, revision: int) -> None:
        self.step(lambda: self.stage.pool.retire(version(name).arn, keep=str(self.revision - revision)))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """A function goes with all that it has, and another one of its name may come."""

        def delete() -> None:
            self.revision += 1
            self.stage.reserve(name, None)
            for number in ("1", "2"):
                self.stage.deprovision(self.version(name, number))
            self.stage.pool.retire(version(name).arn)

        self.step(delete)

    @rule()
    def update(self) -> None:
        def update() -> None:
            self.revision += 1
            for name in ("f", "g"):
                self.stage.pool.retire(version(name).arn)

        self.step(update)

    @rule(pressure=st.sampled_from([0.0, 0.5, 1.0]))
    def press(self, pressure: float) -> None:
        self.stage.pressure = pressure

    @invariant()
    def the_books_are_right(self) -> None:
        if hasattr(self, "stage"):
            self.stage.check()
            for call in self.calls:
                if call.done() and not call.cancelled():
                    call.result()

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            self.run(self.end())
            self.the_books_are_right()
        finally:
            self.loop.close()

    async def end(self) -> None:
        stage = self.stage
        stage.entrances.clear()
        await stage.clock.advance(700.0)
        assert all(call.done() for call in self.calls), "a call was lost"
        stage.check()
        living = {}
        for name, number in stage.provisioned:
            living[name, number] = stage.pool.allocation(version(name, number))
            assert living[name, number].status == "READY", living
            assert living[name, number].available == stage.provisioned[name, number], "what died was replaced"
        assert stage.pool.size == len(stage.living) == sum(stage.provisioned.values()), "idle ones were retired"
        for name, number in list(stage.provisioned):
            stage.deprovision(version(name, number))
        await stage.clock.advance(1.0)
        assert stage.pool.size == len(stage.living) == len(stage.pool._living) == 0
        await stage.close()
        await stage.clock.advance(TIMEOUT_S)
        assert all(timer.callback is None for _, _, timer in stage.clock._timers), "a timer was forgotten"


class ClosingMachine(PoolMachine):
    """The same, closed in the middle of whatever goes on."""

    async def end(self) -> None:
        closing = asyncio.create_task(self.stage.close())
        await settle(3)
        late = self.stage.start(self.version("f", "1"))
        await closing
        assert late.result() != "answered"
        assert all(call.done() for call in self.calls)
        assert self.stage.pool.running == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestClosing = ClosingMachine.TestCase
TestClosing.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
