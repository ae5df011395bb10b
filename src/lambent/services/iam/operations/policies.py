"""Managed policies, the customer's and AWS's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.iam import errors, steps, store
from lambent.services.iam.records import AWS, POLICY_ID_PREFIX, Policy, PolicyVersion
from lambent.services.iam.rules import documents, names, paging, tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.store.api import Transaction


class _Usage(msgspec.Struct, frozen=True):
    """How many roles each policy is on, and how many it bounds, by its ARN."""

    attached: dict[str, int]
    bounding: dict[str, int]


async def create_policy(call: Call[Parts], request: Request) -> Response:
    """Store a new policy with its first version. As on AWS, the answer does not show the description.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
    """
    now = int(call.parts.clock.time())
    policy = Policy(
        account=call.account,
        name=request["PolicyName"],
        path=request.get("Path", "/"),
        policy_id=names.unique_id(call.parts.ids, POLICY_ID_PREFIX),
        created_s=now,
        updated_s=now,
        description=request.get("Description"),
        tags=tags.given(request.get("Tags", ()), folded=False),
    )
    version = PolicyVersion(policy.default_version, now, documents.managed(request["PolicyDocument"]))

    def work(tx: Transaction) -> None:
        if store.count_policies(tx, policy.account) >= limits.POLICIES_PER_ACCOUNT:
            raise errors.over_quota("PoliciesPerAccount", limits.POLICIES_PER_ACCOUNT)
        if not store.insert_policy(tx, policy):
            raise errors.policy_exists(policy.name)
        store.insert_version(tx, policy, version)

    await call.parts.store.write(work)
    return {"Policy": _shown(policy, _Usage({}, {})) | {"Tags": tags.shown(policy.tags) or None}}


async def get_policy(call: Call[Parts], request: Request) -> Response:
    """One policy; its documents are in its versions.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> Response:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        if policy is None:
            raise errors.no_policy(policy_arn)
        shown = _shown(policy, _usage(tx, call.account))
        return {"Policy": shown | {"Description": policy.description, "Tags": tags.shown(policy.tags)}}

    return await call.parts.store.read(work)


async def list_policies(call: Call[Parts], request: Request) -> Response:
    """A page of the policies below a path: the customer's by name, then AWS's from the oldest.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html
    """
    scope = request.get("Scope", "All")

    def work(tx: Transaction) -> tuple[list[Policy], _Usage]:
        own = store.policies(tx, call.account) if scope != "AWS" else []
        return own, _usage(tx, call.account)

    own, usage = await call.parts.store.read(work)
    candidates = own if scope == "Local" else own + call.parts.managed.all()
    wanted = [policy for policy in candidates if _matches(policy, request, usage)]
    return paging.answer(
        "Policies",
        paging.behind(wanted, request, _order),
        request,
        _order,
        lambda policy: _shown(policy, usage),
    )


async def delete_policy(call: Call[Parts], request: Request) -> Response:
    """Remove a policy that is used nowhere and has one version left.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
    """

    def work(tx: Transaction) -> None:
        policy = steps.own_policy(tx, steps.caller(call), request["PolicyArn"])
        usage = _usage(tx, call.account)
        if policy.arn in usage.attached or policy.arn in usage.bounding:
            raise errors.policy_is_attached()
        if len(store.versions(tx, policy)) > 1:
            raise errors.policy_has_versions()
        store.delete_policy(tx, policy)

    await call.parts.store.write(work)
    return {}


async def tag_policy(call: Call[Parts], request: Request) -> Response:
    """Add tags, or give those with the same keys new values.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagPolicy.html
    """
    new = tags.given(request["Tags"], folded=False)
    await _retag(call, request, lambda present: tags.merged(present, new, folded=False))
    return {}


async def untag_policy(call: Call[Parts], request: Request) -> Response:
    """Remove tags by their keys.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagPolicy.html
    """
    await _retag(call, request, lambda present: tags.without(present, request["TagKeys"], folded=False))
    return {}


async def list_policy_tags(call: Call[Parts], request: Request) -> Response:
    """A page of a policy's tags, by key.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> Policy:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        if policy is None:
            raise errors.no_policy(policy_arn)
        return policy

    return tags.page((await call.parts.store.read(work)).tags, request)


async def _retag(call: Call[Parts], request: Request, changed: Callable[[dict[str, str]], dict[str, str]]) -> None:
    def work(tx: Transaction) -> None:
        policy = steps.own_policy(tx, steps.caller(call), request["PolicyArn"])
        store.update_policy(tx, msgspec.structs.replace(policy, tags=changed(policy.tags)))

    await call.parts.store.write(work)


def _usage(tx: Transaction, account: str) -> _Usage:
    return _Usage(store.attachments(tx, account), store.boundaries(tx, account))


def _matches(policy: Policy, request: Request, usage: _Usage) -> bool:
    used = {
        "PermissionsPolicy": policy.arn in usage.attached,
        "PermissionsBoundary": policy.arn in usage.bounding,
    }
    kind = request.get("PolicyUsageFilter")
    if not policy.path.startswith(request.get("PathPrefix", "/")):
        return False
    if request.get("OnlyAttached", False):
        return used[kind] if kind else any(used.values())
    return kind != "PermissionsBoundary" or used[kind]


def _order(policy: Policy) -> str:
    """What policies are listed by, as text that sorts the same way."""
    return f"aws {policy.created_s:011} {policy.key}" if policy.account == AWS else f"- {policy.key}"


def _shown(policy: Policy, usage: _Usage) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": usage.attached.get(policy.arn, 0),
        "PermissionsBoundaryUsageCount": usage.bounding.get(policy.arn, 0),
        "IsAttachable": True,
        "CreateDate": steps.moment(policy.created_s),
        "UpdateDate": steps.moment(policy.updated_s),
    }
