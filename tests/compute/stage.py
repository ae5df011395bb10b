"""A pool on the virtual clock whose environments follow a script, and a model of who may run."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambent.compute.admission import Admission
from lambent.compute.function import FunctionVersion, Invocation, Outcome
from lambent.compute.pool import Pool
from lambent.compute.state import State
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from lambent.compute.pooled import Kind, Owner

TIMEOUT_S = 20.0
INIT_S = 0.2
DYING_S = 0.25
SETTLING_S = 0.004
LINGERING_S = 0.4
LASTING_S = 6 * 3600.0


def version(name: str = "f", number: str = "$LATEST", revision: str = "1", account: str = "0" * 12) -> FunctionVersion:
    """A function version that nothing is ever run of."""
    return FunctionVersion(
        account=account,
        region="r",
        name=name,
        version=number,
        revision=revision,
        role="",
        runtime="python3.13",
        handler="",
        code_sha256="",
        memory_mb=128,
        timeout_s=int(TIMEOUT_S),
        variables={},
        log_group="g",
    )


class Actor:
    """An environment that does what the event says: `{"after": seconds, "then": "answer" | "crash" | "hang"}`, or after
    its answer `settle`, `linger` and `stumble`: it takes a moment, or a while, before it is free, or crashes after a
    moment.

    How it starts is one word: `ready`, `unsound` (INIT fails, and is repeated in the first invocation), `slow`,
    `fails` (nothing can be started), `dies` (gone in the middle of INIT), `bug` (it raises).
    """

    def __init__(self, stage: Stage, function: FunctionVersion, owner: Owner, kind: Kind, entrance: str) -> None:
        self.stage = stage
        self.function = function
        self.owner = owner
        self.kind = kind
        self.entrance = entrance
        self.state = State.STARTING
        self.retired = False
        self.withering = False
        self.initialised = False
        self.idle_since = 0.0
        self.expires = stage.clock.time() + stage.lasting_s
        self.answer: asyncio.Future[Outcome] | None = None
        self.served = 0
        self.call = ""
        self.tenants: set[str | None] = set()

    def start(self) -> None:
        if self.entrance == "bug":
            self.state = State.GONE
            raise RuntimeError("a bug")
        self.stage.living.append(self)
        self.state = State.INIT
        if self.entrance == "fails":
            self.state = State.GONE
            self.stage.living.remove(self)
            self.owner.failed(self, OSError("no more processes"))
        elif self.entrance == "dies":
            self.later(INIT_S, self.vanish)
        else:
            self.later(INIT_S if self.entrance != "slow" else 7.0, self.enter)

    def enter(self) -> None:
        if self.state is State.INIT:
            self.initialised = self.entrance != "unsound"
            self.state = State.IDLE
            self.owner.ready(self)

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        assert self.state is State.IDLE, "it serves one invocation at a time, and only once it is ready"
        self.state = State.BUSY
        self.answer = answer
        self.call = invocation.request_id
        self.served += 1
        self.tenants.add(invocation.tenant_id)
        assert len(self.tenants) == 1, "it serves one tenant in its life"
        self.stage.begun(self)
        order = json.loads(invocation.payload)
        after = order["after"] if order["then"] != "hang" else TIMEOUT_S
        self.later(after, lambda: self.end(self.served, order["then"]))

    def end(self, served: int, how: str) -> None:
        if self.state is not State.BUSY or served != self.served:
            return
        assert self.answer is not None
        if not self.answer.done():
            self.answer.set_result(
                Outcome(payload=b"", error="Unhandled" if how in ("crash", "hang", "stop") else None)
            )
        if how in ("settle", "linger", "stumble"):
            self.owner.settling(self)
            then = "crash" if how == "stumble" else "answer"
            self.later(LINGERING_S if how == "linger" else SETTLING_S, lambda: self.end(served, then))
            return
        self.stage.over(self.call)
        self.initialised = True
        self.state = State.IDLE if how == "answer" and not self.retired else State.STOPPING
        if self.state is State.STOPPING:
            self.owner.finished(self)
            self.die()
        else:
            self.owner.finished(self)

    def stop(self) -> None:
        self.retired = True
        if self.state is State.BUSY:
            self.end(self.served, "stop")
        elif self.state not in (State.STOPPING, State.GONE):
            self.state = State.STOPPING
            self.die()

    def die(self) -> None:
        if self.stage.abrupt:
            self.vanish()
        else:
            self.later(DYING_S, self.vanish)

    def wither(self) -> None:
        """It ends by itself, and the owner is told once nothing is left."""
        self.withering = self.retired = True
        self.state = State.STOPPING
        self.later(DYING_S, self.vanish)

    def vanish(self) -> None:
        if self.state is not State.GONE:
            self.state = State.GONE
            self.stage.living.remove(self)
            self.owner.gone(self)

    def later(self, delay: float, what: Any) -> None:
        self.stage.clock.call_later(delay, what)


@dataclass
class Stage:
    """`entrances` are used up one after the other, `ready` afterwards; `lost` and `refused` make no environment."""

    limit: int = 8
    scaling: int = 1_000
    idle_s: float = 50.0
    starts: int = 2
    capacity: int | None = None
    lasting_s: float = LASTING_S
    abrupt: bool = False
    """Whether environments are gone as soon as they are stopped."""
    entrances: list[str] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)
    pressure: float = 0.0

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.clock)
        self.admission = Admission(self.clock, self.limit, self.scaling)
        self.pool = Pool(
            self.make,
            self.admission,
            self.clock,
            self.supervisor,
            lambda: self.pressure,
            capacity=self.capacity or self.limit,
            idle_s=self.idle_s,
            margin_s=60.0,
            starts=self.starts,
        )
        self.living: list[Actor] = []
        self.made: list[tuple[float, FunctionVersion, Kind]] = []
        self.calls: dict[str, FunctionVersion] = {}
        """Those in progress."""
        self.ran: list[tuple[str, Actor]] = []
        self.reserved: dict[str, int] = {}
        self.provisioned: dict[tuple[str, str], int] = {}
        self.numbered = 0

    async def make(self, function: FunctionVersion, owner: Owner, kind: Kind) -> Actor:
        self.made.append((self.clock.monotonic(), function, kind))
        entrance = self.entrances.pop(0) if self.entrances else "ready"
        if entrance == "refused":
            raise AwsError("InvalidRuntimeException", "The runtime is gone.")
        if entrance == "lost":
            await self.clock.sleep(0.1)
            raise OSError("no more folders")
        return Actor(self, function, owner, kind, entrance)

    def begun(self, actor: Actor) -> None:
        assert actor.call in self.calls
        waiting = self.pool._homes[actor].waiting.values()
        assert all(int(actor.call) < int(other.request_id) for other in waiting), "who came first goes first"
        self.ran.append((actor.call, actor))
        assert len(self.busy) <= self.limit

    def over(self, call: str) -> None:
        del self.calls[call]

    @property
    def busy(self) -> list[Actor]:
        return [actor for actor in self.living if actor.state is State.BUSY]

    async def call(
        self,
        function: FunctionVersion,
        after: float = 1.0,
        then: str = "answer",
        tenant: str | None = None,
        *,
        patient: bool = False,
    ) -> str:
        """Invoke `function`; how it ended in a word. Checks that it is refused exactly where the model says so."""
        self.numbered += 1
        call = str(self.numbered)
        payload = json.dumps({"after": after, "then": then}).encode()
        expected = self.refusal(function)
        self.calls[call] = function
        invocation = Invocation(request_id=call, payload=payload, invoked_arn="arn", tenant_id=tenant, patient=patient)
        try:
            outcome = await self.pool.invoke(function, invocation)
        except AwsError as error:
            self.over(call)
            reason = error.members.get("Reason", error.code)
            if "InvocationRate" in reason:
                assert expected is None
                assert self.grown_too_fast(function)
            elif error.code == "TooManyRequestsException":
                assert reason == expected or (expected is None and self.housed(function) >= self.houses(function))
            return str(reason)
        except RuntimeError as bug:
            self.over(call)
            return str(bug)
        except asyncio.CancelledError:
            if all(begun != call for begun, _ in self.ran):
                self.over(call)
            raise
        assert expected is None, "it ran above the limit"
        return outcome.error or "answered"

    def start(
        self,
        function: FunctionVersion,
        after: float = 1.0,
        then: str = "answer",
        tenant: str | None = None,
        *,
        patient: bool = False,
    ) -> asyncio.Task[str]:
        return self.supervisor.start("call", self.call(function, after, then, tenant, patient=patient))

    def housed(self, function: FunctionVersion) -> int:
        """Environments that tenants of `function` have, or will have."""
        groups = [group for group in self.pool._living if group.function.name == function.name and group.tenant]
        return sum(len(group.members) + group.planned + group.ordered for group in groups)

    def houses(self, function: FunctionVersion) -> float:
        """How many AWS lets them have."""
        return 2.5 * self.reserved.get(function.name, self.limit)

    def refusal(self, function: FunctionVersion) -> str | None:
        """Why an invocation that comes now may not run, worked out from nothing; None where it may."""
        running = Counter((each.name, each.version) for each in self.calls.values())
        if len(self.calls) >= self.limit:
            return "ConcurrentInvocationLimitExceeded"
        spilled: Counter[str] = Counter()
        for (name, number), count in running.items():
            spilled[name] += max(0, count - self.provisioned.get((name, number), 0))
        own = running[function.name, function.version] < self.provisioned.get((function.name, function.version), 0)
        claimed: Counter[str] = Counter()
        for (name, _), units in self.provisioned.items():
            claimed[name] += units
        if function.name in self.reserved:
            full = sum(count for (name, _), count in running.items() if name == function.name)
            room = spilled[function.name] < self.reserved[function.name] - claimed[function.name]
            if (own and full < self.reserved[function.name]) or (room and not own):
                return None
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        shared = [name for name in {*spilled, *claimed} if name not in self.reserved]
        left = self.limit - sum(self.reserved.values()) - sum(claimed[name] for name in shared)
        if own or sum(spilled[name] for name in shared) < left:
            return None
        return "ConcurrentInvocationLimitExceeded"

    def grown_too_fast(self, function: FunctionVersion) -> bool:
        """Whether a bucket of `scaling` that refills in ten seconds can be empty for `function`."""
        now = self.clock.monotonic()
        times = [time for time, each, kind in self.made if each.name == function.name and kind == "on-demand"]
        groups = [group for group in self.pool._living if group.function.name == function.name]
        ordered = sum(group.ordered + group.planned for group in groups)
        counts = ((len(times) - index + ordered, now - time) for index, time in enumerate([*times, now]))
        return any(count + 1e-6 >= self.scaling - 1 + age * self.scaling / 10 for count, age in counts)

    def reserve(self, name: str, units: int | None) -> None:
        if units is None:
            self.reserved.pop(name, None)
        else:
            self.reserved[name] = units
        self.admission.reserve(version(name).arn, units)

    def provision(self, function: FunctionVersion, units: int) -> None:
        self.provisioned[function.name, function.version] = units
        self.pool.provision(function, units)

    def deprovision(self, function: FunctionVersion) -> None:
        self.provisioned.pop((function.name, function.version), None)
        self.pool.deprovision(function)

    def check(self) -> None:
        """What must hold whenever nothing is in the middle of a step."""
        pool = self.pool
        assert pool.running == len(self.calls) <= self.limit
        assert len(self.busy) <= self.limit
        planned = sum(group.planned + group.provision.planned for group in pool._living)
        assert pool.size == len(self.living) + planned == len(pool._homes) + len(pool._tasks)
        assert {*pool._groups.values()} <= {*pool._living}
        assert {*pool._idle.environments} == {actor for group in pool._living for actor in group.idle}
        for group in pool._living:
            assert not group.blank
            idle = [*group.idle, *group.provision.idle]
            assert not (idle and group.waiting), "somebody waits while an environment is idle"
            assert all(actor.withering or (actor.state is State.IDLE and not actor.retired) for actor in idle)
            assert not (idle and group.retired)
            assert group.lacking <= 0, "fewer are coming than wait"
            assert not group.ordered or group.lacking == 0, "more are ordered than are needed"
            assert not group.wants_start or pool._starts._under_way == self.starts, "a start was forgotten"
            assert not any(group.provision.spares(actor) for actor in group.provision.idle), (
                "more are ready than wanted"
            )
            assert group.provision.lacking <= 0 or group.provision.wants_start or group.provision.pause
            assert group.members == {actor for actor in self.living if pool._homes.get(actor) is group}

    async def close(self) -> None:
        closing = self.supervisor.start("close", self.pool.close())
        await self.clock.advance(2 * DYING_S + 0.1)
        assert closing.done()
        await closing
        assert self.pool.size == len(self.living) == 0
        assert not self.pool._living
        assert not self.pool._groups
        assert not self.pool._slots
        await self.supervisor.stop()
