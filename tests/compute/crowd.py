"""A fleet on the virtual clock, with environments that do as the test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.compute.fleet import Fleet
from lambent.compute.function import Invocation, Managed, Outcome
from lambent.compute.squad import Bounds
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor
from tests.compute.stage import version

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.function import FunctionVersion

INIT_S = 0.2
IDLE_S = 50.0
LASTING_S = 6 * 3600.0


class Actor:
    """An environment with two workers. `entrance` is `ready`, or why INIT fails."""

    def __init__(self, fleet: Crowd, function: FunctionVersion, entrance: str) -> None:
        self.crowd = fleet
        self.function = function
        self.entrance = entrance
        self.expires = fleet.clock.time() + LASTING_S
        self.initialised = self.retired = self.over = False
        self.init_problem: str | None = None
        self.answers: list[asyncio.Future[Outcome]] = []

    @property
    def running(self) -> int:
        return len(self.answers)

    @property
    def room(self) -> int:
        return 2 - self.running if self.initialised and not self.retired else 0

    def start(self) -> None:
        self.crowd.clock.call_later(INIT_S, self.enter)

    def enter(self) -> None:
        if self.over:
            return
        if self.entrance == "ready":
            self.initialised = True
            self.crowd.fleet.ready(self)  # type: ignore[arg-type] # as much of one as the fleet sees
        else:
            self.init_problem = self.entrance
            self.vanish()

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        assert self.room > 0
        self.answers.append(answer)

    def finish(self) -> None:
        answer = self.answers.pop(0)
        if not answer.done():
            answer.set_result(Outcome(payload=b"1"))
        if self.retired and not self.answers:
            self.vanish()
        else:
            self.crowd.fleet.finished(self)  # type: ignore[arg-type]

    def retire(self) -> None:
        self.retired = True
        if not self.answers:
            self.vanish()

    def stop(self) -> None:
        self.retired = True
        while self.answers:
            answer = self.answers.pop()
            if not answer.done():
                answer.set_result(Outcome(payload=b"", error="Unhandled"))
        self.vanish()

    def vanish(self) -> None:
        if not self.over:
            self.over = self.retired = True
            self.crowd.living.remove(self)
            self.crowd.fleet.gone(self)  # type: ignore[arg-type]


class Crowd:
    """A fleet whose environments are actors. `entrances` are used up one after the other, `ready` afterwards."""

    def __init__(self, vcpus: float = 100.0) -> None:
        self.clock = VirtualClock()
        self.supervisor = Supervisor(self.clock)
        self.living: list[Actor] = []
        self.entrances: list[str] = []
        make: Any = self.make
        self.fleet = Fleet(make, self.clock, self.supervisor, vcpus=vcpus, idle_s=IDLE_S, margin_s=60.0)

    async def make(self, function: FunctionVersion, owner: Any) -> Actor:
        entrance = self.entrances.pop(0) if self.entrances else "ready"
        if entrance == "lost":
            raise OSError("no more processes")
        if entrance == "bug":
            raise RuntimeError("a bug")
        actor = Actor(self, function, entrance)
        self.living.append(actor)
        return actor

    def field(self, function: FunctionVersion, least: int = 1, most: int = 4, provider_vcpus: float = 100.0) -> None:
        self.fleet.field(function, Bounds(least=least, most=most, provider_vcpus=provider_vcpus))

    def call(self, function: FunctionVersion) -> asyncio.Task[Outcome]:
        invocation = Invocation(request_id="1", payload=b"", invoked_arn="arn")
        return self.supervisor.start("call", self.fleet.invoke(function, invocation))

    async def calls(self, function: FunctionVersion, count: int) -> list[asyncio.Task[Outcome]]:
        calls = [self.call(function) for _ in range(count)]
        await settle()
        return calls

    async def close(self) -> None:
        await self.fleet.close()
        assert self.living == []
        assert self.fleet.size == 0
        assert not self.fleet._living
        await self.supervisor.stop()


def managed(name: str = "f", number: str = "1", revision: str = "1", provider: str = "p") -> FunctionVersion:
    share = Managed(provider=provider, concurrency=2, vcpus=1.0)
    return msgspec.structs.replace(version(name, number, revision), managed=share)
