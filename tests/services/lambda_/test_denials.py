"""The functions whose policies deny something, while several changes of one are told."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lambent.services.lambda_.access.denials import Denials
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.store import permissions
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = FunctionKey("000000000000", "us-east-1", "f")
DENIAL = json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*"}})


class SlowStore:
    """The real store, whose first read is slow to answer."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads = 0
        self.has_read = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def read(self, work: Callable[..., Any]) -> Any:
        self.reads += 1
        first = self.reads == 1
        result = await self._store.read(work)
        if first:
            self.has_read.set()
            await self.may_answer.wait()
        return result


async def test_what_was_read_before_a_denial_does_not_undo_it(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path, {"lambda": files("lambent.services.lambda_") / "schema"})
    slow = SlowStore(store)
    denials = Denials(slow)  # type: ignore[arg-type]  # it only reads
    earlier = asyncio.create_task(denials.tell(KEY))
    await slow.has_read.wait()
    await store.write(lambda tx: permissions.put(tx, KEY, None, DENIAL))
    later = asyncio.create_task(denials.tell(KEY))
    await asyncio.sleep(0)  # a turn, in which it reads unless it waits for the earlier one
    if slow.reads == 2:
        await later
    slow.may_answer.set()
    await asyncio.gather(earlier, later)
    assert KEY in denials.functions
    await store.close()
