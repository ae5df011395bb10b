"""The policies of a role's own, which live and die with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.iam import errors, steps, store
from lambent.services.iam.rules import documents, paging

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.store.api import Transaction


async def put_role_policy(call: Call[Parts], request: Request) -> Response:
    """Add a policy to a role, or replace the one of that name.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
    """
    name = request["PolicyName"]
    document = documents.inline(request["PolicyDocument"], request["RoleName"])

    def work(tx: Transaction) -> None:
        role = steps.role(tx, call.account, request["RoleName"])
        together = store.inline_documents(tx, role) | {name: document}
        documents.check_together(together.values(), role.name)
        store.put_inline(tx, role, name, document)

    await call.parts.store.write(work)
    return {}


async def get_role_policy(call: Call[Parts], request: Request) -> Response:
    """One policy of a role with its document.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
    """
    name = request["PolicyName"]

    def work(tx: Transaction) -> Response:
        role = steps.role(tx, call.account, request["RoleName"])
        document = store.find_inline(tx, role, name)
        if document is None:
            raise errors.no_role_policy(name)
        return {"RoleName": role.name, "PolicyName": name, "PolicyDocument": documents.encoded(document)}

    return await call.parts.store.read(work)


async def list_role_policies(call: Call[Parts], request: Request) -> Response:
    """A page of the names of a role's policies.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html
    """

    def work(tx: Transaction) -> list[str]:
        return list(store.inline_documents(tx, steps.role(tx, call.account, request["RoleName"])))

    found = paging.behind(await call.parts.store.read(work), request, str)
    return paging.answer("PolicyNames", found, request, str, str)


async def delete_role_policy(call: Call[Parts], request: Request) -> Response:
    """Remove a policy of a role.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html
    """

    def work(tx: Transaction) -> None:
        role = steps.role(tx, call.account, request["RoleName"])
        if not store.delete_inline(tx, role, request["PolicyName"]):
            raise errors.no_role_policy(request["PolicyName"])

    await call.parts.store.write(work)
    return {}
