"""What a session carries: policies and tags, checked as AWS checks them and inherited through a chain of roles."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from lambent.kernel import limits, policy
from lambent.kernel.arn import Arn
from lambent.kernel.authority import Session
from lambent.services.sts import errors

if TYPE_CHECKING:
    from lambent.kernel.authority import Principal
    from lambent.kernel.call import Request

_INVALID_JSON = "The policy is not in the valid JSON format."


def requested(request: Request, caller: Principal) -> Session:
    """The session that an AssumeRole of `caller` asks for. Raises AwsError."""
    parent = caller.session or Session()
    text = request.get("Policy")
    arns = tuple(each.get("arn", "") for each in request.get("PolicyArns", ()))
    _check_policies(text, arns)
    given = _tags(request)
    transitive = tuple(request.get("TransitiveTagKeys", ()))
    inherited = {key: parent.tags[key] for key in parent.transitive_tag_keys}
    if _folded(given) & _folded(inherited):
        raise errors.inherited_tag()
    if not _folded(transitive) <= _folded(given):
        raise errors.unknown_transitive_tag()
    identity = request.get("SourceIdentity")
    if parent.source_identity is not None and identity not in (None, parent.source_identity):
        raise errors.source_identity_set(caller.arn, request["RoleArn"])
    return Session(
        policy=text,
        policy_arns=arns,
        tags=inherited | given,
        transitive_tag_keys=(*inherited, *transitive),
        source_identity=parent.source_identity or identity,
    )


def packed_percent(session: Session) -> int | None:
    """How full the session's room for policies and tags is; None where it has neither.

    AWS does not say how it packs them. Here the room is SESSION_PACKED_BYTES of deflated text.
    Raises AwsError where it is more than full.
    """
    if not (session.policy or session.policy_arns or session.tags):
        return None
    packed = zlib.compress(json.dumps([session.policy, session.policy_arns, session.tags]).encode())
    percent = -(-100 * len(packed) // limits.SESSION_PACKED_BYTES)
    if percent > 100:
        raise errors.packed_too_large(percent)
    return percent


def _check_policies(text: str | None, arns: tuple[str, ...]) -> None:
    if len(arns) > limits.SESSION_POLICY_ARNS:
        raise errors.too_many_policies(limits.SESSION_POLICY_ARNS)
    for each in arns:
        _check_policy_arn(each)
    if text is None:
        return
    if len(text) + sum(map(len, arns)) > limits.SESSION_POLICY_CHARACTERS:
        raise errors.policy_too_long(limits.SESSION_POLICY_CHARACTERS)
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise errors.malformed_policy(_INVALID_JSON) from None
    try:
        policy.check_permissions(text)
    except policy.PolicyFault as fault:
        raise errors.malformed_policy(str(fault)) from None


def _check_policy_arn(text: str) -> None:
    try:
        parsed = Arn.parse(text)
    except ValueError:
        raise errors.bad_policy_arn(text) from None
    if parsed.service != "iam" or parsed.region or not parsed.resource.startswith("policy/"):
        raise errors.bad_policy_arn(text)


def _tags(request: Request) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
    if len(_folded(tags)) < len(request.get("Tags", ())):
        raise errors.duplicate_tags()
    return tags


def _folded(keys: dict[str, str] | tuple[str, ...]) -> set[str]:
    return {key.lower() for key in keys}
