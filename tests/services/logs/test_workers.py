"""The sweeper: what has expired or was deleted is really gone, in small steps, and the bytes are counted right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.facts import LogEvent, LogStream
from lambent.services.logs.rules.retention import DAY_MS
from lambent.services.logs.store import groups, streams
from tests.services.logs.conftest import bench_in

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from lambent.services.logs.records import Group
    from tests.services.logs.conftest import Bench

ACCOUNT, REGION = "000000000000", "us-east-1"


async def tell(bench: Bench, group: str, stream: str, ages_ms: list[int]) -> None:
    for age in ages_ms:
        bench.facts.log(LogStream(ACCOUNT, REGION, group, stream), [LogEvent(bench.now_ms - age, "0123456789")])
        await bench.facts.flush()


async def group_of(bench: Bench, name: str) -> Group:
    return await bench.store.read(lambda tx: groups.need(tx, ACCOUNT, REGION, name))


async def test_expired_events_are_deleted_and_no_longer_counted(bench: Bench) -> None:
    await tell(bench, "g", "s", [3 * DAY_MS, 2 * DAY_MS, DAY_MS // 2, 0])
    await tell(bench, "keeps", "s", [3 * DAY_MS])
    group = await group_of(bench, "g")
    assert group.size == 4 * 36
    await bench.store.write(lambda tx: groups.set_retention(tx, group, 1))
    await bench.sweeper.sweep()
    assert await bench.count("logs_chunk") == 3
    assert (await group_of(bench, "g")).size == 2 * 36
    assert (await group_of(bench, "keeps")).size == 36
    stream = await bench.store.read(lambda tx: streams.need(tx, group.id, "s"))
    assert stream.size == 2 * 36


async def test_events_expire_as_time_passes(bench: Bench) -> None:
    await tell(bench, "g", "s", [0])
    group = await group_of(bench, "g")
    await bench.store.write(lambda tx: groups.set_retention(tx, group, 1))
    await bench.clock.advance(DAY_MS / 1000 - limits.LOG_SWEEP_S)
    await bench.sweeper.sweep()
    assert await bench.count("logs_chunk") == 1
    await bench.clock.advance(limits.LOG_SWEEP_S + 1)
    await bench.sweeper.sweep()
    assert await bench.count("logs_chunk") == 0


async def test_a_deleted_groups_rows_are_cleared_in_steps(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_SWEEP_CHUNKS", 3)
    for number in range(5):
        await tell(bench, "g", f"s{number}", [0, 0])
    await tell(bench, "other", "s", [0])
    group = await group_of(bench, "g")
    await bench.store.write(lambda tx: groups.delete(tx, group))
    assert await bench.count("logs_chunk") == 11
    await bench.sweeper.sweep()
    assert [await bench.count(table) for table in ("logs_chunk", "logs_stream", "logs_deleted")] == [1, 1, 0]


async def test_a_deleted_streams_bytes_leave_its_group_once(bench: Bench) -> None:
    await tell(bench, "g", "gone", [2 * DAY_MS, 0])
    await tell(bench, "g", "stays", [2 * DAY_MS, 0])
    group = await group_of(bench, "g")
    await bench.store.write(lambda tx: streams.delete(tx, streams.need(tx, group.id, "gone")))
    assert (await group_of(bench, "g")).size == 2 * 36
    await bench.store.write(lambda tx: groups.set_retention(tx, group, 1))
    await bench.sweeper.sweep()
    assert (await group_of(bench, "g")).size == 36
    assert await bench.count("logs_chunk") == 1


async def test_bytes_of_a_deleted_stream_that_expire_first_are_not_counted_twice(bench: Bench) -> None:
    await tell(bench, "g", "gone", [2 * DAY_MS])
    await tell(bench, "g", "stays", [0])
    group = await group_of(bench, "g")

    def work(tx: object) -> None:
        streams.delete(tx, streams.need(tx, group.id, "gone"))  # type: ignore[arg-type]
        from lambent.services.logs.store import chunks

        chunks.expire(tx, group.id, bench.now_ms - DAY_MS)  # type: ignore[arg-type]

    await bench.store.write(work)
    assert (await group_of(bench, "g")).size == 36


async def test_what_an_earlier_server_deleted_is_cleared_by_the_next(tmp_path: Path) -> None:
    async with bench_in(tmp_path / "data") as bench:
        await tell(bench, "g", "s", [0])
        group = await group_of(bench, "g")
        await bench.store.write(lambda tx: groups.delete(tx, group))
    async with bench_in(tmp_path / "data") as bench:
        await bench.sweeper.sweep()
        assert await bench.count("logs_chunk") == 0
