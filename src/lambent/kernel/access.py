"""What policies say to a request: allowed, denied, or nothing.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from lambent.kernel import conditions, wildcards
from lambent.kernel.arn import Arn, arn
from lambent.kernel.authority import Principal  # noqa: TC001 msgspec reads it at run time
from lambent.kernel.conditions import Context  # noqa: TC001 msgspec reads it at run time
from lambent.kernel.policy import VERSIONS, Condition, Document

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS: Final = {
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "root": "Account",
    "user": "User",
}

Principals = dict[str, tuple[str, ...]]
"""Names by their kind: `AWS`, `Service`, `Federated`, `CanonicalUser`. Everybody is `*` of `AWS`."""


class Requester(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: one of an account's, or a service of AWS, or with neither somebody who has not said who they are."""

    principal: Principal | None = None
    service: str | None = None
    """As policies name it: `s3.amazonaws.com`."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Whether `requester` may do something; what policies are asked."""

    requester: Requester
    action: str
    """`lambda:InvokeFunction`."""
    resource: str
    """The ARN that it would be done to."""
    context: Context


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of a policy, ready to be asked."""

    effect: str
    principals: Principals
    actions: tuple[str, ...]
    """In lower case, for they are compared without regard to it."""
    resources: tuple[str, ...]
    condition: Condition
    other_principals: bool
    """Whether it is about everybody but `principals`; so with the next two."""
    other_actions: bool
    other_resources: bool
    variables: bool
    """Whether the version of its policy knows variables."""

    def applies(self, question: Question) -> bool:
        """Whether it is about what is asked, and its conditions hold."""
        try:
            return (
                self._names_requester(question.requester) != self.other_principals
                and self._names_action(question.action) != self.other_actions
                and self._names_resource(question) != self.other_resources
                and conditions.hold(self.condition, question.context, variables=self.variables)
            )
        except wildcards.UnknownVariable:
            return False

    def _names_requester(self, requester: Requester) -> bool:
        named = self.principals.get("AWS", ())
        if "*" in named:
            return True
        if requester.service is not None:
            return requester.service in self.principals.get("Service", ())
        principal = requester.principal
        return principal is not None and any(_stands_for(name, principal) for name in named)

    def _names_action(self, action: str) -> bool:
        asked = action.lower()
        return any(name == asked or wildcards.matches(wildcards.pattern(name), asked) for name in self.actions)

    def _names_resource(self, question: Question) -> bool:
        return any(name in ("*", question.resource) or self._fits(name, question) for name in self.resources)

    def _fits(self, name: str, question: Question) -> bool:
        value_of = (lambda key: _single(question.context, key)) if self.variables else None
        return wildcards.arn_matches(wildcards.pattern(name, value_of), question.resource)


def statements(document: str) -> tuple[Statement, ...]:
    """The statements of a resource's policy, which has been checked before."""
    held = msgspec.json.decode(document, type=Document)
    return tuple(
        Statement(
            effect=one.effect,
            principals=principals(one.principal if one.not_principal is UNSET else one.not_principal),
            actions=tuple(map(str.lower, one.actions)),
            resources=tuple(one.resources),
            condition=one.condition,
            other_principals=one.not_principal is not UNSET,
            other_actions=one.not_action is not UNSET,
            other_resources=one.not_resource is not UNSET,
            variables=held.version == VERSIONS[0],
        )
        for one in held.statements
    )


def principals(raw: msgspec.Raw | UnsetType) -> Principals:
    """Whom the Principal element of a statement names. Raises msgspec.ValidationError for one of another form."""
    if raw is UNSET:
        return {}
    given = msgspec.json.decode(raw, type=Literal["*"] | dict[str, str | list[str]])
    if given == "*":
        return {"AWS": ("*",)}
    return {kind: (names,) if isinstance(names, str) else tuple(names) for kind, names in given.items()}


def answer(asked: Iterable[Statement], question: Question) -> Literal["Allow", "Deny"] | None:
    """What the statements say together: one that denies wins over any that allow; None where none applies."""
    effects = {one.effect for one in asked if one.applies(question)}
    if "Deny" in effects:
        return "Deny"
    return "Allow" if "Allow" in effects else None


def known_of(requester: Requester, seconds: float) -> dict[str, str]:
    """The condition keys that every request has: who asks, and the moment in seconds since the epoch.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    known = {
        "aws:currenttime": datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(seconds)),
        "aws:principalisawsservice": str(requester.service is not None).lower(),
    }
    if requester.service is not None:
        known["aws:principalservicename"] = requester.service
    if requester.principal is not None:
        known |= _known_of_principal(requester.principal)
    return known


def _known_of_principal(principal: Principal) -> dict[str, str]:
    kind, _, name = Arn.parse(principal.arn).resource.partition("/")
    session = principal.session
    return {
        "aws:principalaccount": principal.account,
        "aws:principalarn": _role_of(principal) or principal.arn,
        "aws:principaltype": _KINDS.get(kind, "Anonymous"),
        "aws:userid": principal.user_id,
        **({"aws:username": name.rpartition("/")[2]} if kind == "user" else {}),
        **({f"aws:principaltag/{key.lower()}": value for key, value in session.tags.items()} if session else {}),
    }


def _single(context: Context, key: str) -> str | None:
    value = context.get(key.lower())
    return value if isinstance(value, str) else None


def _stands_for(name: str, principal: Principal) -> bool:
    """Whether the name of a principal in a policy stands for this one: an account for all of its principals, a role
    for its sessions."""
    if name in (principal.arn, principal.account, arn("iam", "", principal.account, "root")):
        return True
    role = _role_of(principal)
    return role is not None and _without_path(name) == role


def _role_of(principal: Principal) -> str | None:
    """The role that a session is one of. Its path is not known from here, nor needed: names of roles are unique."""
    kind, _, rest = principal.arn.partition(":assumed-role/")
    if not kind.startswith("arn:") or not rest:
        return None
    return arn("iam", "", principal.account, f"role/{rest.partition('/')[0]}")


def _without_path(name: str) -> str:
    start, slash, rest = name.partition(":role/")
    return f"{start}{slash}{rest.rpartition('/')[2]}"
