"""AddLayerVersionPermission, RemoveLayerVersionPermission and GetLayerVersionPolicy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import errors as common
from lambent.services.lambda_.errors import permissions as errors
from lambent.services.lambda_.records.layer_permissions import LayerPolicy
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.rules import permissions as rules
from lambent.services.lambda_.store import layer_permissions, layers

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import LayerKey
    from lambent.store.api import Transaction


async def add_layer_version_permission(call: Call[Parts], request: Request) -> Response:
    """Let another account, or all of them, use a layer version.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html
    """
    key, number = _named(call, request)
    statement = rules.layer_statement(request, key.arn(number))
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        held = _policy(tx, key, number)
        rules.check_free(None if held is None else held.document, statement["Sid"])
        _check_revision(request, held)
        document = rules.added(None if held is None else held.document, statement)
        layer_permissions.put(tx, key, number, LayerPolicy(document, revision_id))

    await call.parts.store.write(work)
    return {"Statement": rules.text_of(statement), "RevisionId": revision_id}


async def remove_layer_version_permission(call: Call[Parts], request: Request) -> None:
    """Take a statement out of a layer version's policy; with its last one the policy is gone.

    https://docs.aws.amazon.com/lambda/latest/api/API_RemoveLayerVersionPermission.html
    """
    key, number = _named(call, request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        held = _existing(tx, key, number)
        rest = rules.removed(held.document, request["StatementId"])
        _check_revision(request, held)
        if rest is None:
            layer_permissions.delete(tx, key, number)
        else:
            layer_permissions.put(tx, key, number, LayerPolicy(rest, revision_id))

    await call.parts.store.write(work)


async def get_layer_version_policy(call: Call[Parts], request: Request) -> Response:
    """The policy of a layer version.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionPolicy.html
    """
    key, number = _named(call, request)
    held = await call.parts.store.read(lambda tx: _existing(tx, key, number))
    return {"Policy": held.document, "RevisionId": held.revision_id}


def _named(call: Call[Parts], request: Request) -> tuple[LayerKey, int]:
    number: int = request["VersionNumber"]
    if number < 1:
        raise common.layer_number_too_low()
    key = names.parse_layer(call, request["LayerName"])
    if key.account != call.account:
        raise common.layer_of_other_account(call.principal.arn, call.operation, key.arn(number))
    if key.region != call.region:
        raise errors.no_layer_version(key.arn(number))
    return key, number


def _policy(tx: Transaction, key: LayerKey, number: int) -> LayerPolicy | None:
    if layers.find(tx, key, number) is None:
        raise errors.no_layer_version(key.arn(number))
    return layer_permissions.find(tx, key, number)


def _existing(tx: Transaction, key: LayerKey, number: int) -> LayerPolicy:
    held = _policy(tx, key, number)
    if held is None:
        raise errors.none_to_change()
    return held


def _check_revision(request: Request, held: LayerPolicy | None) -> None:
    given = request.get("RevisionId")
    if given and (held is None or given != held.revision_id):
        raise errors.stale("GetLayerPolicy")
