"""AddPermission, RemovePermission and GetPolicy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.access import policies
from lambent.services.lambda_.errors import permissions as errors
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.rules import permissions as rules
from lambent.services.lambda_.store import functions, permissions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def add_permission(call: Call[Parts], request: Request) -> Response:
    """Let a service, another account or somebody in one use a function, a version or an alias.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    key, qualifier = _named(call, request)
    if qualifier == LATEST:
        raise errors.latest_has_none()
    rules.check(request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> rules.Statement:
        held = policies.holder(tx, key, qualifier)
        if request.get("RevisionId") and request["RevisionId"] != held.revision_id:
            raise errors.stale("GetPolicy")
        document = permissions.find(tx, key, qualifier)
        rules.check_free(document, request["StatementId"])
        statement = rules.statement(request, key.arn(qualifier))
        policies.put(tx, held, rules.added(document, statement), revision_id)
        return statement

    return {"Statement": rules.text_of(await call.parts.directory.change(key, work))}


async def remove_permission(call: Call[Parts], request: Request) -> None:
    """Take a statement out of a policy; with its last one the policy is gone.

    https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
    """
    key, qualifier = _named(call, request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        if functions.find(tx, key) is None:
            raise errors.none_for(key)
        held = policies.holder(tx, key, qualifier)
        document = permissions.find(tx, key, qualifier)
        if document is None:
            raise errors.none_to_change()
        rest = rules.removed(document, request["StatementId"])
        if request.get("RevisionId") and request["RevisionId"] != held.revision_id:
            raise errors.stale("GetFunction/GetAlias")
        policies.put(tx, held, rest, revision_id)

    await call.parts.directory.change(key, work)


async def get_policy(call: Call[Parts], request: Request) -> Response:
    """The policy of a function, a version or an alias.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
    """
    key, qualifier = _named(call, request)

    def work(tx: Transaction) -> tuple[str, str]:
        policies.holder(tx, key, None)
        found = policies.find(tx, key, qualifier)
        if found is None:
            raise errors.none_here()
        return found

    document, revision_id = await call.parts.store.read(work)
    return {"Policy": document, "RevisionId": revision_id}


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, str | None]:
    return names.parse(call, request["FunctionName"], request.get("Qualifier"))
