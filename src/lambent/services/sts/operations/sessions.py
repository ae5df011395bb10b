"""Temporary credentials: a role assumed, or the caller's own rights for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.kernel.arn import Arn
from lambent.kernel.authority import Principal, Session
from lambent.services.sts import errors
from lambent.services.sts.authority import assumed, root
from lambent.services.sts.rules import session_context

if TYPE_CHECKING:
    from lambent.kernel.authority import Role, SessionCredentials
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.sts.parts import Parts


async def assume_role(call: Call[Parts], request: Request) -> Response:
    """Credentials of a role's session; `SessionAuthority.may_assume` says whose.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    role_arn = request["RoleArn"]
    _check_role_arn(role_arn)
    session = session_context.requested(request, call.principal)
    percent = session_context.packed_percent(session)
    _check_multi_factor(request)
    role = await call.parts.roles.find(role_arn)
    if role is None or not call.parts.authority.may_assume(call.principal, role_arn):
        raise errors.not_assumable(call.principal.arn, role_arn)
    seconds = _seconds(request, role, call.principal)
    principal = assumed(role.arn, request["RoleSessionName"], role.role_id, session)
    credentials = call.parts.authority.grant(principal, seconds, request.get("MinimumSessionTokenSize", 0))
    return {
        "Credentials": _shown(credentials),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
        "PackedPolicySize": percent,
        "SourceIdentity": session.source_identity,
    }


async def get_session_token(call: Call[Parts], request: Request) -> Response:
    """Credentials that stand for the caller itself, an hour at most for the root user.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
    """
    caller = call.principal
    if caller.session is not None:
        raise errors.from_a_session()
    _check_multi_factor(request)
    is_root = caller == root(caller.account)
    seconds = request.get("DurationSeconds", limits.SESSION_USER_S)
    if is_root:
        seconds = min(seconds, limits.SESSION_ROOT_S)
    principal = msgspec.structs.replace(caller, session=Session())
    credentials = call.parts.authority.grant(principal, seconds, request.get("MinimumSessionTokenSize", 0))
    return {"Credentials": _shown(credentials)}


def _check_role_arn(role_arn: str) -> None:
    try:
        parsed = Arn.parse(role_arn)
    except ValueError:
        raise errors.bad_role_arn(role_arn) from None
    if not parsed.account:
        raise errors.bad_role_arn(role_arn)


def _check_multi_factor(request: Request) -> None:
    if "TokenCode" in request or "SerialNumber" in request:
        raise errors.no_multi_factor()


def _seconds(request: Request, role: Role, caller: Principal) -> int:
    seconds: int = request.get("DurationSeconds", limits.SESSION_DEFAULT_S)
    if seconds > role.max_session_s:
        raise errors.too_long()
    if ":assumed-role/" in caller.arn and seconds > limits.SESSION_CHAINED_S:
        raise errors.too_long_for_chaining()
    return seconds


def _shown(credentials: SessionCredentials) -> dict[str, Any]:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": datetime.fromtimestamp(credentials.expires, UTC),
    }
