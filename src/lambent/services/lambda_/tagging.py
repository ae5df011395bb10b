"""How each kind of resource keeps its tags. Whoever adds a kind of resource that has tags adds it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lambent.services.lambda_ import capacity_providers, errors
from lambent.services.lambda_.errors import tags as tag_errors
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.capacity_providers import ProviderKey
from lambent.services.lambda_.records.signing import SigningKey
from lambent.services.lambda_.store import capacity_providers as providers
from lambent.services.lambda_.store import functions, mappings, signing

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.arn import Arn
    from lambent.services.lambda_.records.signing import SigningConfig
    from lambent.store.api import Transaction


class Tagged(msgspec.Struct, frozen=True):
    """The tags of one kind of resource; both take the resource's ARN, which is one of the caller's account and region,
    and raise AWS's error where there is no such resource."""

    read: Callable[[Transaction, Arn], dict[str, str]]
    write: Callable[[Transaction, Arn, dict[str, str], str], None]
    """Keep these tags in place of those before. The last argument is a RevisionId that has not been used."""


def kind_of(arn: Arn) -> str:
    """The kind of resource, as `function`."""
    return arn.resource.partition(":")[0]


def _read_function(tx: Transaction, arn: Arn) -> dict[str, str]:
    key = _function_key(arn)
    function = functions.find(tx, key)
    if function is None:
        raise errors.not_found(key)
    return function.tags


def _write_function(tx: Transaction, arn: Arn, tags: dict[str, str], revision_id: str) -> None:
    """AWS gives a function another RevisionId with its tags."""
    key = _function_key(arn)
    function = functions.find(tx, key)
    if function is None:
        raise errors.not_found(key)
    functions.update(tx, msgspec.structs.replace(function, tags=tags, revision_id=revision_id))


def _function_key(arn: Arn) -> FunctionKey:
    return FunctionKey(arn.account, arn.region, _name(arn))


def _read_mapping(tx: Transaction, arn: Arn) -> dict[str, str]:
    mapping = mappings.find(tx, arn.account, arn.region, _name(arn))
    if mapping is None:
        raise tag_errors.not_found()
    return mapping.tags


def _write_mapping(tx: Transaction, arn: Arn, tags: dict[str, str], revision_id: str) -> None:  # noqa: ARG001 it has none
    mapping = mappings.find(tx, arn.account, arn.region, _name(arn))
    if mapping is None:
        raise tag_errors.not_found()
    mappings.update(tx, msgspec.structs.replace(mapping, tags=tags))


def _read_provider(tx: Transaction, arn: Arn) -> dict[str, str]:
    return capacity_providers.existing(tx, _provider_key(arn)).tags


def _write_provider(tx: Transaction, arn: Arn, tags: dict[str, str], revision_id: str) -> None:  # noqa: ARG001 it has none
    held = capacity_providers.existing(tx, _provider_key(arn))
    providers.update(tx, msgspec.structs.replace(held, tags=tags))


def _provider_key(arn: Arn) -> ProviderKey:
    return ProviderKey(arn.account, arn.region, _name(arn))


def _read_signing(tx: Transaction, arn: Arn) -> dict[str, str]:
    return _signing(tx, arn).tags


def _write_signing(tx: Transaction, arn: Arn, tags: dict[str, str], revision_id: str) -> None:  # noqa: ARG001 it has none
    signing.put(tx, msgspec.structs.replace(_signing(tx, arn), tags=tags))


def _signing(tx: Transaction, arn: Arn) -> SigningConfig:
    config = signing.find(tx, SigningKey(arn.account, arn.region, _name(arn)))
    if config is None:
        raise tag_errors.not_found()
    return config


def _name(arn: Arn) -> str:
    return arn.resource.split(":")[1]


TAGGED: Final = {
    "capacity-provider": Tagged(_read_provider, _write_provider),
    "code-signing-config": Tagged(_read_signing, _write_signing),
    "event-source-mapping": Tagged(_read_mapping, _write_mapping),
    "function": Tagged(_read_function, _write_function),
}
