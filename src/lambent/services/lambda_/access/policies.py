"""What a policy is attached to: a function, a published version or an alias, whose RevisionId is the policy's as well.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_ import errors
from lambent.services.lambda_.records import LATEST, Alias, Function, Version
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import aliases, functions, permissions, versions

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

Holder = Function | Version | Alias


def holder(tx: Transaction, key: FunctionKey, qualifier: str | None) -> Holder:
    """What has, or may have, the policy of `qualifier`, which is not `$LATEST`. Raises AWS's errors where there is no
    such function, version or alias."""
    function = functions.find(tx, key)
    if function is None:
        raise errors.not_found(key)
    if qualifier is None:
        return function
    held = _qualified(tx, key, qualifier)
    if held is not None:
        return held
    raise errors.no_alias(key, qualifier) if names.is_alias(qualifier) else errors.not_found(key, qualifier)


def find(tx: Transaction, key: FunctionKey, qualifier: str | None) -> tuple[str, str] | None:
    """The policy of the function, version or alias, and its RevisionId; None where it has none, or is not there."""
    document = permissions.find(tx, key, qualifier)
    return None if document is None else (document, holder(tx, key, qualifier).revision_id)


def put(tx: Transaction, held: Holder, document: str | None, revision_id: str) -> None:
    """Give `held` a policy, or with None take it away. Both change its RevisionId."""
    qualifier = _qualifier(held)
    if document is None:
        permissions.delete(tx, held.key, qualifier)
    else:
        permissions.put(tx, held.key, qualifier, document)
    if isinstance(held, Function):
        functions.update(tx, msgspec.structs.replace(held, revision_id=revision_id))
    elif isinstance(held, Version):
        versions.update(tx, msgspec.structs.replace(held, revision_id=revision_id))
    else:
        aliases.update(tx, msgspec.structs.replace(held, revision_id=revision_id))


def _qualified(tx: Transaction, key: FunctionKey, qualifier: str) -> Version | Alias | None:
    if names.is_version(qualifier):
        return versions.find(tx, key, names.number(qualifier))
    return None if qualifier == LATEST else aliases.find(tx, key, qualifier)


def _qualifier(held: Holder) -> str | None:
    if isinstance(held, Function):
        return None
    return held.label if isinstance(held, Version) else held.name
