"""Managed policies on roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.iam import errors, steps, store
from lambent.services.iam.rules import paging

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.services.iam.records import Role
    from lambent.store.api import Transaction


async def attach_role_policy(call: Call[Parts], request: Request) -> Response:
    """Put a managed policy on a role; nothing changes where it is on it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> None:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        role = steps.role(tx, call.account, request["RoleName"])
        if policy is None:
            raise errors.not_attachable(policy_arn)
        present = store.attached(tx, role)
        if policy.arn in present:
            return
        if len(present) >= limits.POLICIES_PER_ROLE:
            raise errors.over_quota("PoliciesPerRole", limits.POLICIES_PER_ROLE)
        store.attach(tx, role, policy.arn)

    await call.parts.store.write(work)
    return {}


async def detach_role_policy(call: Call[Parts], request: Request) -> Response:
    """Take a managed policy off a role.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> None:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        role = steps.role(tx, call.account, request["RoleName"])
        if policy is None or not store.detach(tx, role, policy.arn):
            raise errors.no_policy(policy_arn)

    await call.parts.store.write(work)
    return {}


async def list_attached_role_policies(call: Call[Parts], request: Request) -> Response:
    """A page of the managed policies below a path that are on a role, in the order they came.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html
    """
    prefix = "policy" + request.get("PathPrefix", "/")

    def work(tx: Transaction) -> list[str]:
        return store.attached(tx, steps.role(tx, call.account, request["RoleName"]))

    attached = [each for each in await call.parts.store.read(work) if each.split(":", 5)[5].startswith(prefix)]
    return paging.answer("AttachedPolicies", paging.from_marker(attached, request), request, str, _attached)


async def list_entities_for_policy(call: Call[Parts], request: Request) -> Response:
    """A page of the roles below a path that a managed policy is on or bounds; there are no users or groups yet.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> list[Role]:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        if policy is None:
            raise errors.no_policy(policy_arn)
        bounding = request.get("PolicyUsageFilter") == "PermissionsBoundary"
        find = store.roles_bounded_by if bounding else store.roles_with
        return find(tx, call.account, policy.arn)

    roles = await call.parts.store.read(work)
    wanted = request.get("EntityFilter", "Role") == "Role"
    prefix = request.get("PathPrefix", "/")
    shown = [role for role in roles if wanted and role.path.startswith(prefix)]
    found = paging.behind(shown, request, lambda role: role.key)
    answer = paging.answer("PolicyRoles", found, request, lambda role: role.key, _entity)
    return answer | {"PolicyGroups": [], "PolicyUsers": []}


def _attached(policy_arn: str) -> dict[str, str]:
    return {"PolicyName": policy_arn.rpartition("/")[2], "PolicyArn": policy_arn}


def _entity(role: Role) -> dict[str, str]:
    return {"RoleName": role.name, "RoleId": role.role_id}
