"""The pool under random calls, crashes, timeouts, failing starts and updates, on the virtual clock.

The sandbox is scripted at its seam: guests are objects that speak the channel's protocol over the
descriptors that a launch hands them, as a real runtime client does. Everything above the seam is the real thing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.compute.environment import Environment, Plan, State
from lambent.compute.function import FunctionVersion, Invocation
from lambent.compute.journal import Journal
from lambent.compute.loglines import TextLines
from lambent.compute.pool import Pool
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.errors import AwsError
from lambent.kernel.facts import LogStream
from lambent.kernel.ids import SeededIds
from lambent.kernel.tasks import Supervisor

if TYPE_CHECKING:
    from lambent.compute.environment import Owner
    from lambent.compute.sandbox.api import Exits, Launch

LIMIT = 4
IDLE_S = 50.0
TIMEOUT_S = 20


class ScriptedGuest:
    """Takes its orders from the event: `{"after": seconds, "then": "answer" | "crash" | "hang"}`."""

    def __init__(self, box: ScriptedSandbox, launch: Launch, exits: Exits, pid: int) -> None:
        self.pid = pid
        self.box = box
        self.exits = exits
        self.loop = asyncio.get_running_loop()
        self.socket = socket.socket(fileno=os.dup(launch.descriptors[3]))
        self.socket.setblocking(False)
        self.output = os.dup(launch.descriptors[1])
        self.secret = b""
        self.dead = False
        self.busy = False
        self.loop.add_reader(self.socket.fileno(), self.heard)

    def peak_memory(self) -> int:
        return 0

    def kill(self) -> None:
        self.end(-9)

    def heard(self) -> None:
        packet = self.socket.recv(65536)
        if not packet:
            self.loop.remove_reader(self.socket.fileno())
            return
        if not self.secret:
            self.secret = packet
            kind = self.box.starts.pop(0) if self.box.starts else "Y"
            if kind == "Y":
                self.box.clock.call_later(0.5, lambda: self.say(b"Y", b"\0\0\0\0"))
            elif kind == "F":
                self.box.clock.call_later(0.5, lambda: self.say(b"F", b"\0\0\0\0", b'{"errorType":"X"}'))
            elif kind == "crash":
                self.box.clock.call_later(0.5, lambda: self.end(1))
            return
        assert not self.busy, "an environment serves one invocation at a time"
        self.busy = True
        self.box.busy += 1
        assert self.box.busy <= LIMIT
        order = msgspec.json.decode(packet[packet.index(b"\n\n") + 2 :])
        sequence = packet[:4]
        if order["then"] == "answer":
            self.box.clock.call_later(order["after"], lambda: self.answer(sequence))
        elif order["then"] == "crash":
            self.box.clock.call_later(order["after"], lambda: self.end(1))

    def answer(self, sequence: bytes) -> None:
        self.idle()
        self.say(b"R", sequence, str(self.pid).encode())

    def say(self, kind: bytes, sequence: bytes, body: bytes = b"") -> None:
        if not self.dead:
            self.socket.send(self.secret + kind + sequence + body)

    def idle(self) -> None:
        if self.busy:
            self.busy = False
            self.box.busy -= 1

    def end(self, status: int) -> None:
        if not self.dead:
            self.dead = True
            self.idle()
            self.loop.remove_reader(self.socket.fileno())
            self.socket.close()
            os.close(self.output)
            self.box.living -= 1
            self.loop.call_soon(self.exits.exited, status)


@dataclass
class ScriptedSandbox:
    """The seam `sandbox.api.Sandbox`, with guests that follow a script."""

    clock: VirtualClock
    starts: list[str]
    level: str = "process"
    living: int = 0
    busy: int = 0
    spawned: int = 0

    def spawn(self, launch: Launch, exits: Exits) -> ScriptedGuest:
        if self.starts and self.starts[0] == "refuse":
            self.starts.pop(0)
            raise OSError("no more processes")
        self.spawned += 1
        self.living += 1
        return ScriptedGuest(self, launch, exits, self.spawned)

    async def close(self) -> None:
        assert self.living == 0


class Silence:
    def log(self, stream: Any, events: Any) -> None:
        assert events


@dataclass
class Scene:
    folder: Path
    starts: list[str]
    clock: VirtualClock = field(default_factory=VirtualClock)
    revision: int = 0

    def __post_init__(self) -> None:
        self.box = ScriptedSandbox(self.clock, self.starts)
        self.supervisor = Supervisor(self.clock)
        self.pool = Pool(self.make, self.clock, self.supervisor, LIMIT, IDLE_S, 0.0)
        self.states: list[Environment] = []
        self.made = 0

    def function(self) -> FunctionVersion:
        return FunctionVersion(
            account="0" * 12,
            region="r",
            name="f",
            version="$LATEST",
            revision=str(self.revision),
            role="",
            runtime="python3.13",
            handler="",
            code_sha256="",
            memory_mb=128,
            timeout_s=TIMEOUT_S,
            variables={},
            log_group="g",
        )

    async def make(self, function: FunctionVersion, owner: Owner) -> Environment:
        self.made += 1
        scratch = self.folder / str(self.made)
        scratch.mkdir()
        plan = Plan(function=function, command=("/x",), variables={}, scratch=scratch, expires=self.clock.time() + 1e9)
        stream = LogStream(account="", region="", group="", name=str(self.made))
        journal = Journal(Silence(), self.clock, stream, TextLines(function, "", ""))
        environment = Environment(plan, self.box, journal, self.clock, SeededIds(self.made), owner)
        self.states.append(environment)
        return environment

    async def call(self, after: float, then: str) -> str:
        order = msgspec.json.encode({"after": after, "then": then})
        invocation = Invocation(request_id="id", payload=order, invoked_arn="arn")
        running = self.pool.running
        try:
            outcome = await self.pool.invoke(self.function(), invocation)
        except AwsError as error:
            if error.code == "TooManyRequestsException":
                assert running >= LIMIT, "refused below the limit"
            return error.code
        return outcome.error or "answered"


STEPS = st.one_of(
    st.tuples(st.just("call"), st.floats(0, 15), st.sampled_from(["answer", "answer", "answer", "crash", "hang"])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.2, 0.5, 1.0, 7.0, 30.0, 80.0])),
    st.tuples(st.just("update")),
    st.tuples(st.just("retire")),
)


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=40),
    starts=st.lists(st.sampled_from(["Y", "Y", "Y", "F", "crash", "hang", "refuse"]), max_size=12),
)
def test_never_above_the_limit_never_refused_below_it_none_lost_none_leaked(
    steps: list[tuple[Any, ...]], starts: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, starts))
        assert list(Path(folder).iterdir()) == [], "scratch folders are left"


async def play(folder: Path, steps: list[tuple[Any, ...]], starts: list[str]) -> None:
    scene = Scene(folder, starts)
    calls: list[asyncio.Task[str]] = []
    for step in steps:
        match step:
            case "call", after, then:
                calls.append(scene.supervisor.start("call", scene.call(after, then)))
                await settle(3)
            case "cancel", index:
                if index < len(calls):
                    calls[index].cancel()
                    await settle(3)
            case "wait", seconds:
                await scene.clock.advance(seconds)
            case ("update",):
                scene.pool.retire(scene.function().arn)
                scene.revision += 1
            case ("retire",):
                scene.pool.retire(scene.function().arn)
        assert scene.pool.running <= LIMIT
        assert scene.box.busy <= LIMIT
    await scene.clock.advance(200)
    assert all(call.done() for call in calls), "a call was lost"
    assert scene.pool.running == 0
    assert scene.pool.size == scene.box.living == 0, "idle environments are retired"
    assert {environment.state for environment in scene.states} <= {State.GONE}
    await scene.pool.close()
    await scene.box.close()
    await scene.supervisor.stop()
    await asyncio.gather(*calls, return_exceptions=True)
