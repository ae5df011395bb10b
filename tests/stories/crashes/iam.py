"""A scenario for each operation of IAM that changes something."""

from __future__ import annotations

import json

from tests.stories.crashes.lambda_ import step
from tests.stories.crashes.scenario import Scenario, Step

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
ALLOWED, OTHER = (
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
    for action in ("sqs:*", "sns:*")
)
R = {"RoleName": "r"}
P = {"PolicyArn": "arn:aws:iam::<account>:policy/p"}
TAGS = {"Tags": [{"Key": "a", "Value": "b"}]}
ROLE = step("CreateRole", R, {"AssumeRolePolicyDocument": TRUST})
POLICY = step("CreatePolicy", {"PolicyName": "p", "PolicyDocument": ALLOWED})
INLINE = step("PutRolePolicy", R, {"PolicyName": "i", "PolicyDocument": ALLOWED})
ATTACHED = (ROLE, POLICY, step("AttachRolePolicy", R, P))
VERSIONED = (POLICY, step("CreatePolicyVersion", P, {"PolicyDocument": OTHER}))
BOUNDED = (ROLE, POLICY, step("PutRolePermissionsBoundary", R, {"PermissionsBoundary": P["PolicyArn"]}))
ROLES = (
    step("GetRole", R),
    step("ListRoles"),
    step("ListRolePolicies", R),
    step("ListAttachedRolePolicies", R),
    step("ListRoleTags", R),
)
POLICIES = (
    step("GetPolicy", P),
    step("ListPolicies", {"Scope": "Local"}),
    step("ListPolicyVersions", P),
    step("ListPolicyTags", P),
    step("ListEntitiesForPolicy", P),
)
BOTH = (*ROLES, *POLICIES)


def _of(operation: str, request: dict[str, object], given: tuple[Step, ...], seen: tuple[Step, ...]) -> Scenario:
    return Scenario(operation, request, given, seen, service="iam")


SCENARIOS = (
    _of("CreateRole", {**ROLE.request, **TAGS}, (), ROLES),
    _of("UpdateRole", {**R, "Description": "d"}, (ROLE,), ROLES),
    _of("UpdateRoleDescription", {**R, "Description": "d"}, (ROLE,), ROLES),
    _of("UpdateAssumeRolePolicy", {**R, "PolicyDocument": TRUST.replace("lambda", "edgelambda")}, (ROLE,), ROLES),
    _of("DeleteRole", R, (ROLE,), ROLES),
    _of("TagRole", {**R, **TAGS}, (ROLE,), ROLES),
    _of("UntagRole", {**R, "TagKeys": ["a"]}, (ROLE, step("TagRole", R, TAGS)), ROLES),
    _of("PutRolePolicy", INLINE.request, (ROLE,), (*ROLES, step("GetRolePolicy", R, {"PolicyName": "i"}))),
    _of("DeleteRolePolicy", {**R, "PolicyName": "i"}, (ROLE, INLINE), ROLES),
    _of("AttachRolePolicy", {**R, **P}, (ROLE, POLICY), BOTH),
    _of("DetachRolePolicy", {**R, **P}, ATTACHED, BOTH),
    _of("PutRolePermissionsBoundary", BOUNDED[-1].request, (ROLE, POLICY), BOTH),
    _of("DeleteRolePermissionsBoundary", R, BOUNDED, BOTH),
    _of("CreatePolicy", {**POLICY.request, **TAGS}, (), POLICIES),
    _of("DeletePolicy", P, (POLICY,), POLICIES),
    _of("TagPolicy", {**P, **TAGS}, (POLICY,), POLICIES),
    _of("UntagPolicy", {**P, "TagKeys": ["a"]}, (POLICY, step("TagPolicy", P, TAGS)), POLICIES),
    _of("CreatePolicyVersion", VERSIONED[-1].request, (POLICY,), POLICIES),
    _of("SetDefaultPolicyVersion", {**P, "VersionId": "v2"}, VERSIONED, POLICIES),
    _of("DeletePolicyVersion", {**P, "VersionId": "v2"}, VERSIONED,
        (*POLICIES, step("GetPolicyVersion", P, {"VersionId": "v2"}))),
)  # fmt: skip
