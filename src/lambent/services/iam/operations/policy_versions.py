"""The versions of a managed policy's document, one of which is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.iam import errors, steps, store
from lambent.services.iam.records import AWS, Policy, PolicyVersion
from lambent.services.iam.rules import documents, paging

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts
    from lambent.store.api import Transaction


async def create_policy_version(call: Call[Parts], request: Request) -> Response:
    """Add a version, and put it in force where the caller says so.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html
    """
    document = documents.managed(request["PolicyDocument"])
    now = int(call.parts.clock.time())

    def work(tx: Transaction) -> Response:
        policy = steps.own_policy(tx, steps.caller(call), request["PolicyArn"])
        if len(store.versions(tx, policy)) >= limits.POLICY_VERSIONS:
            raise errors.too_many_versions()
        number = policy.last_version + 1
        default = number if request.get("SetAsDefault", False) else policy.default_version
        policy = msgspec.structs.replace(policy, last_version=number, default_version=default, updated_s=now)
        version = PolicyVersion(number, now, document)
        store.insert_version(tx, policy, version)
        store.update_policy(tx, policy)
        return {"PolicyVersion": _shown(policy, version)}

    return await call.parts.store.write(work)


async def get_policy_version(call: Call[Parts], request: Request) -> Response:
    """One version with its document. Of AWS's own policies there is the default version only.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
    """
    policy_arn, wanted = request["PolicyArn"], request["VersionId"]

    def work(tx: Transaction) -> Response:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        version = None if policy is None else _find(_versions(tx, call, policy), wanted)
        if policy is None or version is None:
            raise errors.no_version(policy_arn, wanted)
        return {"PolicyVersion": _shown(policy, version) | {"Document": documents.encoded(version.document)}}

    return await call.parts.store.read(work)


async def list_policy_versions(call: Call[Parts], request: Request) -> Response:
    """A page of a policy's versions without their documents, newest first.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html
    """
    policy_arn = request["PolicyArn"]

    def work(tx: Transaction) -> tuple[Policy, list[PolicyVersion]]:
        policy = steps.find_policy(tx, call.parts.managed, call.account, policy_arn)
        if policy is None:
            raise errors.no_policy(policy_arn)
        return policy, _versions(tx, call, policy)

    policy, found = await call.parts.store.read(work)
    rest = paging.from_marker(found, request, _id)
    return paging.answer("Versions", rest, request, _id, lambda version: _shown(policy, version))


async def set_default_policy_version(call: Call[Parts], request: Request) -> Response:
    """Put another version in force.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html
    """
    policy_arn, wanted = request["PolicyArn"], request["VersionId"]
    now = int(call.parts.clock.time())

    def work(tx: Transaction) -> None:
        policy, version = _own_version(tx, call, policy_arn, wanted)
        store.update_policy(tx, msgspec.structs.replace(policy, default_version=version.number, updated_s=now))

    await call.parts.store.write(work)
    return {}


async def delete_policy_version(call: Call[Parts], request: Request) -> Response:
    """Remove a version that is not in force.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html
    """
    policy_arn, wanted = request["PolicyArn"], request["VersionId"]

    def work(tx: Transaction) -> None:
        policy, version = _own_version(tx, call, policy_arn, wanted)
        if version.number == policy.default_version:
            raise errors.default_version()
        store.delete_version(tx, policy, version.number)

    await call.parts.store.write(work)
    return {}


def _own_version(tx: Transaction, call: Call[Parts], policy_arn: str, wanted: str) -> tuple[Policy, PolicyVersion]:
    missing = errors.no_version(policy_arn, wanted)
    policy = steps.own_policy(tx, steps.caller(call), policy_arn, missing)
    version = _find(store.versions(tx, policy), wanted)
    if version is None:
        raise missing
    return policy, version


def _versions(tx: Transaction, call: Call[Parts], policy: Policy) -> list[PolicyVersion]:
    return [call.parts.managed.version(policy)] if policy.account == AWS else store.versions(tx, policy)


def _find(versions: list[PolicyVersion], wanted: str) -> PolicyVersion | None:
    return next((version for version in versions if _id(version) == wanted), None)


def _id(version: PolicyVersion) -> str:
    return f"v{version.number}"


def _shown(policy: Policy, version: PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": _id(version),
        "IsDefaultVersion": version.number == policy.default_version,
        "CreateDate": steps.moment(version.created_s),
    }
