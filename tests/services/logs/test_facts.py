"""Facts: told events are stored soon, in order, in batches, and never lost in silence."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.facts import LogEvent, LogStream
from lambent.services.logs.facts import LogFacts
from lambent.services.logs.store import groups
from lambent.store.errors import StoreError
from tests.services.logs.conftest import bench_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lambent.store.api import Store
    from tests.services.logs.conftest import Bench

STREAM = LogStream("000000000000", "us-east-1", "/aws/lambda/f", "one")
OTHER = LogStream("000000000000", "us-east-1", "/aws/lambda/f", "two")
START = 1_700_000_000_000


def event(text: str, timestamp: int = START) -> LogEvent:
    return LogEvent(timestamp, text)


class Door:
    """A store that counts its writes, can be shut, and can fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.writes = 0
        self.failures = 0
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, work: Callable[[Any], Any]) -> Any:
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        self.writes += 1
        return await self._store.write(work)


async def test_what_is_told_is_stored_once_the_flush_is_due(bench: Bench) -> None:
    bench.facts.log(STREAM, [event("a"), event("b")])
    await bench.clock.advance(limits.LOG_FLUSH_S / 2)
    assert await bench.messages() == []
    await bench.clock.advance(limits.LOG_FLUSH_S)
    await bench.facts.flush()
    assert await bench.messages() == [("/aws/lambda/f", "one", "a"), ("/aws/lambda/f", "one", "b")]


async def test_a_flush_does_not_wait_for_the_clock(bench: Bench) -> None:
    bench.facts.log(STREAM, [event("a")])
    await bench.facts.flush()
    assert len(await bench.messages()) == 1


async def test_a_flush_with_nothing_told_returns_at_once(tmp_path: Path) -> None:
    async with bench_in(tmp_path / "data") as bench:
        door = Door(bench.store)
        await LogFacts(door, bench.clock).flush()  # type: ignore[arg-type]
        assert door.writes == 0


async def test_all_streams_share_one_transaction(bench: Bench) -> None:
    door = Door(bench.store)
    facts = LogFacts(door, bench.clock)  # type: ignore[arg-type]
    for number in range(100):
        facts.log(LogStream("000000000000", "us-east-1", f"/g/{number % 7}", f"s{number}"), [event("x")])
    await facts.close()
    assert door.writes == 1
    assert await bench.count("logs_stream") == 100
    assert await bench.count("logs_group") == 7


async def test_what_is_told_while_a_batch_is_stored_waits_for_the_next_flush(bench: Bench) -> None:
    class Teller(Door):
        async def write(self, work: Callable[[Any], Any]) -> Any:
            facts.log(STREAM, [event("meanwhile")])
            return await super().write(work)

    door = Teller(bench.store)
    facts = LogFacts(door, bench.clock)  # type: ignore[arg-type]
    facts.log(STREAM, [event("first")])
    await facts.close()
    assert door.writes == 1
    await facts.close()
    assert door.writes == 2
    assert [message for _, _, message in await bench.messages()] == ["first", "meanwhile"]


async def test_one_stream_keeps_the_order_in_which_it_was_told(bench: Bench) -> None:
    for number in range(50):
        bench.facts.log(STREAM, [event(f"{number}")])
        if number % 10 == 9:
            await bench.facts.flush()
    assert [int(message) for _, _, message in await bench.messages()] == list(range(50))


async def test_a_deleted_group_comes_back_with_the_next_event(bench: Bench) -> None:
    bench.facts.log(STREAM, [event("before")])
    await bench.facts.flush()
    await bench.store.write(lambda tx: groups.delete(tx, groups.need(tx, STREAM.account, STREAM.region, STREAM.group)))
    bench.facts.log(STREAM, [event("after")])
    await bench.facts.flush()
    assert [message for _, _, message in await bench.messages()] == ["after"]


async def test_what_is_left_is_stored_at_the_end(tmp_path: Path) -> None:
    async with bench_in(tmp_path / "data") as bench:
        bench.facts.log(STREAM, [event("last words")])
    async with bench_in(tmp_path / "data") as bench:
        assert [message for _, _, message in await bench.messages()] == ["last words"]


async def test_an_overflow_drops_the_oldest_and_says_how_many(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "LOG_QUEUE_BYTES", 2000)
    door = Door(bench.store)
    facts = LogFacts(door, bench.clock)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for number in range(30):
            facts.log(STREAM if number < 15 else OTHER, [event(f"{number:0100d}"), event("second")])
    assert facts._queued_bytes <= 2000
    await facts.close()
    found = await bench.messages()
    kept = [int(message) for _, _, message in found if message.isdigit()]
    assert kept == list(range(kept[0], 30))
    told = {stream: message for _, stream, message in found if "dropped" in message}
    assert told == {
        "one": "30 events dropped: logs came faster than they could be stored",
        "two": f"{2 * (kept[0] - 15)} events dropped: logs came faster than they could be stored",
    }
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_failing_store_loses_nothing_and_its_reader_hears_of_it(bench: Bench) -> None:
    door = Door(bench.store)
    facts = LogFacts(door, bench.clock)  # type: ignore[arg-type]
    facts.log(STREAM, [event("a")])
    door.failures = 1
    reader = asyncio.get_running_loop().create_task(facts.flush())
    await settle()
    with pytest.raises(StoreError):
        await facts.run()
    with pytest.raises(StoreError):
        await reader
    facts.log(STREAM, [event("b")])
    await facts.close()
    assert [message for _, _, message in await bench.messages()] == ["a", "b"]


async def test_what_cannot_be_stored_at_all_does_not_stand_in_the_way(bench: Bench) -> None:
    facts = LogFacts(bench.store, bench.clock)
    facts.log(STREAM, [event("from the far future", 2**70)])
    with pytest.raises(OverflowError):
        await facts.close()
    facts.log(STREAM, [event("a")])
    await facts.close()
    assert [message for _, _, message in await bench.messages()] == ["a"]


async def test_a_reader_that_gives_up_takes_nothing_with_it(bench: Bench) -> None:
    bench.facts.log(STREAM, [event("a")])
    reader = asyncio.get_running_loop().create_task(bench.facts.flush())
    await asyncio.sleep(0)
    reader.cancel()
    bench.facts.log(STREAM, [event("b")])
    await bench.facts.flush()
    assert [message for _, _, message in await bench.messages()] == ["a", "b"]


async def test_telling_goes_on_while_the_store_is_slow(bench: Bench) -> None:
    door = Door(bench.store)
    facts = LogFacts(door, bench.clock)  # type: ignore[arg-type]
    worker = asyncio.get_running_loop().create_task(facts.run())
    door.open.clear()
    facts.log(STREAM, [event("a")])
    first = asyncio.get_running_loop().create_task(facts.flush())
    await settle()
    facts.log(STREAM, [event("b")])
    assert not first.done()
    door.open.set()
    await first
    await facts.flush()
    worker.cancel()
    assert [message for _, _, message in await bench.messages()] == ["a", "b"]


def test_telling_needs_neither_a_worker_nor_a_wait() -> None:
    async def tell() -> int:
        facts = LogFacts(None, VirtualClock())  # type: ignore[arg-type]
        facts.log(STREAM, [event("a")])
        return len(facts._queue)

    assert asyncio.run(tell()) == 1
