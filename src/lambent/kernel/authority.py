"""The gate: who is asking. What they may do is decided here too once policies are evaluated."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What temporary credentials were asked for with; policies and tags narrow what their holder may do."""

    policy: str | None = None
    """The inline session policy, as it was given."""
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    """Those inherited from the calling session included."""
    transitive_tag_keys: tuple[str, ...] = ()
    """The tags that sessions started from this one inherit."""
    source_identity: str | None = None


class Principal(msgspec.Struct, frozen=True):
    """Who signed a call, as GetCallerIdentity shows it."""

    account: str
    arn: str
    user_id: str
    session: Session | None = None
    """Set where the call was signed with temporary credentials."""


class Credential(msgspec.Struct, frozen=True):
    """The secret that an access key id must have signed with, and whom it stands for."""

    secret_access_key: str
    principal: Principal


class SessionCredentials(msgspec.Struct, frozen=True):
    """Temporary credentials as a client receives them."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float
    """Seconds since the epoch."""


class Authority(Protocol):
    """Knows credentials and hands out temporary ones. Answers from memory: it is asked on every call."""

    def credential(self, access_key_id: str, session_token: str | None) -> Credential:
        """The credential of `access_key_id`.

        Raises AwsError: InvalidClientTokenId for an unknown key or a token that is not ours, ExpiredToken for a
        session that has ended.
        """

    def anonymous(self) -> Principal:
        """Who an unsigned call acts as, where AWS allows unsigned calls."""

    def session(
        self, role_arn: str, session_name: str, seconds: float, role_id: str | None = None
    ) -> SessionCredentials:
        """New temporary credentials for `role_arn`; they stay valid across a restart.

        `role_id` is the role's own (`AROA...`); without it the user id gets a stand-in that is always the same for
        this ARN.
        """


class Role(msgspec.Struct, frozen=True):
    """What others need to know of an IAM role."""

    arn: str
    role_id: str
    max_session_s: int


class Roles(Protocol):
    """Where a role is found by its ARN; offered by IAM."""

    async def find(self, role_arn: str) -> Role | None:
        """The role, or None."""
