"""What IAM stores: roles, managed policies and the versions of their documents."""

from __future__ import annotations

import msgspec

from lambent.kernel.arn import arn

ROLE_ID_PREFIX = "AROA"
POLICY_ID_PREFIX = "ANPA"
AWS = "aws"
"""The account that AWS's own managed policies belong to."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role and its trust policy."""

    account: str
    name: str
    path: str
    role_id: str
    created_s: int
    """Since the epoch."""
    trust_policy: str
    """As it was given."""
    description: str | None = None
    max_session_s: int = 3_600
    boundary: str | None = None
    """The ARN of the managed policy that bounds what the role may do."""
    tags: dict[str, str] = {}

    @property
    def key(self) -> str:
        """What it is found by: names are distinguished by more than case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """The role's ARN, path included."""
        return arn("iam", "", self.account, f"role{self.path}{self.name}")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A managed policy; its documents are in its versions."""

    account: str
    name: str
    path: str
    policy_id: str
    created_s: int
    """Since the epoch."""
    updated_s: int
    """When its default version last changed."""
    description: str | None = None
    default_version: int = 1
    last_version: int = 1
    """Numbers are never used again."""
    tags: dict[str, str] = {}

    @property
    def key(self) -> str:
        """What it is found by: names are distinguished by more than case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """The policy's ARN, path included."""
        return arn("iam", "", self.account, f"policy{self.path}{self.name}")


class PolicyVersion(msgspec.Struct, frozen=True):
    """One document of a managed policy."""

    number: int
    created_s: int
    """Since the epoch."""
    document: str
    """As it was given."""
