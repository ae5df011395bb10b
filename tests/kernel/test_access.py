"""What a resource's policy says to those who ask."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import access
from lambent.kernel import policy as policy_module
from lambent.kernel.access import Question, Requester
from lambent.kernel.authority import Principal, Session

FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:f"
ROOT = Principal("444455556666", "arn:aws:iam::444455556666:root", "444455556666")
USER = Principal("444455556666", "arn:aws:iam::444455556666:user/team/ann", "AIDAANN")
SESSION = Principal(
    "444455556666",
    "arn:aws:sts::444455556666:assumed-role/worker/s",
    "AROAWORKER:s",
    Session(tags={"team": "blue"}),
)
BUCKET = Requester(service="s3.amazonaws.com")
NOBODY = Requester()


def policy(*given: dict[str, Any], version: str = "2012-10-17") -> tuple[access.Statement, ...]:
    common = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": FUNCTION}
    shown = [{name: value for name, value in (common | statement).items() if value is not None} for statement in given]
    return access.statements(json.dumps({"Version": version, "Statement": shown}))


def answer(
    held: tuple[access.Statement, ...],
    requester: Requester | Principal,
    action: str = "lambda:InvokeFunction",
    resource: str = FUNCTION,
    **context: str,
) -> str | None:
    asking = Requester(principal=requester) if isinstance(requester, Principal) else requester
    known = access.known_of(asking, 1_795_262_400.5) | {key.replace("_", ":"): value for key, value in context.items()}
    return access.answer(held, Question(requester=asking, action=action, resource=resource, context=known))


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("*", {"root", "user", "session", "bucket", "nobody"}),
        ({"AWS": "*"}, {"root", "user", "session", "bucket", "nobody"}),
        ({"AWS": "444455556666"}, {"root", "user", "session"}),
        ({"AWS": "arn:aws:iam::444455556666:root"}, {"root", "user", "session"}),
        ({"AWS": ["arn:aws:iam::444455556666:user/team/ann"]}, {"user"}),
        ({"AWS": "arn:aws:iam::444455556666:role/path/worker"}, {"session"}),
        ({"AWS": "arn:aws:iam::444455556666:role/other"}, set()),
        ({"AWS": "arn:aws:iam::000000000000:role/worker"}, set()),
        ({"AWS": "arn:aws:sts::444455556666:assumed-role/worker/s"}, {"session"}),
        ({"AWS": "arn:aws:sts::444455556666:assumed-role/worker/t"}, set()),
        ({"Service": "s3.amazonaws.com"}, {"bucket"}),
        ({"Service": ["sns.amazonaws.com"], "AWS": "444455556666"}, {"root", "user", "session"}),
        ({"Federated": "cognito-identity.amazonaws.com"}, set()),
    ],
    ids=lambda given: json.dumps(given) if not isinstance(given, set) else "",
)
def test_a_principal_stands_for_those_it_names(principal: Any, allowed: set[str]) -> None:
    asking: dict[str, Requester | Principal] = {
        "root": ROOT,
        "user": USER,
        "session": SESSION,
        "bucket": BUCKET,
        "nobody": NOBODY,
    }
    held = policy({"Principal": principal})
    assert {name for name, one in asking.items() if answer(held, one) == "Allow"} == allowed


def test_not_principal_is_everybody_else() -> None:
    held = policy({"Principal": None, "NotPrincipal": {"AWS": "444455556666"}, "Effect": "Deny"})
    assert answer(held, ROOT) is None
    assert answer(held, BUCKET) == "Deny"


@pytest.mark.parametrize(
    ("action", "applies"),
    [("*", True), ("lambda:*", True), ("LAMBDA:invoke*", True), ("lambda:InvokeFunctionUrl", False), ([], False)],
    ids=["all", "of the service", "case", "another", "none"],
)
def test_an_action_is_named_by_a_pattern_of_any_case(action: Any, applies: bool) -> None:
    assert (answer(policy({"Action": action}), ROOT) == "Allow") is applies


def test_not_action_and_not_resource_are_all_others() -> None:
    held = policy({"Action": None, "NotAction": "lambda:Get*"})
    assert (answer(held, ROOT), answer(held, ROOT, "lambda:GetFunction")) == ("Allow", None)
    held = policy({"Resource": None, "NotResource": f"{FUNCTION}:live"})
    assert (answer(held, ROOT), answer(held, ROOT, resource=f"{FUNCTION}:live")) == ("Allow", None)


def test_a_resource_is_named_exactly_or_with_wildcards() -> None:
    held = policy({"Resource": f"{FUNCTION}:*"})
    assert (answer(held, ROOT), answer(held, ROOT, resource=f"{FUNCTION}:live")) == (None, "Allow")
    assert answer(policy({"Resource": "*"}), ROOT) == "Allow"


def test_deny_wins_and_silence_is_neither() -> None:
    allow, deny = {"Principal": {"AWS": "444455556666"}}, {"Principal": {"AWS": USER.arn}, "Effect": "Deny"}
    held = policy(allow, deny)
    assert [answer(held, one) for one in (ROOT, USER, BUCKET)] == ["Allow", "Deny", None]


def test_a_source_is_checked() -> None:
    source = {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b*"}, "StringEquals": {"AWS:SourceAccount": "111122223333"}}
    held = policy({"Principal": {"Service": "s3.amazonaws.com"}, "Condition": source})
    known = {"aws_sourcearn": "arn:aws:s3:::bucket", "aws_sourceaccount": "111122223333"}
    assert answer(held, BUCKET, **known) == "Allow"
    assert answer(held, BUCKET, **{**known, "aws_sourceaccount": "999999999999"}) is None
    assert answer(held, BUCKET) is None


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("aws:PrincipalAccount", "444455556666", {"root", "user", "session"}),
        ("aws:PrincipalArn", "arn:aws:iam::444455556666:role/worker", {"session"}),
        ("aws:PrincipalType", "User", {"user"}),
        ("aws:username", "ann", {"user"}),
        ("aws:userid", "AROAWORKER:s", {"session"}),
        ("aws:PrincipalTag/team", "blue", {"session"}),
        ("aws:PrincipalServiceName", "s3.amazonaws.com", {"bucket"}),
        ("aws:PrincipalIsAWSService", "true", {"bucket"}),
        ("aws:EpochTime", "1795262400", {"root", "user", "session", "bucket"}),
        ("aws:CurrentTime", "2026-11-21T12:00:00Z", {"root", "user", "session", "bucket"}),
        ("aws:PrincipalOrgID", "o-1", set()),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_conditions_know_who_asks_and_when(key: str, value: str, names: set[str]) -> None:
    asking = {"root": ROOT, "user": USER, "session": SESSION, "bucket": BUCKET}
    held = policy({"Condition": {"StringEquals": {key: value}}})
    assert {name for name, one in asking.items() if answer(held, one) == "Allow"} == names


def test_variables_are_those_of_the_newer_version() -> None:
    statement = {"Condition": {"StringEquals": {"aws:username": "${aws:username}"}}}
    assert answer(policy(statement), USER) == "Allow"
    assert answer(policy(statement), ROOT) is None
    assert answer(policy(statement, version="2008-10-17"), USER) is None
    assert answer(policy({"Resource": "arn:aws:lambda:us-east-1:${aws:team}:function:f"}), ROOT) is None


def test_a_principal_of_another_form_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        access.principals(msgspec.Raw(b'"somebody"'))


SCALARS = (
    some.sampled_from(["*", "${aws:username}", "${", "2026", str(2**62), "1e9", "::1/0", "true", True, 0, -1.5, ""])
    | some.text()
)
CONDITIONS = some.dictionaries(
    some.sampled_from([prefix + name for name in sorted(policy_module._OPERATORS) for prefix in ("", "ForAllValues:")]),
    some.dictionaries(
        some.sampled_from(["aws:username", "aws:EpochTime", "aws:PrincipalArn", "x"]), SCALARS | some.lists(SCALARS)
    ),
    max_size=2,
)


@given(
    condition=CONDITIONS,
    principal=some.just("*")
    | some.dictionaries(some.sampled_from(["AWS", "Service"]), some.text() | some.lists(some.text())),
    texts=some.tuples(some.text(max_size=20), some.text(alphabet="*?:${}ab", max_size=20)),
)
def test_whatever_is_sound_can_be_asked(condition: dict[str, Any], principal: Any, texts: tuple[str, str]) -> None:
    actions, resources = [f"lambda:{texts[0].replace(':', '')}", "*"], [texts[1], "*"]
    statement = {"Effect": "Deny", "Principal": principal, "Condition": condition}
    text = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Action": actions, "Resource": resources}]})
    try:
        policy_module.check_resource_policy(text)
    except policy_module.PolicyFault:
        return
    for one in (USER, BUCKET, NOBODY):
        assert answer(access.statements(text), one) in (None, "Deny")
