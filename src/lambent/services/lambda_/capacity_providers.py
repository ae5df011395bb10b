"""The capacity providers as the rest of the service sees them: how they change, and who may be on one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import capacity_providers as refused
from lambent.services.lambda_.rules import capacity_providers as rules
from lambent.services.lambda_.store import capacity_providers as providers

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.tasks import Supervisor
    from lambent.services.lambda_.records.capacity_providers import CapacityProvider, ProviderKey
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Store, Transaction

T = TypeVar("T")


class CapacityProviders:
    """Changes them, and wakes who completes the changes."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor
        self.changed = asyncio.Event()
        """Set by each change."""

    async def change(self, key: ProviderKey, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which changes the provider of `key`, and return its result once it is durable. A caller who goes
        away in the middle does not leave it half way."""
        task: asyncio.Task[T | AwsError] = self._supervisor.start(f"change {key.arn()}", self._change(work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    async def _change(self, work: Callable[[Transaction], T]) -> T | AwsError:
        try:
            return await self._store.write(work)
        except AwsError as refusal:
            return refusal
        finally:
            self.changed.set()


def existing(tx: Transaction, key: ProviderKey) -> CapacityProvider:
    """The provider of `key`. Raises AWS's error where there is none."""
    found = providers.find(tx, key)
    if found is None:
        raise refused.not_found(key.arn())
    return found


def check_joining(tx: Transaction, held: Configuration) -> None:
    """Raise AWS's errors unless a function of this configuration may be on the provider that it names, if any."""
    if held.instances is None:
        return
    provider = existing(tx, rules.of_arn(held.instances.provider_arn))
    if provider.state != "Active":
        raise refused.not_ready(provider.key, provider.state)
    if provider.instances.architecture != held.architecture:
        raise refused.other_architecture(held.architecture, provider.instances.architecture)


def check_publishing(tx: Transaction, held: Configuration, *, replaces: bool) -> None:
    """Raise AWS's errors unless a version of this configuration may be on its provider, if it names one; `replaces`
    where it takes the place of another version."""
    check_joining(tx, held)
    arn = held.provider_arn
    if arn and not replaces and providers.published(tx, arn) >= limits.CAPACITY_PROVIDER_VERSIONS:
        raise refused.too_many_versions(arn)
