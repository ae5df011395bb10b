"""Which function a FunctionName names, for the caller who gives it."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kernel.authority import Principal
from lambent.kernel.call import Call
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import names

MODEL = botocore.session.get_session().get_service_model("lambda")
HERE = FunctionKey("123456789012", "eu-central-1", "my-function")
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:my-function"


def call(operation: str = "GetFunction") -> Call[Any]:
    return Call(
        parts=None,
        operation=operation,
        account="123456789012",
        region="eu-central-1",
        principal=Principal("123456789012", "arn:aws:iam::123456789012:root", "123456789012"),
        request_id="9d8a3c1e-0000-4000-8000-000000000000",
        endpoint="http://127.0.0.1:4566",
    )


@pytest.mark.parametrize(
    "text",
    ["my-function", "function:my-function", "123456789012:function:my-function", "123456789012:my-function", ARN],
)
@pytest.mark.parametrize("qualifier", [None, "$LATEST", "7", "live"])
def test_every_form_names_the_same_function(text: str, qualifier: str | None) -> None:
    qualified = f"{text}:{qualifier}" if qualifier else text
    assert names.parse(call(), qualified) == (HERE, qualifier)
    assert names.parse(call(), text, qualifier) == (HERE, qualifier)
    assert names.parse(call(), qualified, qualifier) == (HERE, qualifier)


@given(st.from_regex(r"[a-zA-Z0-9-_]{1,64}", fullmatch=True))
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert names.parse(call(), name) == (FunctionKey(HERE.account, HERE.region, name), None)


@given(st.from_regex(r"[a-zA-Z0-9-_]{1,64}", fullmatch=True), st.sampled_from(["$LATEST", "1", "live"]))
def test_the_arn_of_a_key_names_it(name: str, qualifier: str) -> None:
    key = FunctionKey(HERE.account, HERE.region, name)
    assert names.parse(call(), key.arn()) == (key, None)
    assert names.parse(call(), key.arn(qualifier)) == (key, qualifier)


@pytest.mark.parametrize("shape", ["FunctionName", "NamespacedFunctionName"])
@given(data=st.data())
def test_whatever_the_model_lets_through_is_understood(shape: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(re.compile(MODEL.shape_for(shape).metadata["pattern"], re.ASCII), fullmatch=True))
    try:
        key, _ = names.parse(call(), text)
    except AwsError as error:
        assert error.code in ("ResourceNotFoundException", "AccessDeniedException")
    else:
        assert (key.account, key.region) == (HERE.account, HERE.region)


def test_another_region_is_not_reachable() -> None:
    with pytest.raises(AwsError) as caught:
        names.parse(call(), ARN.replace("eu-central-1", "us-east-1"))
    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.message == "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')"


@pytest.mark.parametrize(("operation", "action"), [("GetFunction", "GetFunction"), ("Invoke", "InvokeFunction")])
def test_another_account_is_not_reachable(operation: str, action: str) -> None:
    with pytest.raises(AwsError) as caught:
        names.parse(call(operation), ARN.replace("123456789012", "210987654321"))
    assert caught.value.code == "AccessDeniedException"
    assert caught.value.status == 403
    assert f"is not authorized to perform: lambda:{action} on resource: arn:aws:lambda" in caught.value.message


def test_two_qualifiers_have_to_agree() -> None:
    with pytest.raises(AwsError, match="derived qualifier"):
        names.parse(call(), f"{ARN}:1", "2")


def test_a_new_function_has_no_qualifier() -> None:
    with pytest.raises(AwsError) as caught:
        names.parse_new(call("CreateFunction"), "my-function:live")
    assert caught.value.code == "InvalidParameterValueException"


@pytest.mark.parametrize("form", ["{}", "function:{}", "arn:aws:lambda:eu-central-1:123456789012:function:{}"])
def test_a_new_name_has_at_most_64_characters(form: str) -> None:
    assert names.parse_new(call("CreateFunction"), form.format("a" * 64)).name == "a" * 64
    with pytest.raises(AwsError, match="less than or equal to 64") as caught:
        names.parse_new(call("CreateFunction"), form.format("a" * 65))
    assert caught.value.code == "InvalidParameterValueException"
