"""AWS Identity and Access Management: roles, and the policies that say what they may do.

Documents are checked and kept; nothing is decided by them yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.service import Service
from lambent.services.iam.operations import (
    account,
    attachments,
    boundaries,
    policies,
    policy_versions,
    role_policies,
    roles,
)
from lambent.services.iam.parts import Parts

if TYPE_CHECKING:
    from lambent.kernel.service import Operation

__all__ = ["Parts", "build"]

_OPERATIONS: tuple[Operation, ...] = (
    roles.create_role,
    roles.get_role,
    roles.list_roles,
    roles.update_role,
    roles.update_role_description,
    roles.update_assume_role_policy,
    roles.delete_role,
    roles.tag_role,
    roles.untag_role,
    roles.list_role_tags,
    role_policies.put_role_policy,
    role_policies.get_role_policy,
    role_policies.list_role_policies,
    role_policies.delete_role_policy,
    attachments.attach_role_policy,
    attachments.detach_role_policy,
    attachments.list_attached_role_policies,
    attachments.list_entities_for_policy,
    boundaries.put_role_permissions_boundary,
    boundaries.delete_role_permissions_boundary,
    policies.create_policy,
    policies.get_policy,
    policies.list_policies,
    policies.delete_policy,
    policies.tag_policy,
    policies.untag_policy,
    policies.list_policy_tags,
    policy_versions.create_policy_version,
    policy_versions.get_policy_version,
    policy_versions.list_policy_versions,
    policy_versions.set_default_policy_version,
    policy_versions.delete_policy_version,
    account.list_instance_profiles_for_role,
    account.list_account_aliases,
)

_POLICY = "what the policy says is checked for its form and kept, and not evaluated yet"
_TRUST = "who may become a role is checked for its form and kept, and not evaluated yet"

_NOTES = {
    "AttachRolePolicy": _POLICY,
    "CreatePolicy": _POLICY,
    "CreatePolicyVersion": _POLICY,
    "CreateRole": f"{_TRUST}; when a role is used is not followed, so `RoleLastUsed` is empty",
    "PutRolePermissionsBoundary": _POLICY,
    "PutRolePolicy": _POLICY,
    "UpdateAssumeRolePolicy": _TRUST,
}


def build(parts: Parts) -> Service:
    """The service as the gateway knows it."""
    return Service(name="iam", parts=parts, operations=_OPERATIONS, notes=_NOTES)
