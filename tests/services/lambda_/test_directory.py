"""The directory: what it keeps in memory is never older than what anybody has been told."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
import pytest

from lambent.kernel import limits
from lambent.kernel.clock import SystemClock
from lambent.kernel.errors import AwsError
from lambent.kernel.tasks import Supervisor
from lambent.services.lambda_ import errors
from lambent.services.lambda_.directory import Directory
from lambent.services.lambda_.records import (
    LATEST,
    Alias,
    Function,
    FunctionKey,
    settled,
    updating,
)
from lambent.services.lambda_.records.configuration import Configuration, CustomerRuntime, Logging
from lambent.services.lambda_.store import aliases, permissions
from lambent.services.lambda_.store import functions as store
from lambent.store.blobs import Blobs
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import TypeVar

    from lambent.store.api import Transaction

    T = TypeVar("T")

KEY = FunctionKey("000000000000", "us-east-1", "f")


class SlowStore:
    """The real store, whose reads and writes wait where a test says so, before and after they happen."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.before_read = asyncio.Event()
        self.after_read = asyncio.Event()
        self.after_write = asyncio.Event()
        self.reads = 0
        self.has_read = asyncio.Event()
        self.has_written = asyncio.Event()
        self.open()

    def open(self) -> None:
        for gate in (self.before_read, self.after_read, self.after_write):
            gate.set()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self.reads += 1
        await self.before_read.wait()
        result = await self._store.read(work)
        self.has_read.set()
        await self.after_read.wait()
        return result

    async def write(self, work: Callable[[Transaction], T]) -> T:
        result = await self._store.write(work)
        self.has_written.set()
        await self.after_write.wait()
        return result


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[SlowStore]:
    opened = await SqliteStore.open(tmp_path, {"lambda": files("lambent.services.lambda_") / "schema"})
    yield SlowStore(opened)
    await opened.close()


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    made = Supervisor(SystemClock())
    yield made
    await made.stop()


@pytest.fixture
def directory(slow: SlowStore, supervisor: Supervisor, tmp_path: Path) -> Directory:
    async def nobody_is_told(key: FunctionKey) -> None:
        """Nothing is reserved or provisioned here."""

    return Directory(slow, Blobs(tmp_path), supervisor, nobody_is_told)


def function(name: str = KEY.name, revision: str = "one") -> Function:
    held = Configuration(
        revision=revision,
        code_sha256="ab" * 32,
        code_size=1,
        runtime="python3.11",
        handler="index.handler",
        role="arn:aws:iam::000000000000:role/r",
        logging=Logging(group=f"/aws/lambda/{name}"),
    )
    new = Function(
        account=KEY.account, region=KEY.region, name=name, configuration=held, revision_id="1", modified_ms=0
    )
    return settled(new, "2")


async def create(directory: Directory, new: Function) -> None:
    assert await directory.change(new.key, lambda tx: store.insert(tx, new))


async def update(directory: Directory, revision: str) -> None:
    """Accept and complete a change in one step."""

    def work(tx: Transaction) -> None:
        old = store.find(tx, KEY)
        assert old is not None
        new = msgspec.structs.replace(old.configuration, revision=revision)
        store.update(tx, msgspec.structs.replace(old, configuration=new))

    await directory.change(KEY, work)


def revision(directory: Directory) -> str | None:
    kept = directory.known(KEY, LATEST)
    return None if kept is None else kept.version.revision


async def look(directory: Directory, name: str = KEY.name) -> str | None:
    """The revision that invocations run, as the store has it."""
    route = await directory.route(FunctionKey(KEY.account, KEY.region, name), LATEST)
    return None if route is None else route.version.revision


async def test_what_was_found_is_kept(directory: Directory, slow: SlowStore) -> None:
    await create(directory, function())
    assert revision(directory) is None
    await look(directory)
    reads = slow.reads
    assert revision(directory) == "one"
    assert slow.reads == reads


async def test_what_is_not_there_is_not_kept(directory: Directory) -> None:
    with pytest.raises(AwsError, match="Function not found"):
        await look(directory)
    await create(directory, function())
    assert await directory.find(KEY) == function()
    assert await look(directory) == "one"


async def test_a_function_that_is_being_created_is_not_kept(directory: Directory) -> None:
    await create(directory, msgspec.structs.replace(function(), state="Pending", update=None))
    await look(directory)
    assert revision(directory) is None


async def test_a_change_is_seen_at_once(directory: Directory) -> None:
    await create(directory, function())
    await look(directory)
    await update(directory, "two")
    assert revision(directory) is None
    await look(directory)
    assert revision(directory) == "two"


async def test_a_slow_read_does_not_bring_back_what_a_change_replaced(directory: Directory, slow: SlowStore) -> None:
    await create(directory, function())
    slow.after_read.clear()
    slow.has_read.clear()
    read = asyncio.ensure_future(look(directory))
    await slow.has_read.wait()
    change = asyncio.ensure_future(update(directory, "two"))
    await change
    slow.after_read.set()
    assert await read == "one"
    assert revision(directory) is None


POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


async def test_policies_are_kept_and_never_older_than_a_change(directory: Directory, slow: SlowStore) -> None:
    await directory.change(KEY, lambda tx: permissions.put(tx, KEY, None, POLICY))
    assert [one.effect for one in (await directory.policies(KEY))[""]] == ["Allow"]
    reads = slow.reads
    assert "" in await directory.policies(KEY)
    assert slow.reads == reads
    await directory.change(KEY, lambda tx: permissions.put(tx, KEY, "live", POLICY))
    slow.after_read.clear()
    slow.has_read.clear()
    late = asyncio.create_task(directory.policies(KEY))
    await slow.has_read.wait()
    await directory.change(KEY, lambda tx: permissions.delete_all(tx, KEY))
    slow.open()
    assert set(await late) == {"", "live"}
    assert await directory.policies(KEY) == {}


async def test_the_memory_for_policies_is_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FUNCTIONS_CACHED", 2)
    for name in "abcd":
        await directory.policies(FunctionKey(KEY.account, KEY.region, name))
    assert len(directory._policies) == 2


async def test_nothing_is_kept_while_a_change_is_under_way(directory: Directory, slow: SlowStore) -> None:
    await create(directory, function())
    await look(directory)
    slow.after_write.clear()
    slow.has_written.clear()
    change = asyncio.ensure_future(update(directory, "two"))
    await slow.has_written.wait()
    assert revision(directory) is None
    assert await look(directory) == "two"
    assert revision(directory) is None
    slow.after_write.set()
    await change
    await look(directory)
    assert revision(directory) == "two"


async def test_a_read_from_before_a_change_that_has_not_ended_is_not_kept(
    directory: Directory, slow: SlowStore
) -> None:
    await create(directory, function())
    slow.after_read.clear()
    slow.after_write.clear()
    slow.has_read.clear()
    slow.has_written.clear()
    read = asyncio.ensure_future(look(directory))
    await slow.has_read.wait()
    change = asyncio.ensure_future(update(directory, "two"))
    await slow.has_written.wait()
    slow.after_read.set()
    await read
    assert revision(directory) is None
    slow.after_write.set()
    await change


async def test_a_caller_who_goes_away_does_not_leave_a_change_half_way(directory: Directory, slow: SlowStore) -> None:
    await create(directory, function())
    await look(directory)
    changed = directory.watch()
    slow.after_write.clear()
    slow.has_written.clear()
    change = asyncio.ensure_future(update(directory, "two"))
    await slow.has_written.wait()
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    slow.after_write.set()
    await changed.wait()
    await look(directory)
    assert revision(directory) == "two"


async def test_a_refused_change_is_its_callers_error(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    def work(tx: Transaction) -> None:
        raise errors.not_found(KEY)

    with pytest.raises(AwsError, match="Function not found"):
        await directory.change(KEY, work)
    assert not caplog.records


async def test_an_update_serves_the_old_configuration_until_it_is_settled(directory: Directory) -> None:
    await create(directory, function())
    new = msgspec.structs.replace(function().configuration, revision="two")
    await directory.change(KEY, lambda tx: store.update(tx, updating(function(), new, "3", 5)))
    await look(directory)
    assert revision(directory) == "one"
    awaited = directory.next_settlement
    done = await directory.settle(10, lambda old: settled(old, "4"), lambda: "v")
    assert [one.revision_id for one in done] == ["4"]
    assert awaited.is_set()
    assert revision(directory) == "two"
    assert await look(directory) == "two"
    assert await directory.settle(10, lambda old: settled(old, "5"), lambda: "v") == []


def pending(**changes: object) -> Function:
    return msgspec.structs.replace(function(), **{"state": "Pending", "update": None} | changes)


async def test_the_first_invocation_of_a_function_that_was_settled_reads_nothing(
    directory: Directory, slow: SlowStore
) -> None:
    await create(directory, pending())
    await directory.settle(10, lambda old: settled(old, "4"), lambda: "v")
    reads = slow.reads
    assert revision(directory) == "one"
    assert slow.reads == reads


async def test_of_what_cannot_be_run_nothing_is_kept(directory: Directory) -> None:
    custom = msgspec.structs.replace(
        function().configuration, customer_runtime=CustomerRuntime(arn="arn:aws:lambda:x", alias="x")
    )
    await create(directory, pending(configuration=custom))
    await directory.settle(10, lambda old: settled(old, "4"), lambda: "v")
    assert revision(directory) is None


@pytest.mark.parametrize("ends_first", [True, False], ids=["ends-first", "is-under-way"])
async def test_a_change_beside_a_settlement_is_never_hidden_by_it(
    directory: Directory, slow: SlowStore, ends_first: bool
) -> None:
    await create(directory, pending())
    slow.after_write.clear()
    slow.has_written.clear()
    settling = asyncio.ensure_future(directory.settle(10, lambda old: settled(old, "4"), lambda: "v"))
    await slow.has_written.wait()
    held, slow.after_write = slow.after_write, asyncio.Event()
    if ends_first:
        slow.after_write.set()
    slow.has_written.clear()
    change = asyncio.ensure_future(update(directory, "two"))
    await slow.has_written.wait()
    if ends_first:
        await change
    held.set()
    await settling
    assert revision(directory) is None
    slow.after_write.set()
    await change
    assert await look(directory) == revision(directory) == "two"
    assert not (directory._changing or directory._reading)


async def test_what_invocations_use_does_not_make_room_for_what_they_may_never_use(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FUNCTIONS_CACHED", 1)
    await create(directory, function("g"))
    await look(directory, "g")
    await create(directory, pending())
    await directory.settle(10, lambda old: settled(old, "4"), lambda: "v")
    assert revision(directory) is None
    assert directory.known(function("g").key, LATEST) is not None


async def test_a_function_that_was_deleted_meanwhile_is_not_settled(directory: Directory, slow: SlowStore) -> None:
    await create(directory, msgspec.structs.replace(function(), state="Pending", update=None))
    slow.after_read.clear()
    slow.has_read.clear()
    settling = asyncio.ensure_future(directory.settle(10, lambda old: settled(old, "4"), lambda: "v"))
    await slow.has_read.wait()
    await directory.change(KEY, lambda tx: store.delete(tx, KEY))
    slow.after_read.set()
    assert await settling == []
    assert await directory.find(KEY) is None


async def test_the_memory_is_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FUNCTIONS_CACHED", 3)
    for number in range(5):
        new = function(f"f{number}")
        await create(directory, new)
        await look(directory, new.key.name)
    kept = [directory.known(function(f"f{number}").key, LATEST) is not None for number in range(5)]
    assert kept == [False, False, True, True, True]


async def test_changes_and_reads_at_once_never_leave_an_old_function(directory: Directory) -> None:
    await create(directory, function())

    async def reader() -> None:
        for _ in range(50):
            await look(directory)

    async def writer(name: str) -> None:
        for number in range(10):
            await update(directory, f"{name}{number}")

    await asyncio.gather(*(reader() for _ in range(8)), *(writer(name) for name in "abc"))
    stored = await look(directory)
    assert stored is not None
    assert revision(directory) == stored


async def test_the_memory_of_one_function_is_bounded(
    directory: Directory, slow: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROUTES_CACHED", 2)
    await create(directory, function())
    for name in "abc":
        alias = Alias(
            account=KEY.account, region=KEY.region, function=KEY.name, name=name, version=LATEST, revision_id="1"
        )
        await directory.change(KEY, lambda tx, alias=alias: aliases.insert(tx, alias))
    for name in "abc":
        await directory.route(KEY, name)
    assert [directory.known(KEY, name) is not None for name in "abc"] == [False, True, True]
    await update(directory, "two")
    assert [directory.known(KEY, name) for name in "abc"] == [None, None, None]


async def test_who_is_to_know_of_a_change_knows_before_its_answer(
    slow: SlowStore, supervisor: Supervisor, tmp_path: Path
) -> None:
    told: list[FunctionKey] = []

    async def tell(key: FunctionKey) -> None:
        told.append(key)

    directory = Directory(slow, Blobs(tmp_path), supervisor, tell)
    await create(directory, function())
    assert told == [KEY]
