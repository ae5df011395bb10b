"""The comparison of answers with the model finds what it is there for."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.answers import check

MODEL = boto3.session.Session(region_name="us-east-1").client("lambda").meta.service_model


def answer(body: Any, status: int = 200) -> dict[str, Any]:
    return {"body": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}, "status_code": status}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Functions": [{"FunctionName": "f", "MemorySize": 128}]}, 200),
        ({"Functions": [{"Environment": {"Variables": {"a": "b"}}}], "NextMarker": "n"}, 200),
        ({"Message": "no", "Anything": 1}, 404),
    ],
    ids=["a function", "a map", "an error"],
)
def test_what_the_model_has_is_right(body: Any, status: int) -> None:
    check(answer(body, status), MODEL.operation_model("ListFunctions"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Functions": [{"FunctionName": None}]}, 200),
        ({"Functions": [{"Colour": "green"}]}, 200),
        ({"Functions": [{"MemorySize": "128"}]}, 200),
        ({"Functions": [{"MemorySize": True}]}, 200),
        ({"Functions": [{"Environment": {"Variables": {"a": None}}}]}, 200),
        ({"Functions": {}}, 200),
        ({"Message": "no", "Reason": None}, 404),
    ],
    ids=["null", "unknown", "text", "boolean", "null in a map", "no list", "null in an error"],
)
def test_what_the_model_does_not_have_is_wrong(body: Any, status: int) -> None:
    with pytest.raises(AssertionError):
        check(answer(body, status), MODEL.operation_model("ListFunctions"))
