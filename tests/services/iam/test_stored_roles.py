"""Roles as other services find them: from memory where nothing has changed, and never as they were before a change."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import SystemClock
from lambent.kernel.tasks import Supervisor
from lambent.services.iam import store
from lambent.services.iam.records import Role
from lambent.services.iam.roles import StoredRoles
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import TypeVar

    from lambent.store.api import Transaction

    T = TypeVar("T")

ACCOUNT = "000000000000"


class SlowStore:
    """The real store, whose reads and writes wait, once they have happened, where a test says so."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.has_happened = asyncio.Event()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self.reads += 1
        return await self._answered(await self._store.read(work))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return await self._answered(await self._store.write(work))

    async def _answered(self, result: T) -> T:
        may_answer = self.may_answer
        self.has_happened.set()
        await may_answer.wait()
        return result

    def hold(self) -> asyncio.Event:
        """Keep back what is asked from now on until the event is set that is returned; until the next `hold`."""
        self.has_happened.clear()
        self.may_answer = asyncio.Event()
        return self.may_answer


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[SlowStore]:
    opened = await SqliteStore.open(tmp_path, {"iam": files("lambent.services.iam") / "schema"})
    yield SlowStore(opened)
    await opened.close()


@pytest.fixture
async def roles(slow: SlowStore) -> AsyncIterator[StoredRoles]:
    supervisor = Supervisor(SystemClock())
    yield StoredRoles(slow, supervisor)  # type: ignore[arg-type]  # nothing is sent from here
    await supervisor.stop()


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def role(name: str, role_id: str) -> Role:
    return Role(account=ACCOUNT, name=name, path="/", role_id=role_id, created_s=0, trust_policy="{}")


async def create(roles: StoredRoles, name: str, role_id: str) -> None:
    assert await roles.change(lambda tx: store.insert_role(tx, role(name, role_id)))


async def remove(roles: StoredRoles, name: str) -> None:
    await roles.change(lambda tx: store.delete_role(tx, role(name, "")))


async def found(roles: StoredRoles, name: str) -> str | None:
    role = await roles.find(arn(name))
    return None if role is None else role.role_id


async def test_a_role_is_read_once(roles: StoredRoles, slow: SlowStore) -> None:
    await create(roles, "r", "AROA1")
    assert [await found(roles, "r") for _ in range(3)] == ["AROA1"] * 3
    assert [await found(roles, "s") for _ in range(3)] == [None] * 3
    assert slow.reads == 2


async def test_a_change_is_seen_at_once(roles: StoredRoles) -> None:
    assert await found(roles, "r") is None
    await create(roles, "r", "AROA1")
    assert await found(roles, "r") == "AROA1"
    await remove(roles, "r")
    await create(roles, "r", "AROA2")
    assert await found(roles, "r") == "AROA2"


async def test_a_slow_read_does_not_bring_back_what_a_change_replaced(roles: StoredRoles, slow: SlowStore) -> None:
    await create(roles, "r", "AROA1")
    may_answer = slow.hold()
    late = asyncio.create_task(found(roles, "r"))
    await slow.has_happened.wait()
    slow.hold().set()
    await remove(roles, "r")
    may_answer.set()
    assert await late == "AROA1"
    assert await found(roles, "r") is None


async def test_nothing_is_kept_while_a_change_is_under_way(roles: StoredRoles, slow: SlowStore) -> None:
    await create(roles, "r", "AROA1")
    may_answer = slow.hold()
    change = asyncio.create_task(remove(roles, "r"))
    await slow.has_happened.wait()
    slow.hold().set()
    assert await found(roles, "r") is None
    reads = slow.reads
    assert await found(roles, "r") is None
    assert slow.reads == reads + 1
    may_answer.set()
    await change


async def test_a_change_whose_caller_has_gone_away_counts_until_it_has_ended(
    roles: StoredRoles, slow: SlowStore
) -> None:
    await create(roles, "r", "AROA1")
    may_answer = slow.hold()
    change = asyncio.create_task(remove(roles, "r"))
    await slow.has_happened.wait()
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    slow.hold().set()
    await found(roles, "r")
    reads = slow.reads
    await found(roles, "r")
    assert slow.reads == reads + 1
    may_answer.set()


async def test_the_memory_is_bounded(roles: StoredRoles, slow: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROLES_CACHED", 2)
    for name in "abc":
        await found(roles, name)
    reads = slow.reads
    await found(roles, "c")
    assert slow.reads == reads
    await found(roles, "a")
    assert slow.reads == reads + 1
