"""CreateAlias, GetAlias, UpdateAlias, DeleteAlias and ListAliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import changes, errors, markers, provisions
from lambent.services.lambda_.records import LATEST, Alias
from lambent.services.lambda_.rules import answers, names
from lambent.services.lambda_.store import (
    aliases,
    concurrency,
    event_invoke,
    events,
    functions,
    permissions,
    versions,
)

if TYPE_CHECKING:
    from typing import Any

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def create_alias(call: Call[Parts], request: Request) -> Response:
    """Name a version, or two between which invocations are split.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
    """
    key, name = _named(call, request)
    alias = Alias(
        account=key.account,
        region=key.region,
        function=key.name,
        name=name,
        version=request["FunctionVersion"],
        description=request.get("Description", ""),
        weights=_weights(request),
        revision_id=call.parts.ids.uuid(),
    )

    def work(tx: Transaction) -> None:
        _check_version(tx, key, alias.version)
        if aliases.find(tx, key, alias.name) is not None:
            raise errors.alias_exists(key, alias.name)
        if aliases.count(tx, key) >= limits.FUNCTION_ALIASES:
            raise errors.too_many_aliases(key)
        _check_weights(tx, alias)
        aliases.insert(tx, alias)

    await call.parts.directory.change(key, work)
    return answers.alias(alias)


async def get_alias(call: Call[Parts], request: Request) -> Response:
    """One alias.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html
    """
    key, name = _named(call, request)
    alias = await call.parts.store.read(lambda tx: aliases.find(tx, key, name))
    if alias is None:
        raise errors.no_alias(key, name)
    return answers.alias(alias)


async def update_alias(call: Call[Parts], request: Request) -> Response:
    """Let an alias point elsewhere. The next invocation goes there; none in between fails.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html
    """
    key, name = _named(call, request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> Alias:
        old = aliases.find(tx, key, name)
        if old is None:
            raise errors.no_alias_to_update(key, name)
        if request.get("RevisionId") and request["RevisionId"] != old.revision_id:
            raise errors.stale_revision()
        alias = msgspec.structs.replace(old, revision_id=revision_id, **_changes(request))
        _check_version(tx, key, alias.version)
        _check_weights(tx, alias)
        _check_provisioned(tx, alias)
        aliases.update(tx, alias)
        return alias

    return answers.alias(await call.parts.directory.change(key, work))


async def delete_alias(call: Call[Parts], request: Request) -> None:
    """Remove an alias with what is provisioned and configured for it; one that is not there is no error.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteAlias.html
    """
    key, name = _named(call, request)

    def work(tx: Transaction) -> None:
        if functions.find(tx, key) is None:
            raise errors.not_found(key)
        concurrency.withdraw(tx, key, name)
        permissions.delete(tx, key, name)
        event_invoke.delete(tx, key, name)
        events.close_line(tx, key, name)
        aliases.delete(tx, key, name)

    await call.parts.directory.change(key, work)


async def list_aliases(call: Call[Parts], request: Request) -> Response:
    """A page of a function's aliases by name, or of those that point to one version.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html
    """
    key = changes.key_of(call, request["FunctionName"])
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)
    version = request.get("FunctionVersion")

    def work(tx: Transaction) -> list[Alias]:
        if functions.find(tx, key) is None:
            raise errors.not_found(key)
        found = [alias for alias in aliases.of(tx, key) if alias.name > after]
        return [alias for alias in found if version is None or version in alias.targets]

    shown, marker = page.cut(await call.parts.store.read(work), size, lambda alias: [alias.name])
    return {"Aliases": [answers.alias(alias) for alias in shown], "NextMarker": marker}


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, str]:
    names.check_alias(request["Name"])
    return changes.key_of(call, request["FunctionName"]), request["Name"]


def _weights(request: Request) -> dict[str, float]:
    return request.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}


def _changes(request: Request) -> dict[str, Any]:
    given = {"version": "FunctionVersion", "description": "Description"}
    changes = {field: request[member] for field, member in given.items() if member in request}
    return changes | ({"weights": _weights(request)} if "RoutingConfig" in request else {})


def _check_version(tx: Transaction, key: FunctionKey, label: str) -> None:
    if label == LATEST:
        found = functions.find(tx, key) is not None
    else:
        found = names.is_version(label) and versions.find(tx, key, names.number(label)) is not None
    if not found:
        raise errors.not_found(key, label)


def _check_weights(tx: Transaction, alias: Alias) -> None:
    """AWS's rules for what may share an alias, in AWS's order."""
    if len(alias.weights) > 1:
        raise errors.too_many_weights()
    for label in alias.weights:
        if label == alias.version:
            raise errors.same_version(label)
        if alias.version == LATEST:
            raise errors.latest_not_split()
        _check_version(tx, alias.key, label)


def _check_provisioned(tx: Transaction, alias: Alias) -> None:
    """An alias takes what is provisioned for it along, so what it comes to point to must be free for that."""
    if concurrency.provision(tx, alias.key, alias.name) is not None:
        provisions.check(tx, alias)
