"""The model's constraints, answered in the words that AWS uses."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.wire.http import HttpRequest
from lambent.wire.models import Models

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.wire.codec import OperationCodec

ROLE = "arn:aws:iam::000000000000:role/r"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


def refusal(codec: OperationCodec, http: HttpRequest, body: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        codec.decode(http, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    return caught.value


def create_function(models: Models, **changes: Any) -> AwsError:
    request = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": "UEs="}, **changes}
    given = {name: value for name, value in request.items() if value is not ...}
    return refusal(
        models.codec("lambda", "CreateFunction"), HttpRequest("POST", "/2015-03-31/functions", "", []), given
    )


def test_a_missing_member_is_null(models: Models) -> None:
    error = create_function(models, Role=...)
    assert str(error) == (
        "ValidationException: 1 validation error detected: "
        "Value null at 'role' failed to satisfy constraint: Member must not be null"
    )


def test_a_null_member_counts_as_missing(models: Models) -> None:
    assert "Value null at 'role'" in create_function(models, Role=None).message


def test_a_long_value_is_told_in_part(models: Models) -> None:
    error = create_function(models, Description="d" * 3_000_000)
    shown = "d" * limits.VALUE_TOLD_LENGTH
    assert f"Value '{shown}...' at 'description' failed" in error.message
    assert len(error.message) < limits.VALUE_TOLD_LENGTH + 200


def test_several_violations_are_counted_and_joined(models: Models) -> None:
    error = create_function(models, Role="nope", Timeout=0)
    assert error.message == (
        "2 validation errors detected: "
        "Value 'nope' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+; "
        "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"
    )


def test_at_most_ten_violations_are_told() -> None:
    codec = Models().codec("logs", "PutLogEvents")
    events = [{"timestamp": -1, "message": "m"}] * 20
    request = {"logGroupName": "g", "logStreamName": "s", "logEvents": events}
    error = refusal(codec, HttpRequest("POST", "/", "", []), request)
    assert error.message.startswith("10 validation errors detected: Value '-1' at 'logEvents.1.member.timestamp'")
    assert error.message.count("; ") == 9


def test_a_nested_member_is_named_by_its_path(models: Models) -> None:
    message = create_function(models, SnapStart={"ApplyOn": "Sometimes"}).message
    assert "Value 'Sometimes' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum" in message


def test_a_bad_element_is_told_at_its_list(models: Models) -> None:
    assert create_function(models, Architectures=["x86"]).message == (
        "1 validation error detected: Value '[x86]' at 'architectures' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"
    )


def test_a_list_that_is_too_long(models: Models) -> None:
    assert create_function(models, Architectures=["x86_64", "arm64"]).message == (
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: "
        "Member must have length less than or equal to 1"
    )


def test_a_null_element_is_told_at_its_list(models: Models) -> None:
    assert "Value '[null]' at 'architectures' failed" in create_function(models, Architectures=[None]).message


def test_a_bad_key_and_a_bad_value_are_told_at_their_map(models: Models) -> None:
    error = create_function(models, Tags={"k" * 129: "v" * 257})
    assert (
        "' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less"
        in (error.message)
    )
    assert "' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length" in (
        error.message
    )


def test_a_sensitive_value_is_never_shown(models: Models) -> None:
    error = create_function(models, Environment={"Variables": {"1SECRET": "hunter2"}})
    assert "Value '***Sensitive Data Redacted***' at 'environment.variables' failed" in error.message
    assert "hunter2" not in error.message
    assert "SECRET" not in error.message


def test_what_the_service_checks_itself_is_left_alone(models: Models) -> None:
    request = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": "UEs="}, "Runtime": "cobol"}
    codec = models.codec("lambda", "CreateFunction")
    http = HttpRequest("POST", "/2015-03-31/functions", "", [])
    assert codec.decode(http, json.dumps(request).encode())["Runtime"] == "cobol"


def test_the_code_is_the_services_own(models: Models) -> None:
    http = HttpRequest("POST", "/", "", [])
    group = refusal(models.codec("logs", "CreateLogGroup"), http, {"logGroupName": ""})
    assert group.code == "InvalidParameterException"
    assert refusal(models.codec("iam", "GetRole"), http, b"Action=GetRole").code == "ValidationError"
    assert refusal(models.codec("dynamodb", "DescribeTable"), http, {}).code == "ValidationException"


def test_an_element_of_a_structure_is_named_by_its_number(models: Models) -> None:
    tags = "Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.2.Key=&Tags.member.2.Value=b"
    body = f"Action=TagRole&RoleName=r&{tags}".encode()
    error = refusal(models.codec("iam", "TagRole"), HttpRequest("POST", "/", "", []), body)
    assert "Value at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater" in error.message


def test_a_good_request_passes_whole(models: Models) -> None:
    request = {
        "FunctionName": "f",
        "Role": ROLE,
        "Code": {"ZipFile": "UEs="},
        "Tags": {"Größe": "groß"},
        "Environment": {"Variables": {"A_1": "x"}},
        "VpcConfig": {"SubnetIds": []},
        "MemorySize": 128,
    }
    codec = models.codec("lambda", "CreateFunction")
    decoded = codec.decode(HttpRequest("POST", "/2015-03-31/functions", "", []), json.dumps(request).encode())
    assert decoded == {**request, "Code": {"ZipFile": b"PK"}}


def test_a_shape_that_contains_itself_is_checked_all_the_way_down(tmp_path: Path) -> None:
    description = {
        "metadata": {"protocol": "json", "endpointPrefix": "x", "targetPrefix": "X", "jsonVersion": "1.1"},
        "operations": {"Put": {"name": "Put", "input": {"shape": "Tree"}}},
        "shapes": {
            "Tree": {"type": "structure", "members": {"Left": {"shape": "Tree"}, "Leaf": {"shape": "Leaf"}}},
            "Leaf": {"type": "string", "max": 2},
        },
    }
    file = tmp_path / "x" / "1" / "service-2.json.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(json.dumps(description).encode()))
    codec = Models(folder=tmp_path).codec("x", "Put")
    error = refusal(codec, HttpRequest("POST", "/", "", []), {"Left": {"Left": {"Leaf": "long"}}})
    assert "at 'left.left.leaf'" in error.message


def test_the_values_of_an_enum_are_listed_in_the_order_of_aws(models: Models) -> None:
    codec = models.codec("lambda", "CreateFunctionUrlConfig")
    http = HttpRequest("POST", "/2021-10-31/functions/f/url", "", [])
    error = refusal(codec, http, {"AuthType": "NONE", "InvokeMode": "X"})
    assert error.message.endswith("Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]")
    for name, order in models.overlay("lambda").enum_orders.items():
        shape = models.service("lambda").refer({"shape": name})
        assert shape is not None
        assert sorted(order) == sorted(shape.traits["enum"])
