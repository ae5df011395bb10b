"""The background loops of the Lambda service: they complete what was accepted and remove code that nobody refers to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.records import LATEST, activated, failed, settled
from lambent.services.lambda_.records import mappings as mapping_records
from lambent.services.lambda_.rules import states
from lambent.services.lambda_.store import capacity_providers, functions, layers, mappings, versions

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function, Version
    from lambent.store.api import Transaction


class Settler:
    """Completes creations and updates: after each change, and at the start those that a crash left behind."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changed = parts.directory.watch()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            while len(await self._settle()) == limits.FUNCTIONS_SETTLED:
                pass
            await self._changed.wait()

    async def _settle(self) -> list[Function]:
        parts = self._parts
        done = await parts.directory.settle(
            limits.FUNCTIONS_SETTLED, lambda function: settled(function, parts.ids.uuid()), parts.ids.uuid
        )
        for function in done:
            parts.engine.retire(function.key.arn(), LATEST, keep=function.configuration.revision)
        return done


class Initialiser:
    """Sees to the versions that are initialised before anybody can invoke them, after each change, and at the start to
    those that a crash left behind: it takes snapshots, a few at once, and waits for environments on managed instances.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changed = parts.directory.watch()
        self._free = asyncio.Semaphore(limits.SNAPSHOTS_AT_ONCE)
        self._under_way: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            for version in await self._parts.store.read(versions.every_pending):
                revision = version.configuration.revision
                if version.configuration.ahead and revision not in self._under_way:
                    self._under_way.add(revision)
                    self._parts.supervisor.start(
                        f"initialise {version.key.arn(version.label)}", self._complete(version)
                    )
            await self._changed.wait()

    async def _complete(self, version: Version) -> None:
        try:
            new = await self._initialised(version)
            await self._parts.directory.change(version.key, lambda tx: _replace(tx, version, new))
        finally:
            self._under_way.discard(version.configuration.revision)

    async def _initialised(self, version: Version) -> Version:
        revision_id = self._parts.ids.uuid()
        try:
            if version.configuration.instances is not None:
                # What has woken this may be the change of another function.
                await self._parts.capacity.tell(version.key)
                if not await self._parts.engine.complete(version.version()):
                    return version  # the server is stopping, or the version has gone
            else:
                async with self._free:
                    await self._parts.engine.snapshot(version.version())
        except AwsError as failure:
            return failed(version, failure.message, states.reason_code(failure.code), revision_id)
        return activated(version, revision_id)


class MappingSettler:
    """Completes what was asked of event source mappings: after each change, and at the start what a crash left."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._changed = parts.directory.watch()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            while await self._settle() == limits.MAPPINGS_SETTLED:
                pass
            await self._changed.wait()

    async def _settle(self) -> int:
        """How many were completed."""
        store, now = self._parts.store, self._parts.now_ms()
        if not await store.read(lambda tx: mappings.unsettled(tx, 1)):
            return 0

        def work(tx: Transaction) -> int:
            waiting = mappings.unsettled(tx, limits.MAPPINGS_SETTLED)
            for mapping in waiting:
                if mapping.state == "Deleting":
                    mappings.delete(tx, mapping)
                else:
                    mappings.update(tx, mapping_records.settled(mapping, now))
            return len(waiting)

        return await store.write(work)


class ProviderSettler:
    """Completes creations and deletions of capacity providers: after each change, and at the start those that a crash
    left behind.

    The instances that one stands for on AWS are this machine, so there is nothing to wait for: what is accepted is
    complete as soon as it is durable.
    """

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._changed = parts.capacity_providers.changed

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            while await self._store.read(lambda tx: capacity_providers.unsettled(tx, 1)):
                await self._store.write(_settle_providers)
            await self._changed.wait()


class CodeSweeper:
    """Removes deployment packages that no function, version or layer has referred to for a while. Their age counts from
    when they were stored, which is before anything refers to them, or from when the last change let go of them: what
    is under way with them then, an invocation or a link to them, ends well before their time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.sweep()
            await self._parts.clock.sleep(limits.CODE_SWEEP_S)

    async def sweep(self) -> None:
        """Remove what nobody refers to now and nobody has stored or let go of for CODE_UNUSED_S."""
        live = await self._parts.store.read(
            lambda tx: functions.packages(tx) | versions.packages(tx) | layers.packages(tx)
        )
        await self._parts.blobs.sweep(live, limits.CODE_UNUSED_S)
        await self._parts.engine.prune()


def _settle_providers(tx: Transaction) -> None:
    for provider in capacity_providers.unsettled(tx, limits.CAPACITY_PROVIDERS_SETTLED):
        if provider.state == "Deleting":
            capacity_providers.delete(tx, provider.key)
        else:
            capacity_providers.update(tx, msgspec.structs.replace(provider, state="Active"))


def _replace(tx: Transaction, old: Version, new: Version) -> None:
    """Nothing happens where the version was deleted meanwhile."""
    if versions.find(tx, old.key, old.number) == old:
        versions.update(tx, new)
