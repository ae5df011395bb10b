"""PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy: a policy as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.access import policies
from lambent.services.lambda_.errors import permissions as errors
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.rules import names, resource_policies
from lambent.services.lambda_.store import permissions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.access.policies import Holder
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def put_resource_policy(call: Call[Parts], request: Request) -> Response:
    """Give a function, a version or an alias a policy, in place of what it had.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html
    """
    key, qualifier = _named(call, request)
    if qualifier == LATEST:
        raise errors.latest_has_none()
    document = resource_policies.checked(request["Policy"], key, qualifier)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        held = policies.holder(tx, key, qualifier)
        _check_revision(request, held)
        policies.put(tx, held, document, revision_id)

    await call.parts.directory.change(key, work)
    return {"Policy": document, "RevisionId": revision_id}


async def get_resource_policy(call: Call[Parts], request: Request) -> Response:
    """The policy of a function, a version or an alias, also where permissions were added one by one.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetResourcePolicy.html
    """
    key, qualifier = _named(call, request)

    def work(tx: Transaction) -> tuple[str, str]:
        found = policies.find(tx, key, qualifier)
        if found is None:
            raise errors.none_here()
        return found

    document, revision_id = await call.parts.store.read(work)
    return {"Policy": document, "RevisionId": revision_id}


async def delete_resource_policy(call: Call[Parts], request: Request) -> None:
    """Take the policy of a function, a version or an alias away.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteResourcePolicy.html
    """
    key, qualifier = _named(call, request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        if permissions.find(tx, key, qualifier) is None:
            raise errors.none_here()
        held = policies.holder(tx, key, qualifier)
        _check_revision(request, held)
        policies.put(tx, held, None, revision_id)

    await call.parts.directory.change(key, work)


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, str | None]:
    """Raises AWS's error for a runtime, the other kind of resource that has a policy: no operation makes one."""
    arn = request["ResourceArn"]
    if ":function:" not in arn:
        raise errors.none_here()
    return names.parse(call, arn)


def _check_revision(request: Request, held: Holder) -> None:
    if request.get("RevisionId") and request["RevisionId"] != held.revision_id:
        raise errors.stale("GetResourcePolicy")
