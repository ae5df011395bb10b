"""Tells the engine what is reserved and what is wanted ready: always what the store has, in the store's order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambent.services.lambda_ import provisions
from lambent.services.lambda_.store import concurrency

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.services.lambda_.parts import Engine
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Store, Transaction


class Capacity:
    """What the engine was told last, so that it is told only what has changed. Both may be forgotten: `restore` tells
    it all again."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        # Between reading and telling nobody else may tell, or what is older could come later.
        self._telling = asyncio.Lock()
        self._reserved: dict[FunctionKey, int] = {}
        self._provisioned: dict[FunctionKey, list[tuple[FunctionVersion, int]]] = {}

    async def restore(self) -> None:
        """Tell the engine what is stored of every function."""
        for key in await self._store.read(concurrency.keys):
            await self.tell(key)

    async def tell(self, key: FunctionKey) -> None:
        """Tell the engine what has changed for `key`."""
        async with self._telling:
            reserved, wanted = await self._store.read(lambda tx: (concurrency.reserved(tx, key), _wanted(tx, key)))
            self._reserve(key, reserved)
            self._provision(key, wanted)

    def _reserve(self, key: FunctionKey, executions: int | None) -> None:
        if executions == self._reserved.get(key):
            return
        self._engine.reserve(key.arn(), executions)
        if executions is None:
            del self._reserved[key]
        else:
            self._reserved[key] = executions

    def _provision(self, key: FunctionKey, wanted: list[tuple[FunctionVersion, int]]) -> None:
        """What is new comes first, so that an alias that moves is never without."""
        told = self._provisioned.pop(key, [])
        if wanted:
            self._provisioned[key] = wanted
        for version, count in wanted:
            if (version, count) not in told:
                self._engine.provision(version, count)
        kept = {version.revision for version, _ in wanted}
        for version, _ in told:
            if version.revision not in kept:
                self._engine.deprovision(version)


def _wanted(tx: Transaction, key: FunctionKey) -> list[tuple[FunctionVersion, int]]:
    return [one for config in concurrency.provisions(tx, key) for one in provisions.runnable(tx, config)]
