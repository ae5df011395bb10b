"""Policy documents: AWS's recorded verdicts, and whatever hypothesis thinks of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import policy

RECORDED = json.loads((Path(__file__).parents[1] / "services/iam/recorded/policy_documents.json").read_text())

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = some.sampled_from(["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"])
STATEMENTS = some.dictionaries(NAMES, VALUES | some.sampled_from(["Allow", "s3:Get*", "*"]), max_size=6)
DOCUMENTS = some.fixed_dictionaries(
    {"Version": some.sampled_from(policy.VERSIONS) | VALUES, "Statement": STATEMENTS | some.lists(STATEMENTS) | VALUES}
)


def document(case: dict[str, Any]) -> str:
    """The text of a recorded case's document."""
    if "document" in case:
        given = case["document"]
        return given if isinstance(given, str) else json.dumps(given)
    overlays = case.get("statements", [case.get("with")])
    statements = [RECORDED["statement"] | overlay for overlay in overlays]
    shown = [{name: value for name, value in each.items() if value is not None} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": shown if "statements" in case else shown[0]})


def fault(text: str) -> str | None:
    """What is wrong with a permissions policy; None for nothing."""
    try:
        policy.check_permissions(text)
    except policy.PolicyFault as found:
        return str(found)
    return None


@pytest.mark.parametrize(
    "case", RECORDED["cases"], ids=lambda case: str(case.get("with", case.get("document", "list")))[:60]
)
def test_a_document_gets_the_verdict_that_aws_gave(case: dict[str, Any]) -> None:
    assert fault(document(case)) == case["error"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ({"Principal": "*"}, "Policy document should not specify a principal."),
        ({"NotPrincipal": {"AWS": "*"}}, "Policy document should not specify a principal."),
        (
            {"Sid": "with space"},
            (
                "Statement IDs (SID) must be alpha-numeric. "
                "Check that your input satisfies the regular expression [0-9A-Za-z]*"
            ),
        ),
        ({"Resource": "arn:aws:*:::x"}, "Resource vendor must be fully qualified and cannot contain regexes."),
        ({"Condition": {"Null": {"aws:TokenIssueTime": True}}}, None),
        ({"Condition": {"NumericLessThan": {"s3:max-keys": 10}}}, None),
        ({"Condition": {"StringEquals": {"a": None}}}, "Syntax errors in policy."),
        ({"Condition": {"NullIfExists": {"a": "true"}}}, "Syntax errors in policy."),
    ],
)
def test_a_statement_is_checked_beyond_what_was_recorded(statement: dict[str, Any], error: str | None) -> None:
    assert fault(document({"with": statement})) == error


def test_deep_nesting_is_a_syntax_error() -> None:
    assert fault("[" * 100_000) == policy.SYNTAX
    assert fault('{"Statement":' * 20_000 + "1" + "}" * 20_000) == policy.SYNTAX


@given(DOCUMENTS)
def test_any_json_gets_a_verdict(value: Any) -> None:
    assert fault(json.dumps(value)) is None or isinstance(fault(json.dumps(value)), str)


@given(some.text(max_size=200))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert fault(text) is not None


@given(some.text(alphabet=" \t\r\nab", max_size=50))
def test_white_space_does_not_count(text: str) -> None:
    assert policy.characters(text) == sum(character in "ab" for character in text)
