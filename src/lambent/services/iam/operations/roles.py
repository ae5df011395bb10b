"""Roles: who may be stood in for, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.iam import errors, steps, store
from lambent.services.iam.records import ROLE_ID_PREFIX, Role
from lambent.services.iam.rules import documents, names, paging, tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.store.api import Transaction


async def create_role(call: Call[Parts], request: Request) -> Response:
    """Store a new role. As on AWS, the answer shows neither its description nor its session duration.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    role = Role(
        account=call.account,
        name=request["RoleName"],
        path=request.get("Path", "/"),
        role_id=names.unique_id(call.parts.ids, ROLE_ID_PREFIX),
        created_s=int(call.parts.clock.time()),
        trust_policy=documents.trust(request["AssumeRolePolicyDocument"]),
        description=request.get("Description"),
        max_session_s=request.get("MaxSessionDuration", limits.SESSION_DEFAULT_S),
        boundary=request.get("PermissionsBoundary"),
        tags=tags.given(request.get("Tags", ()), folded=True),
    )

    def work(tx: Transaction) -> None:
        if role.boundary is not None:
            steps.check_boundary(tx, call.parts.managed, role.account, role.boundary)
        if store.count_roles(tx, role.account) >= limits.ROLES_PER_ACCOUNT:
            raise errors.over_quota("RolesPerAccount", limits.ROLES_PER_ACCOUNT)
        if not store.insert_role(tx, role):
            raise errors.role_exists(role.name)

    await call.parts.roles.change(work)
    return {"Role": _shown(role) | {"PermissionsBoundary": _boundary(role), "Tags": _tags(role)}}


async def get_role(call: Call[Parts], request: Request) -> Response:
    """One role in full. When it was last used is not followed, so `RoleLastUsed` is that of a role never used.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
    """
    role = await call.parts.store.read(lambda tx: steps.role(tx, call.account, request["RoleName"]))
    return {"Role": _listed(role) | {"PermissionsBoundary": _boundary(role), "Tags": _tags(role), "RoleLastUsed": {}}}


async def list_roles(call: Call[Parts], request: Request) -> Response:
    """A page of the roles below a path, by name.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
    """
    prefix, after, count = request.get("PathPrefix", "/"), paging.after(request), paging.size(request) + 1
    roles = await call.parts.store.read(lambda tx: store.page_roles(tx, call.account, prefix, after, count))
    return paging.answer("Roles", roles, request, lambda role: role.key, _listed)


async def update_role(call: Call[Parts], request: Request) -> Response:
    """Change what is given and leave the rest.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html
    """

    def changed(role: Role) -> Role:
        return msgspec.structs.replace(
            role,
            description=request.get("Description", role.description),
            max_session_s=request.get("MaxSessionDuration", role.max_session_s),
        )

    await _change(call, request, changed)
    return {}


async def update_role_description(call: Call[Parts], request: Request) -> Response:
    """Change the description alone.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRoleDescription.html
    """
    role = await _change(call, request, lambda role: msgspec.structs.replace(role, description=request["Description"]))
    return {"Role": _shown(role) | {"Description": role.description}}


async def update_assume_role_policy(call: Call[Parts], request: Request) -> Response:
    """Replace the trust policy.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
    """
    document = documents.trust(request["PolicyDocument"])
    await _change(call, request, lambda role: msgspec.structs.replace(role, trust_policy=document))
    return {}


async def delete_role(call: Call[Parts], request: Request) -> Response:
    """Remove a role that has no policies left.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """

    def work(tx: Transaction) -> None:
        role = steps.role(tx, call.account, request["RoleName"])
        if store.attached(tx, role):
            raise errors.role_has_attachments()
        if store.inline_documents(tx, role):
            raise errors.role_has_policies()
        store.delete_role(tx, role)

    await call.parts.roles.change(work)
    return {}


async def tag_role(call: Call[Parts], request: Request) -> Response:
    """Add tags, or give those with the same keys new values.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html
    """
    new = tags.given(request["Tags"], folded=True)

    def changed(role: Role) -> Role:
        return msgspec.structs.replace(role, tags=tags.merged(role.tags, new, folded=True))

    await _change(call, request, changed)
    return {}


async def untag_role(call: Call[Parts], request: Request) -> Response:
    """Remove tags by their keys.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html
    """

    def changed(role: Role) -> Role:
        return msgspec.structs.replace(role, tags=tags.without(role.tags, request["TagKeys"], folded=True))

    await _change(call, request, changed)
    return {}


async def list_role_tags(call: Call[Parts], request: Request) -> Response:
    """A page of a role's tags, by key.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html
    """
    role = await call.parts.store.read(lambda tx: steps.role(tx, call.account, request["RoleName"]))
    return tags.page(role.tags, request)


async def _change(call: Call[Parts], request: Request, changed: Callable[[Role], Role]) -> Role:
    def work(tx: Transaction) -> Role:
        role = changed(steps.role(tx, call.account, request["RoleName"]))
        store.update_role(tx, role)
        return role

    return await call.parts.roles.change(work)


def _shown(role: Role) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": steps.moment(role.created_s),
        "AssumeRolePolicyDocument": documents.encoded(role.trust_policy),
    }


def _listed(role: Role) -> dict[str, Any]:
    return _shown(role) | {"Description": role.description, "MaxSessionDuration": role.max_session_s}


def _boundary(role: Role) -> dict[str, str] | None:
    if role.boundary is None:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": role.boundary}


def _tags(role: Role) -> list[dict[str, str]] | None:
    return tags.shown(role.tags) or None
