"""What may be provisioned for which version or alias, as the store stands in a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import capacity_providers, tenancy
from lambent.services.lambda_.records import LATEST, Alias, Version
from lambent.services.lambda_.rules import names, provisioning, refusals
from lambent.services.lambda_.store import aliases, concurrency, versions

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.services.lambda_.records import FunctionKey, Provision
    from lambent.store.api import Transaction


def target(tx: Transaction, key: FunctionKey, qualifier: str) -> Alias | Version:
    """The version or alias that something is, or may be, provisioned for. Raises AWS's errors where it is missing."""
    found: Alias | Version | None
    if names.is_version(qualifier):
        found = versions.find(tx, key, names.number(qualifier))
        missing = errors.not_found(key, qualifier)
    else:
        found = aliases.find(tx, key, qualifier)
        missing = errors.no_alias(key, qualifier)
    if found is None:
        raise missing
    return found


def check(tx: Transaction, wanted: Alias | Version) -> None:
    """Raise AWS's errors where nothing can be provisioned for `wanted`, or is already for what it points to."""
    own = wanted.name if isinstance(wanted, Alias) else wanted.label
    configs = [config.qualifier for config in concurrency.provisions(tx, wanted.key) if config.qualifier != own]
    numbers = {qualifier for qualifier in configs if names.is_version(qualifier)}
    pointed = {label for alias in aliases.of(tx, wanted.key) if alias.name in configs for label in alias.targets}
    if isinstance(wanted, Alias):
        _check_alias(tx, wanted, numbers | pointed)
        return
    if wanted.label in pointed:
        raise errors.alias_provisioned()
    _check_start(wanted)


def runnable(tx: Transaction, config: Provision) -> list[tuple[FunctionVersion, int]]:
    """The versions that environments are wanted ready of for `config`, and how many of each."""
    wanted = []
    for label, count in provisioning.shares(config, aliases.find(tx, config.key, config.qualifier)).items():
        version = versions.find(tx, config.key, names.number(label))
        assert version is not None, "a version goes only with what is provisioned for it"
        wanted.append((version.version(), count))
    return wanted


def _check_alias(tx: Transaction, alias: Alias, taken: set[str]) -> None:
    if LATEST in alias.targets:
        raise errors.provisions_unpublished()
    if alias.targets & taken:
        raise errors.version_provisioned()
    for label in alias.targets:
        version = versions.find(tx, alias.key, names.number(label))
        assert version is not None, "a version that an alias points to cannot be deleted"
        _check_start(version)


def _check_start(version: Version) -> None:
    refusals.check_runs(version.configuration)
    if version.configuration.instances is not None:
        raise capacity_providers.with_provisions()
    if version.configuration.tenancy is not None:
        raise tenancy.with_provisions()
    if version.configuration.snapshots:
        raise errors.provisions_snapshots()
