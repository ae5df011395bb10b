"""Trust policies: what AWS says of those that break the grammar."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.policy import PolicyFault
from lambent.services.iam.rules.trust_policy import check_trust
from tests.services.iam.documents import trust

NOT_STS = "AssumeRole policy may only specify STS AssumeRole actions."
SYNTAX = "Syntax errors in policy."


def fault(text: str) -> str | None:
    """What is wrong with a trust policy; None for nothing."""
    try:
        check_trust(text)
    except PolicyFault as found:
        return str(found)
    return None


@pytest.mark.parametrize(
    "text",
    [
        trust(),
        trust({"AWS": "*"}),
        trust({"AWS": "123456789012"}),
        trust({"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/path/name"]}),
        trust({"AWS": "arn:aws:sts::123456789012:assumed-role/name/session"}),
        trust({"AWS": "AROAEXAMPLEEXAMPLEEXA"}),
        trust({"Federated": "cognito-identity.amazonaws.com"}, Action="sts:AssumeRoleWithWebIdentity"),
        trust({"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]}),
        trust(Action=["sts:AssumeRole", "sts:TagSession"]),
        trust(Action=["sts:*", "STS:assume????", "sts:**Role*", "sts:*e*R*e", "sts:TagSession*"]),
        trust(Action="sts:*"),
        trust(Action="STS:assumerole"),
        trust(Effect="Deny"),
        trust(Condition={"StringEquals": {"sts:ExternalId": "12345"}}),
        trust().replace('"Version": "2012-10-17", ', ""),
        trust().replace("2012-10-17", "2008-10-17"),
        trust().replace("[{", "{").replace("}]", "}"),
        "\n  " + trust() + "  \n",
    ],
)
def test_a_sound_trust_policy_passes(text: str) -> None:
    assert fault(text) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "This policy contains invalid Json"),
        ("not valid json", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ("{" * 100_000, "This policy contains invalid Json"),
        ('{"Version":"2012-10-17"}', "Could not parse the policy: Statement is empty!"),
        ('{"Version":"2012-10-17","Statement":[]}', "Could not parse the policy: Statement is empty!"),
        (trust().replace("2012", "2013"), "The policy must contain a valid version string"),
        (trust().replace("Version", "version"), "Unknown field version"),
        (trust(Extra="x"), "Unknown field Extra"),
        (trust(Effect="allow"), "Invalid effect: allow"),
        (trust().replace('"Effect": "Allow", ', ""), "Missing required field Effect"),
        (trust().replace('"Action": "sts:AssumeRole"', '"Sid": "x"'), "Missing required field Action"),
        (trust(Action=[]), "Missing required field Action"),
        (trust(Action="*"), NOT_STS),
        (trust(Action="s3:GetObject"), NOT_STS),
        (trust(Action="sts:GetCallerIdentity"), NOT_STS),
        (trust(Action="sts:[AaBb]ssumeRole"), NOT_STS),
        (trust(Action="sts:TagSession?"), NOT_STS),
        (trust(Action="sts:TagSessio"), NOT_STS),
        (trust(Action="sts:"), NOT_STS),
        (trust(Action="sts:" + "*?" * 30_000), NOT_STS),
        (trust(Action="sts:" + "*a" * 30_000), NOT_STS),
        (trust(Action=["sts:AssumeRole", "lambda:*"]), NOT_STS),
        (trust(Action=7), SYNTAX),
        (trust(NotAction="sts:AssumeRole"), SYNTAX),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust({}), "Missing required field Principal cannot be empty!"),
        (trust("*"), "Principal must be a JSON object."),
        (trust({"Nobody": "x"}), 'Invalid principal in policy: "Nobody"'),
        (trust({"AWS": "alice"}), 'Invalid principal in policy: "AWS":"alice"'),
        (trust({"AWS": "arn:aws:iam::123456789012:role/*"}), None),
        (trust({"Service": "lambda"}), 'Invalid principal in policy: "SERVICE":"lambda"'),
        (trust({"AWS": [7]}), SYNTAX),
        (trust(NotPrincipal={"AWS": "*"}), "Allow with NotPrincipal is not allowed."),
        (trust(Condition={"Nonsense": {"a": "b"}}), SYNTAX),
        (trust(Condition="x"), SYNTAX),
        (trust(Sid=7), SYNTAX),
    ],
)
def test_a_trust_policy_gets_aws_words(text: str, error: str | None) -> None:
    expected = error or 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/*"'
    assert fault(text) == expected


def test_statement_ids_are_unique() -> None:
    document = json.loads(trust(Sid="same"))
    document["Statement"] *= 2
    assert fault(json.dumps(document)) == "The Statement Ids in the policy are not unique"


def test_a_statement_needs_a_principal() -> None:
    document = json.loads(trust())
    del document["Statement"][0]["Principal"]
    assert fault(json.dumps(document)) == "Missing required field Principal"


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = some.sampled_from(["Sid", "Effect", "Principal", "Action", "NotAction", "Condition", "Resource"])


@given(some.dictionaries(MEMBERS, VALUES, max_size=4))
def test_any_statement_gets_a_verdict(members: dict[str, Any]) -> None:
    fault(trust(**members))


@given(VALUES)
def test_any_json_gets_a_verdict(value: Any) -> None:
    fault(json.dumps(value))
    fault(json.dumps({"Version": "2012-10-17", "Statement": value}))
