"""Amazon Resource Names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.arn import Arn, arn

FIELD = some.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", max_size=12)
RESOURCE = some.text(alphabet="abcAZ09:/*$._-", min_size=1, max_size=30)


@given(partition=FIELD.filter(bool), service=FIELD.filter(bool), region=FIELD, account=FIELD, resource=RESOURCE)
def test_an_arn_survives_its_text(partition: str, service: str, region: str, account: str, resource: str) -> None:
    name = Arn(partition, service, region, account, resource)
    assert Arn.parse(str(name)) == name


def test_a_resource_keeps_its_colons() -> None:
    name = Arn.parse("arn:aws:lambda:eu-west-1:123456789012:function:hello:live")
    assert name == Arn("aws", "lambda", "eu-west-1", "123456789012", "function:hello:live")


def test_region_and_account_may_be_empty() -> None:
    assert Arn.parse("arn:aws:s3:::bucket/key") == Arn("aws", "s3", "", "", "bucket/key")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "arn",
        "arn:aws:lambda:eu-west-1:123456789012",
        "arn:aws:lambda:eu-west-1:123456789012:",
        "nra:aws:lambda:eu-west-1:123456789012:function:x",
        "arn::lambda:r:a:x",
        "arn:aws::r:a:x",
    ],
)
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)


def test_arns_are_made_in_the_aws_partition() -> None:
    assert arn("sqs", "us-east-1", "000000000000", "queue") == "arn:aws:sqs:us-east-1:000000000000:queue"


def test_arns_are_usable_as_keys() -> None:
    names = [Arn.parse(f"arn:aws:sqs:us-east-1:1:{name}") for name in "ba"]
    assert len({*names, Arn.parse(str(names[0]))}) == 2
