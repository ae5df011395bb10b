"""Permissions boundaries: the managed policy that bounds what a role may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.iam import steps, store

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.store.api import Transaction


async def put_role_permissions_boundary(call: Call[Parts], request: Request) -> Response:
    """Bound a role by a managed policy, in place of the one that bounded it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html
    """
    boundary = request["PermissionsBoundary"]

    def work(tx: Transaction) -> None:
        steps.check_boundary(tx, call.parts.managed, call.account, boundary)
        role = steps.role(tx, call.account, request["RoleName"])
        store.update_role(tx, msgspec.structs.replace(role, boundary=boundary))

    await call.parts.roles.change(work)
    return {}


async def delete_role_permissions_boundary(call: Call[Parts], request: Request) -> Response:
    """Unbind a role; nothing changes where nothing bounds it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePermissionsBoundary.html
    """

    def work(tx: Transaction) -> None:
        role = steps.role(tx, call.account, request["RoleName"])
        store.update_role(tx, msgspec.structs.replace(role, boundary=None))

    await call.parts.roles.change(work)
    return {}
