"""The functions as the rest of the service sees them: every change goes to the store, warm reads stay in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import access, limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import routes
from lambent.services.lambda_.records import LATEST, activated
from lambent.services.lambda_.store import functions, permissions, versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.records import Function, FunctionKey
    from lambent.services.lambda_.routes import Route
    from lambent.store.api import Store, Transaction
    from lambent.store.blobs import Blobs

T = TypeVar("T")

Policies = dict[str, tuple[access.Statement, ...]]
"""The statements of a function's policies by qualifier, those of its own by the empty one."""


class Directory:
    """Reads and changes functions with all that belongs to them, and keeps in memory what invocations of them run.

    While a change of a function is under way nothing about it is kept, so everybody sees what the store has: the old
    function or the new one. What a read finds is kept only when no change of its function was under way at any
    moment of the read, so no slow read brings back what a change has replaced. `changed` is awaited with the key
    of a function after each change of it and before the answer to that.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        supervisor: Supervisor,
        changed: Callable[[FunctionKey], Awaitable[None]],
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._supervisor = supervisor
        self._told = changed
        self._routes: dict[FunctionKey, dict[str, Route]] = {}
        self._policies: dict[FunctionKey, Policies] = {}
        self._reading: dict[FunctionKey, object] = {}
        self._changing: Counter[FunctionKey] = Counter()
        self._watchers: list[asyncio.Event] = []
        self._settled = asyncio.Event()

    def known(self, key: FunctionKey, qualifier: str) -> Route | None:
        """What invocations of `key` with `qualifier` run, if it is in memory."""
        routes_of_key = self._routes.get(key)
        return None if routes_of_key is None else routes_of_key.get(qualifier)

    async def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """What invocations of `key` with `qualifier` run, as it stands in the store. Raises as `routes.find` does."""
        route, lasting = await self._read(key, lambda tx: routes.find(tx, key, qualifier))
        if lasting and route is not None:
            self._remember(key, qualifier, route)
        return route

    async def policies(self, key: FunctionKey) -> Policies:
        """What the policies of the function, its versions and its aliases say, from memory where they are known."""
        known = self._policies.get(key)
        if known is not None:
            return known
        held, lasting = await self._read(key, lambda tx: permissions.of(tx, key))
        found = {qualifier: access.statements(document) for qualifier, document in held.items()}
        if lasting:
            if len(self._policies) >= limits.FUNCTIONS_CACHED:
                del self._policies[next(iter(self._policies))]
            self._policies[key] = found
        return found

    async def find(self, key: FunctionKey) -> Function | None:
        """The function as it stands in the store."""
        return await self._store.read(lambda tx: functions.find(tx, key))

    async def change(self, key: FunctionKey, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which changes `key` or what belongs to it, and return its result once it is durable.

        A caller who goes away in the middle does not leave a change half way: it goes on to its end.
        """
        task: asyncio.Task[T | AwsError]
        task = self._supervisor.start(f"change {key.arn()}", self._change(key, work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    async def settle(
        self, count: int, complete: Callable[[Function], Function], revision: Callable[[], str]
    ) -> list[Function]:
        """Replace up to `count` functions whose creation or update is not complete by what `complete` makes of them,
        activate the version that was published with it, if any, and wake who waits for that. Returns the functions.

        `revision` makes the version's next RevisionId.
        """
        waiting = await self._store.read(lambda tx: functions.unsettled(tx, count))
        if not waiting:
            return []
        steps = [(function, complete(function), revision()) for function in waiting]

        def work(tx: Transaction) -> list[Function]:
            done = [step for step in steps if functions.find(tx, step[0].key) == step[0]]
            for old, new, version_revision in done:
                functions.update(tx, new)
                self._let_go(old, new)
                _activate(tx, new.key, version_revision)
            return [new for _, new, _ in done]

        with self._unkept(*(function.key for function in waiting)):
            tickets = [(function.key, self._ticket(function.key)) for function in waiting]
            done = await self._store.write(work)
            unchanged = {
                key for key, ticket in tickets if self._reading.get(key) is ticket and self._changing[key] == 1
            }
        for function in done:
            if function.key in unchanged:
                self._expect(function)
        self._settled.set()
        self._settled = asyncio.Event()
        return done

    @property
    def next_settlement(self) -> asyncio.Event:
        """Set when creations or updates are next completed; take it before looking whether there is need to wait."""
        return self._settled

    def watch(self) -> asyncio.Event:
        """An event of the caller's own that each change sets. For workers, which are as many as there are."""
        watcher = asyncio.Event()
        self._watchers.append(watcher)
        return watcher

    async def _read(self, key: FunctionKey, work: Callable[[Transaction], T]) -> tuple[T, bool]:
        """What `work` reads of `key`, and whether it may be kept."""
        ticket = self._ticket(key)
        try:
            result = await self._store.read(work)
        finally:
            undisturbed = self._reading.get(key) is ticket
            if undisturbed:
                del self._reading[key]
        return result, undisturbed and not self._changing[key]

    def _ticket(self, key: FunctionKey) -> object:
        """What stands in `_reading` until a change of `key` ends, or the next one looks."""
        ticket = self._reading[key] = object()
        return ticket

    def _expect(self, function: Function) -> None:
        """Keep what the first invocation of a function that is now complete will ask for, where there is room."""
        route = routes.of_latest(function)
        if route is not None and len(self._routes) < limits.FUNCTIONS_CACHED:
            self._remember(function.key, LATEST, route)

    async def _change(self, key: FunctionKey, work: Callable[[Transaction], T]) -> T | AwsError:
        def watched(tx: Transaction) -> T:
            before = functions.find(tx, key)
            result = work(tx)
            if before is not None:
                self._let_go(before, functions.find(tx, key))
            return result

        try:
            with self._unkept(key):
                result = await self._store.write(watched)
            await self._told(key)
        except AwsError as refusal:
            return refusal
        finally:
            for watcher in self._watchers:
                watcher.set()
        return result

    def _let_go(self, old: Function, new: Function | None) -> None:
        """The packages that `new` does not need any more may still be in use: from here on they count as new. That is
        done before the change can be seen, so that neither a sweep nor a crash comes in between."""
        for digest in old.packages - (new.packages if new is not None else set()):
            self._blobs.touch(digest)

    @contextmanager
    def _unkept(self, *keys: FunctionKey) -> Iterator[None]:
        for key in keys:
            self._changing[key] += 1
            self._routes.pop(key, None)
            self._policies.pop(key, None)
        try:
            yield
        finally:
            for key in keys:
                self._reading.pop(key, None)
                self._changing[key] -= 1
                if not self._changing[key]:
                    del self._changing[key]

    def _remember(self, key: FunctionKey, qualifier: str, route: Route) -> None:
        if key not in self._routes and len(self._routes) >= limits.FUNCTIONS_CACHED:
            del self._routes[next(iter(self._routes))]
        kept = self._routes.setdefault(key, {})
        if len(kept) >= limits.ROUTES_CACHED:
            del kept[next(iter(kept))]
        kept[qualifier] = route


def _activate(tx: Transaction, key: FunctionKey, revision_id: str) -> None:
    """A version that was published with a creation or an update is complete with it, unless it is initialised first."""
    for version in versions.pending(tx, key):
        if not version.configuration.ahead:
            versions.update(tx, activated(version, revision_id))
