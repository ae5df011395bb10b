"""From a function's name and a qualifier to the version that an invocation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.compute.function import FunctionVersion  # noqa: TC001 msgspec reads it at run time
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import capacity_providers
from lambent.services.lambda_.records import LATEST, LATEST_PUBLISHED
from lambent.services.lambda_.rules import names, refusals
from lambent.services.lambda_.store import aliases, functions, scaling, versions

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids
    from lambent.services.lambda_.records import Function, FunctionKey, Version
    from lambent.store.api import Transaction

_DRAW_BYTES = 4


class Route(msgspec.Struct, frozen=True):
    """What stands behind a qualifier: one version, or for an alias with a routing configuration one of two."""

    version: FunctionVersion
    other: FunctionVersion | None = None
    weight: float = 0.0
    """The share of invocations (0 to 1) that `other` gets."""

    def pick(self, ids: Ids) -> FunctionVersion:
        """The version that one invocation runs.

        https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
        """
        return self.version if self.other is None else self.at(drawn(ids))

    def at(self, share: float) -> FunctionVersion:
        """The version that an invocation runs for which `share` (0 to 1) was drawn."""
        return self.version if self.other is None or share >= self.weight else self.other


def drawn(ids: Ids) -> float:
    """A number from 0 to 1, by which an invocation gets the one version or the other."""
    return int.from_bytes(ids.bytes(_DRAW_BYTES), "big") / (1 << 8 * _DRAW_BYTES)


def find(tx: Transaction, key: FunctionKey, qualifier: str) -> Route | None:
    """What invocations of `key` with `qualifier` run; None while that is being created.

    Raises AWS's errors where there is no such function, version or alias, and where it can never be invoked.
    """
    if qualifier == LATEST or names.is_version(qualifier):
        version = _version(tx, key, qualifier, qualifier)
        return None if version is None else Route(version)
    alias = aliases.find(tx, key, qualifier)
    if alias is None:
        raise errors.not_found(key, qualifier)
    version = _version(tx, key, alias.version, qualifier)
    others = [(_version(tx, key, number, qualifier), weight) for number, weight in alias.weights.items()]
    if version is None or any(other is None for other, _ in others):
        return None
    return Route(version, *others[0]) if others else Route(version)


def of_latest(function: Function) -> Route | None:
    """What invocations of `function` run that name no version; None where that takes a look at more than the function,
    or where it cannot be invoked."""
    held = function.serving or function.configuration
    if function.state != "Active" or held.instances is not None or not refusals.runs(held):
        return None
    return Route(function.version())


def _version(tx: Transaction, key: FunctionKey, label: str, qualifier: str) -> FunctionVersion | None:
    if label == LATEST:
        function = functions.find(tx, key)
        if function is None:
            raise errors.not_found(key, qualifier)
        held = function.serving or function.configuration
        refusals.check_runs(held)
        if held.instances is None:
            return function.version() if function.state == "Active" else None
        label = LATEST_PUBLISHED  # which is what runs where no version is named
    version = versions.find(tx, key, names.number(label))
    if version is None:
        raise errors.not_found(key, qualifier) if qualifier != LATEST else capacity_providers.none_published()
    refusals.check_runs(version.configuration)
    if version.configuration.instances is not None and _deactivated(tx, version):
        raise errors.not_ready("Deactivated")
    return _invocable(version)


def _invocable(version: Version) -> FunctionVersion | None:
    if version.state == "Failed":
        raise errors.not_ready(version.state)
    if version.state == "Pending" and version.configuration.snapshots:
        raise errors.snapshot_not_ready()
    on_its_way = version.configuration.instances is not None  # the engine lets invocations wait for its environments
    return version.version() if on_its_way or version.state == "Active" else None


def _deactivated(tx: Transaction, version: Version) -> bool:
    wanted = scaling.find(tx, version.key, version.number)
    return wanted is not None and wanted.most == 0
