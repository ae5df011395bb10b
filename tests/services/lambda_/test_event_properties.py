"""Random sequences of what can happen to events, against the simplest account of what must come of it."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.compute.admission import too_many
from lambent.compute.function import Outcome
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.doors import Doors
from lambent.kernel.ids import SeededIds
from lambent.kernel.settings import Settings
from lambent.kernel.sources import Sources
from lambent.kernel.targets import Targets
from lambent.kernel.tasks import Supervisor
from lambent.services.lambda_ import Parts
from lambent.services.lambda_.queue.accepting import accept
from lambent.services.lambda_.queue.attempts import Dispatcher
from lambent.services.lambda_.records import FunctionKey, settled
from lambent.services.lambda_.store import events, functions
from lambent.store.blobs import Blobs
from lambent.store.sqlite import SqliteStore
from tests.services.lambda_.test_workers import pending

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.store.api import Transaction

NAMES = ("a", "b", "c")
ANSWERS = {
    "ok": Outcome(payload=b"null"),
    "fails": Outcome(payload=b'{"errorMessage": "no"}', error="Unhandled"),
    "throttled": "ReservedFunctionConcurrentInvocationLimitExceeded",
    "crowded out": "ConcurrentInvocationLimitExceeded",
}
"""What the engine answers: an outcome, or a refusal for that reason."""
STEPS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(NAMES)),
    st.tuples(st.just("send"), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(sorted(ANSWERS)), st.integers(0, 20)),
    st.tuples(st.just("pass"), st.sampled_from([1, 2, 59, 60, 120])),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
)


class Puppets:
    """Stands where the engine stands: what is invoked waits for the test's answer."""

    closing = False

    def __init__(self) -> None:
        self.under_way: dict[str, asyncio.Future[Outcome]] = {}

    async def invoke(self, _function: FunctionVersion, invocation: Invocation) -> Outcome:
        number = invocation.payload.decode()
        assert number not in self.under_way, "an event runs twice at a time"
        answer = self.under_way[number] = asyncio.get_running_loop().create_future()
        try:
            return await answer
        finally:
            del self.under_way[number]


class World:
    """Servers that follow one another on one store, and what must have come of each event."""

    def __init__(self, folder: Path, store: SqliteStore) -> None:
        self.folder = folder
        self.store = store
        self.clock = VirtualClock()
        self.sent: dict[str, list[str]] = {name: [] for name in NAMES}
        self.answers: defaultdict[str, list[str]] = defaultdict(list)
        self.count = 0
        self.start()

    def start(self) -> None:
        """A server begins."""
        self.engine, self.supervisor, unused = Puppets(), Supervisor(self.clock), None
        engine: Any = self.engine
        absent: Any = unused
        self.parts = Parts(
            store=self.store,
            blobs=Blobs(self.folder, self.clock),
            engine=engine,
            links=absent,
            objects=absent,
            roles=absent,
            settings=Settings(),
            targets=Targets(),
            doors=Doors(),
            sources=Sources(),
            clock=self.clock,
            ids=SeededIds(self.count),
            supervisor=self.supervisor,
        )
        self.supervisor.start("events", Dispatcher(self.parts).run())

    async def do(self, step: str, detail: Any) -> None:
        """Let one thing happen, and all that follows at once."""
        if step in ANSWERS:
            self.answer(step, detail)
        elif step == "send":
            await self.send(detail)
        elif step == "pass":
            await self.clock.advance(detail)
        elif step == "delete":
            await self.delete(detail)
        else:
            await self.supervisor.stop()
            self.start()
        await self.rest()

    async def send(self, name: str) -> None:
        self.count += 1
        number = str(self.count)
        self.sent[name].append(number)
        await accept(self.parts, key(name), None, number.encode(), request_id=number)

    def answer(self, how: str, choice: int) -> None:
        waiting = list(self.engine.under_way)
        if not waiting:
            return
        number, result = waiting[choice % len(waiting)], ANSWERS[how]
        if how in ("ok", "fails"):
            self.answers[number].append(how)
        give = self.engine.under_way[number]
        if isinstance(result, Outcome):
            give.set_result(result)
        else:
            give.set_exception(too_many(result))

    async def delete(self, name: str) -> None:
        """The function goes, with its events, and another one takes its name."""

        def work(tx: Transaction) -> None:
            functions.delete(tx, key(name))
            events.forget(tx, key(name))

        await self.parts.directory.change(key(name), work)
        await self.parts.directory.change(key(name), lambda tx: functions.insert(tx, function(name)))
        for number in self.sent[name]:
            self.answers[number].append("gone")
        self.sent[name].clear()

    async def rest(self) -> None:
        """The store works on other threads."""
        queue = self.parts.queue
        await settle()
        while queue._readers or queue._window.running > len(self.engine.under_way):
            await settle()

    async def drain(self) -> None:
        """Let every event come to its end: whatever runs succeeds, and every rest is over."""
        queue = self.parts.queue
        for _ in range(100):
            while self.engine.under_way:
                self.answer("ok", 0)
                await self.rest()
            if not await self.store.read(lambda tx: tx.all("SELECT id FROM lambda_event")) and not queue._lines:
                return
            await self.clock.advance(limits.ASYNC_PAUSE_MAX_S)
            await self.rest()
        raise AssertionError("an event waits for ever")

    def check(self) -> None:
        """Each event has ended, and just once."""
        for number in map(str, range(1, self.count + 1)):
            answers = self.answers[number]
            ended = answers[: answers.index("gone")] if "gone" in answers else answers
            assert ended.count("ok") <= 1, (number, answers)
            assert ended.count("fails") <= limits.ASYNC_RETRIES + 1, (number, answers)
            if "gone" not in answers:
                whole = answers[-1] == "ok" or answers.count("fails") == limits.ASYNC_RETRIES + 1
                assert whole, (number, answers)
            if "ok" in ended:
                assert ended[-1] == "ok", (number, answers)


def key(name: str) -> FunctionKey:
    return FunctionKey("000000000000", "us-east-1", name)


def function(name: str) -> Any:
    return settled(pending(name), "active")


async def live(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder), {"lambda": files("lambent.services.lambda_") / "schema"})
        for name in NAMES:
            await store.write(lambda tx, name=name: functions.insert(tx, function(name)))
        world = World(Path(folder), store)
        await world.rest()
        for step in steps:
            await world.do(*step)
        await world.drain()
        world.check()
        queue = world.parts.queue
        assert (queue._by_key, queue._held, queue._held_bytes) == ({}, 0, 0)
        await world.supervisor.stop()
        await store.close()


@settings(max_examples=40)
@given(steps=st.lists(STEPS, max_size=30))
def test_whatever_happens_every_event_ends_once(steps: list[tuple[str, Any]]) -> None:
    asyncio.run(live(steps))


def test_small_bounds_lose_nothing(monkeypatch: Any) -> None:
    """The same where hardly anything fits into memory."""
    for name in ("ASYNC_RUNNING", "ASYNC_HELD", "ASYNC_LINE_HELD", "ASYNC_PAGE"):
        monkeypatch.setattr(limits, name, 2)

    @settings(max_examples=40)
    @given(steps=st.lists(STEPS, max_size=30))
    def run(steps: list[tuple[str, Any]]) -> None:
        asyncio.run(live(steps))

    run()
