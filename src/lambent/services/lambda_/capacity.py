"""Tells the engine what is reserved, wanted ready and on managed instances: what the store has, in its order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.squad import Bounds
from lambent.kernel import limits
from lambent.services.lambda_ import provisions
from lambent.services.lambda_.rules import capacity_providers as rules
from lambent.services.lambda_.store import capacity_providers, concurrency, scaling

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.services.lambda_.engine import Engine
    from lambent.services.lambda_.records import FunctionKey, Version
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
        self._provisioned: dict[FunctionKey, list[_Wanted]] = {}
        self._fielded: dict[FunctionKey, list[tuple[FunctionVersion, Bounds]]] = {}

    async def restore(self) -> None:
        """Tell the engine what is stored of every function."""
        for key in await self._store.read(lambda tx: {*concurrency.keys(tx), *capacity_providers.functions(tx)}):
            await self.tell(key)

    async def tell(self, key: FunctionKey) -> None:
        """Tell the engine what has changed for `key`."""
        async with self._telling:
            reserved, wanted, fielded = await self._store.read(
                lambda tx: (concurrency.reserved(tx, key), _wanted(tx, key), _fielded(tx, key))
            )
            self._reserve(key, reserved)
            self._provision(key, wanted)
            self._field(key, fielded)

    def _reserve(self, key: FunctionKey, executions: int | None) -> None:
        if executions == self._reserved.get(key):
            return
        self._engine.reserve(key.arn(), executions)
        if executions is None:
            del self._reserved[key]
        else:
            self._reserved[key] = executions

    def _provision(self, key: FunctionKey, wanted: list[_Wanted]) -> None:
        """What is new comes first, so that an alias that moves is never without. What is asked for again is told again:
        that is how a caller has the engine try at once what has failed."""
        told = self._provisioned.pop(key, [])
        if wanted:
            self._provisioned[key] = wanted
        for one in wanted:
            if one not in told:
                self._engine.provision(one.version, one.count)
        kept = {one.version.version for one in wanted}
        for one in told:
            if one.version.version not in kept:
                self._engine.deprovision(one.version)

    def _field(self, key: FunctionKey, fielded: list[tuple[FunctionVersion, Bounds]]) -> None:
        """What takes the place of a version of the same name sends that away by itself."""
        told = self._fielded.pop(key, [])
        if fielded:
            self._fielded[key] = fielded
        for version, bounds in fielded:
            if (version, bounds) not in told:
                self._engine.field(version, bounds)
        kept = {version.version for version, _ in fielded}
        for version, _ in told:
            if version.version not in kept:
                self._engine.withdraw(version)


class _Wanted(msgspec.Struct, frozen=True):
    """Environments that are to be ready of a version, and when that was asked for."""

    version: FunctionVersion
    count: int
    modified_ms: int


def _wanted(tx: Transaction, key: FunctionKey) -> list[_Wanted]:
    return [
        _Wanted(version, count, config.modified_ms)
        for config in concurrency.provisions(tx, key)
        for version, count in provisions.runnable(tx, config)
    ]


def _fielded(tx: Transaction, key: FunctionKey) -> list[tuple[FunctionVersion, Bounds]]:
    """The versions on managed instances, but for those that cannot be initialised."""
    found = capacity_providers.versions_of(tx, key)
    return [(version.version(), _bounds(tx, version)) for version in found if version.state != "Failed"]


def _bounds(tx: Transaction, version: Version) -> Bounds:
    wanted = scaling.find(tx, version.key, version.number)
    provider = capacity_providers.find(tx, rules.of_arn(version.configuration.provider_arn))
    assert provider is not None, "a capacity provider stays while a version is on it"
    return Bounds(
        least=limits.MANAGED_ENVIRONMENTS_LEAST if wanted is None else wanted.least,
        most=limits.MANAGED_ENVIRONMENTS_MOST if wanted is None else wanted.most,
        provider_vcpus=provider.scaling.most_vcpus,
    )
