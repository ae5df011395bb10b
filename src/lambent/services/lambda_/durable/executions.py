"""Durable executions as they change, and who waits for that."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import durable as durable_errors
from lambent.services.lambda_.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.records.durable import Operation
    from lambent.store.api import Store, Transaction

T = TypeVar("T")


class Executions:
    """Changes executions, and wakes the driver and whoever waits for an end."""

    def __init__(self, store: Store, supervisor: Supervisor, clock: Clock) -> None:
        self._store = store
        self._supervisor = supervisor
        self._clock = clock
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.changed = asyncio.Event()
        """Set by every change; the driver's to clear."""
        self.left = asyncio.Event()
        """Set where executions are to be removed; the sweeper's to clear."""

    async def change(self, execution_id: str, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which changes that execution, and return its result once it is durable.

        A caller who goes away in the middle does not keep others from hearing of it.
        """
        task: asyncio.Task[T | AwsError]
        task = self._supervisor.start(f"durable execution {execution_id}", self._change(execution_id, work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    def tell(self, execution_id: str) -> None:
        """Have whoever waits for this one look at it."""
        for event in self._waiting.get(execution_id, ()):
            event.set()
        self.changed.set()

    def tell_all(self) -> None:
        """Have the driver and the sweeper look, and whoever waits: a function is gone."""
        self.changed.set()
        self.left.set()
        for execution_id in self._waiting:
            self.tell(execution_id)

    async def ended(self, execution_id: str) -> Operation:
        """The first operation of an execution, once that has ended. Raises AWS's errors where it goes away before, or
        takes too long."""
        event = asyncio.Event()
        self._waiting[execution_id].add(event)
        try:
            async with deadline(self._clock, limits.DURABLE_SYNC_S):
                return await self._end(execution_id, event)
        except TimeoutError as error:
            raise durable_errors.invocation_unanswered() from error
        finally:
            self._waiting[execution_id].discard(event)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    async def _end(self, execution_id: str, event: asyncio.Event) -> Operation:
        while True:
            event.clear()
            root = await self._store.read(lambda tx: _ended(tx, execution_id))
            if root is not None:
                return root
            await event.wait()

    async def _change(self, execution_id: str, work: Callable[[Transaction], T]) -> T | AwsError:
        try:
            return await self._store.write(work)
        except AwsError as refusal:
            return refusal
        finally:
            self.tell(execution_id)


def _ended(tx: Transaction, execution_id: str) -> Operation | None:
    """The first operation, which may be large, of an execution that has ended. Raises AWS's error where it is gone."""
    execution = durable.find(tx, execution_id)
    if execution is None:
        raise durable_errors.not_found()
    return None if execution.ending is None else durable.operation(tx, execution_id, execution_id)
