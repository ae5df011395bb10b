"""The fleet under random bursts, crashes, failing starts, cancelled callers, and changes of versions and bounds.

On the virtual clock, with environments that end their invocations when the search says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lambent.compute.function import Invocation
from lambent.compute.group import key
from lambent.kernel.clock import settle
from lambent.kernel.errors import AwsError
from tests.compute.crowd import IDLE_S, Crowd, managed
from tests.loops import sleepless

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from lambent.compute.function import FunctionVersion

NAMES = st.sampled_from(["f", "g"])
ENTRANCES = st.sampled_from(["ready", "Runtime.ExitError", "timeout", "lost", "bug"])
REFUSALS = {"TooManyRequestsException", "ServiceException", "ResourceNotReadyException"}
SETTLED_S = 1_000.0
"""After which whatever failed has been tried again."""


class FleetMachine(RuleBasedStateMachine):
    """Random days of a fleet."""

    @initialize(vcpus=st.sampled_from([100.0, 1.0, 3.0]))
    def open(self, vcpus: float) -> None:
        self.loop = sleepless()
        self.calls: list[asyncio.Task[str]] = []
        self.revision = 1
        self.bounds: dict[str, tuple[FunctionVersion, int, int]] = {}
        self.vcpus = vcpus

        async def crowd() -> Crowd:
            return Crowd(vcpus)

        self.crowd = self.run(crowd())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def step(self, work: Callable[[], object]) -> None:
        async def step() -> None:
            work()
            await settle(20)

        self.run(step())

    @rule(name=NAMES, least=st.integers(0, 3), more=st.integers(0, 2))
    def field(self, name: str, least: int, more: int) -> None:
        function = managed(name, revision=str(self.revision))
        self.bounds[name] = function, least, least + more
        self.step(lambda: self.crowd.field(function, least, least + more))

    @rule(name=NAMES)
    def withdraw(self, name: str) -> None:
        self.bounds.pop(name, None)
        self.step(lambda: self.crowd.fleet.withdraw(managed(name)))

    @rule()
    def publish(self) -> None:
        self.revision += 1

    @rule(name=NAMES, count=st.sampled_from([1, 2, 5]))
    def call(self, name: str, count: int) -> None:
        function = managed(name) if name not in self.bounds else self.bounds[name][0]
        call = self.crowd.supervisor.start
        self.step(lambda: self.calls.extend(call("call", self.ended(function)) for _ in range(count)))

    async def ended(self, function: FunctionVersion) -> str:
        """How a call ends, in a word."""
        invocation = Invocation(request_id="1", payload=b"", invoked_arn="arn")
        try:
            outcome = await self.crowd.fleet.invoke(function, invocation)
        except AwsError as error:
            return error.code
        return outcome.error or "answered"

    @rule(index=st.integers(0, 20), count=st.integers(1, 4))
    def finish(self, index: int, count: int) -> None:
        for _ in range(count):
            busy = [actor for actor in self.crowd.living if actor.running]
            if busy:
                self.step(busy[index % len(busy)].finish)

    @rule(index=st.integers(0, 20))
    def cancel(self, index: int) -> None:
        living = [call for call in self.calls if not call.done()]
        if living:
            self.step(living[index % len(living)].cancel)

    @rule(index=st.integers(0, 20))
    def kill(self, index: int) -> None:
        if self.crowd.living:
            self.step(self.crowd.living[index % len(self.crowd.living)].stop)

    @rule(index=st.integers(0, 20))
    def wear(self, index: int) -> None:
        serving = [actor for actor in self.crowd.living if actor.running and not actor.retired]
        if serving:
            actor: Any = serving[index % len(serving)]
            self.step(lambda: self.crowd.fleet.worn(actor))

    @rule(entrances=st.lists(ENTRANCES, max_size=4))
    def make_starts_difficult(self, entrances: list[str]) -> None:
        self.crowd.entrances[:] = entrances

    @rule(seconds=st.sampled_from([0.1, 0.2, 1.0, 5.0, IDLE_S, 3_600.0, 6 * 3_600.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.crowd.clock.advance(seconds))

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "crowd"):
            return
        fleet = self.crowd.fleet
        assert {id(each) for each in fleet._homes} == {id(each) for each in self.crowd.living}
        assert {squad.key[2] for squad in fleet._squads.values()} == set(self.bounds)
        for squad in fleet._living:
            assert squad.leaving or squad in fleet._squads.values()
            assert not (squad.waiting and squad.roomiest()), "somebody waits while there is room"
            coming = squad.coming or any(not actor.initialised for actor in squad.staying)
            assert not squad.waiting or coming, "somebody waits for nothing"
            assert squad.leaving or len(squad.staying) <= squad.bounds.most
        ended = {call.result() for call in self.calls if call.done() and not call.cancelled()}
        assert ended <= {"answered", "Unhandled", *REFUSALS}

    def teardown(self) -> None:
        if not hasattr(self, "crowd"):
            return
        try:
            self.run(self.end())
        finally:
            self.loop.close()

    async def end(self) -> None:
        crowd = self.crowd
        crowd.entrances.clear()
        await crowd.clock.advance(SETTLED_S)
        while busy := [actor for actor in crowd.living if actor.running]:
            busy[0].finish()
            await crowd.clock.advance(1.0)
        await crowd.clock.advance(SETTLED_S)
        assert all(call.done() for call in self.calls), "a call was lost"
        for function, least, _ in self.bounds.values():
            count = sum(actor.function == function for actor in crowd.living)
            squad = crowd.fleet._squads[key(function)]
            told = (function.name, count, least, squad.coming, squad.pause, squad.sweep, len(squad.members))
            assert count == least if self.vcpus > 10 else min(least, 1) <= count <= least, told
        await crowd.close()


TestFleet = FleetMachine.TestCase
TestFleet.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
