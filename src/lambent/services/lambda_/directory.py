"""The functions as the rest of the service sees them: every change goes to the store, warm reads stay in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import store as sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambent.compute.function import FunctionVersion
    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.records import Function, FunctionKey
    from lambent.store.api import Store, Transaction
    from lambent.store.blobs import Blobs

T = TypeVar("T")


class Directory:
    """Reads and changes functions, and keeps in memory what invocations of them run.

    While a change of a function is under way nothing about it is kept, so everybody sees what the store has: the old
    function or the new one. What a read finds is kept only when no change of its function was under way at any
    moment of the read, so no slow read brings back what a change has replaced.
    """

    def __init__(self, store: Store, blobs: Blobs, supervisor: Supervisor) -> None:
        self._store = store
        self._blobs = blobs
        self._supervisor = supervisor
        self._running: dict[FunctionKey, FunctionVersion] = {}
        self._reading: dict[FunctionKey, object] = {}
        self._changing: Counter[FunctionKey] = Counter()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()

    def running(self, key: FunctionKey) -> FunctionVersion | None:
        """What invocations of `key` run, if it is in memory."""
        return self._running.get(key)

    async def find(self, key: FunctionKey) -> Function | None:
        """The function as it stands in the store."""
        ticket = self._reading[key] = object()
        try:
            function = await self._store.read(lambda tx: sql.find(tx, key))
        finally:
            undisturbed = self._reading.get(key) is ticket
            if undisturbed:
                del self._reading[key]
        if undisturbed and not self._changing[key] and function is not None and function.state == "Active":
            self._remember(key, function.version())
        return function

    async def page(self, account: str, region: str, after: str, count: int) -> list[Function]:
        """Up to `count` functions whose names follow `after`, by name."""
        return await self._store.read(lambda tx: sql.page(tx, account, region, after, count))

    async def change(self, key: FunctionKey, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which changes `key`, and return its result once it is durable.

        A caller who goes away in the middle does not leave a change half way: it goes on to its end.
        """
        task: asyncio.Task[T | AwsError]
        task = self._supervisor.start(f"change {key.arn()}", self._change(key, work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    async def settle(self, count: int, complete: Callable[[Function], Function]) -> list[Function]:
        """Replace up to `count` functions whose creation or update is not complete by what `complete` makes of them,
        and wake who waits for that. Returns them."""
        waiting = await self._store.read(lambda tx: sql.unsettled(tx, count))
        if not waiting:
            return []
        steps = [(function, complete(function)) for function in waiting]

        def work(tx: Transaction) -> list[Function]:
            done = [(old, new) for old, new in steps if sql.find(tx, old.key) == old]
            for old, new in done:
                sql.update(tx, new)
                self._let_go(old, new)
            return [new for _, new in done]

        with self._unkept(*(function.key for function in waiting)):
            done = await self._store.write(work)
        self._settled.set()
        self._settled = asyncio.Event()
        return done

    @property
    def next_settlement(self) -> asyncio.Event:
        """Set when creations or updates are next completed; take it before looking whether there is need to wait."""
        return self._settled

    async def changes(self) -> None:
        """Return when something has changed since the last call."""
        await self._changed.wait()
        self._changed.clear()

    async def _change(self, key: FunctionKey, work: Callable[[Transaction], T]) -> T | AwsError:
        def watched(tx: Transaction) -> T:
            before = sql.find(tx, key)
            result = work(tx)
            if before is not None:
                self._let_go(before, sql.find(tx, key))
            return result

        try:
            with self._unkept(key):
                return await self._store.write(watched)
        except AwsError as refusal:
            return refusal
        finally:
            self._changed.set()

    def _let_go(self, old: Function, new: Function | None) -> None:
        """The packages that `new` does not need any more may still be in use: from here on they count as new. That is
        done before the change can be seen, so that neither a sweep nor a crash comes in between."""
        for digest in old.packages - (new.packages if new is not None else set()):
            self._blobs.touch(digest)

    @contextmanager
    def _unkept(self, *keys: FunctionKey) -> Iterator[None]:
        for key in keys:
            self._changing[key] += 1
            self._running.pop(key, None)
        try:
            yield
        finally:
            for key in keys:
                self._reading.pop(key, None)
                self._changing[key] -= 1
                if not self._changing[key]:
                    del self._changing[key]

    def _remember(self, key: FunctionKey, version: FunctionVersion) -> None:
        if len(self._running) >= limits.FUNCTIONS_CACHED:
            del self._running[next(iter(self._running))]
        self._running[key] = version
