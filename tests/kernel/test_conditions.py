"""Condition operators of policies."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.kernel import conditions, policy

CONTEXT: conditions.Context = {
    "aws:sourcearn": "arn:aws:s3:::bucket",
    "aws:sourceaccount": "111122223333",
    "aws:currenttime": "2026-11-21T12:00:00Z",
    "aws:epochtime": "1795262400",
    "aws:sourceip": "203.0.113.7",
    "aws:securetransport": "true",
    "aws:username": "ann",
    "s3:max-keys": "10",
    "aws:tagkeys": ("team", "cost"),
    "aws:none": (),
}

HOLDS: dict[str, dict[str, dict[str, Any]]] = {
    "one address of two": {"IpAddress": {"aws:SourceIp": ["here", "203.0.113.0/24"]}},
    "not the one address of two": {"NotIpAddress": {"aws:SourceIp": ["here", "198.51.100.0/24"]}},
    "one number of two": {"NumericEquals": {"s3:max-keys": ["ten", 10]}},
    "equal": {"StringEquals": {"AWS:SourceAccount": "111122223333"}},
    "one of several": {"StringEquals": {"aws:SourceAccount": ["1", "111122223333"]}},
    "not equal": {"StringNotEquals": {"aws:SourceAccount": ["1", "2"]}},
    "not equal where absent": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
    "case": {"StringEqualsIgnoreCase": {"aws:username": "ANN"}},
    "not case": {"StringNotEqualsIgnoreCase": {"aws:username": "BOB"}},
    "like": {"StringLike": {"aws:username": "a?n*"}},
    "not like": {"StringNotLike": {"aws:username": "b*"}},
    "variable": {"StringEquals": {"aws:username": "${aws:username}"}},
    "ARN": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b*"}},
    "ARN equal": {"ArnEquals": {"AWS:SourceArn": "arn:aws:s3:::b*"}},
    "not ARN": {"ArnNotLike": {"AWS:SourceArn": "arn:aws:sns:*"}},
    "not ARN equal": {"ArnNotEquals": {"AWS:SourceArn": "arn:aws:s3:::other"}},
    "bool": {"Bool": {"aws:SecureTransport": True}},
    "bool as text": {"Bool": {"aws:SecureTransport": "true"}},
    "number": {"NumericLessThanEquals": {"s3:max-keys": 10}},
    "number above": {"NumericGreaterThan": {"s3:max-keys": "9.5"}},
    "not number": {"NumericNotEquals": {"s3:max-keys": "11"}},
    "before a month": {"DateLessThan": {"aws:CurrentTime": "2026-12"}},
    "after a year": {"DateGreaterThan": {"aws:CurrentTime": "2026"}},
    "after 1969": {"DateGreaterThan": {"aws:CurrentTime": "-1"}},
    "before the end of time": {"DateLessThan": {"aws:CurrentTime": str(2**62)}},
    "before": {"DateLessThan": {"aws:CurrentTime": "2026-11-22"}},
    "after": {"DateGreaterThanEquals": {"aws:CurrentTime": "2026-11-21T13:00:00+01:00"}},
    "epoch": {"DateEquals": {"aws:EpochTime": "2026-11-21T12:00:00Z"}},
    "address": {"IpAddress": {"aws:SourceIp": ["2001:db8::/32", "203.0.113.0/24"]}},
    "not address": {"NotIpAddress": {"aws:SourceIp": "203.0.113.8"}},
    "null": {"Null": {"aws:PrincipalOrgID": "true"}},
    "not null": {"Null": {"aws:username": "false"}},
    "null of nothing": {"Null": {"aws:none": True}},
    "if exists, absent": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}},
    "if exists, there": {"StringEqualsIfExists": {"aws:username": "ann"}},
    "any": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["cost", "other"]}},
    "all": {"ForAllValues:StringLike": {"aws:TagKeys": ["*t*"]}},
    "all of none": {"ForAllValues:StringEquals": {"aws:none": "x"}},
    "any not": {"ForAnyValue:StringNotEquals": {"aws:TagKeys": "cost"}},
    "both": {"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:SecureTransport": "true"}},
    "nothing": {},
}
FAILS: dict[str, dict[str, dict[str, Any]]] = {
    "equal": {"StringEquals": {"aws:SourceAccount": "11112222333"}},
    "absent": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    "not equal": {"StringNotEquals": {"aws:SourceAccount": ["1", "111122223333"]}},
    "case": {"StringEquals": {"aws:username": "Ann"}},
    "wildcard": {"StringEquals": {"aws:username": "a*"}},
    "ARN": {"ArnLike": {"AWS:SourceArn": "arn:aws:*:bucket"}},
    "bool": {"Bool": {"aws:SecureTransport": False}},
    "number": {"NumericLessThan": {"s3:max-keys": "10"}},
    "no number": {"NumericEquals": {"aws:username": "10"}},
    "no number, negated": {"NumericNotEquals": {"aws:username": "10"}},
    "date": {"DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}},
    "no date": {"DateEquals": {"aws:CurrentTime": "soon"}},
    "far date": {"DateEquals": {"aws:CurrentTime": "9" * 30}},
    "address": {"IpAddress": {"aws:SourceIp": "203.0.113.8/31"}},
    "other family": {"IpAddress": {"aws:SourceIp": "2001:db8::/32"}},
    "no address at all": {"NotIpAddress": {"aws:SourceIp": ["here", "there"]}},
    "no address": {"IpAddress": {"aws:username": "203.0.113.0/24"}},
    "null": {"Null": {"aws:username": "true"}},
    "if exists": {"StringEqualsIfExists": {"aws:username": "bob"}},
    "any": {"ForAnyValue:StringEquals": {"aws:TagKeys": "other"}},
    "any of none": {"ForAnyValue:StringEquals": {"aws:none": "x"}},
    "any of none, negated": {"ForAnyValue:StringNotEquals": {"aws:none": "x"}},
    "all": {"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}},
    "one of two": {"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_condition_holds(name: str) -> None:
    assert conditions.hold(HOLDS[name], CONTEXT, variables=True)


@pytest.mark.parametrize("name", FAILS)
def test_a_condition_does_not_hold(name: str) -> None:
    assert not conditions.hold(FAILS[name], CONTEXT, variables=True)


def test_every_operator_that_may_be_stored_can_be_asked() -> None:
    assert set(conditions._OPERATORS) == policy._OPERATORS
    tried = {name.rpartition(":")[2].lower() for tests in (HOLDS, FAILS) for one in tests.values() for name in one}
    assert {name.removesuffix("ifexists") for name in tried} <= policy._OPERATORS | {"null"}
