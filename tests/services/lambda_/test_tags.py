"""Tags of every resource of Lambda that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.services.lambda_.calls import create, new, own_client, refused
from tests.support import ROLE

if TYPE_CHECKING:
    from tests.conftest import Server

INVALID = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"
TOO_MANY = "Number of tags exceeds resource tag limit."
KINDS = ["function", "event source mapping", "code signing config", "capacity provider"]
PUBLISHERS = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"]}
PROVIDER = {
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
}
RESERVED = "aws: prefixed tag key names are not allowed for external use."


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def made(client: Any, kind: str, **members: Any) -> str:
    """Make a resource; returns its ARN."""
    match kind:
        case "function":
            arn: str = client.create_function(**new("g", **members))["FunctionArn"]
        case "event source mapping":
            answer = client.create_event_source_mapping(FunctionName="f", EventSourceArn=QUEUE, **members)
            arn = answer["EventSourceMappingArn"]
        case "code signing config":
            answer = client.create_code_signing_config(AllowedPublishers=PUBLISHERS, **members)
            arn = answer["CodeSigningConfig"]["CodeSigningConfigArn"]
        case _:
            answer = client.create_capacity_provider(CapacityProviderName="p", **PROVIDER, **members)
            arn = answer["CapacityProvider"]["CapacityProviderArn"]
    return arn


@pytest.fixture(params=KINDS)
def resource(client: Any, request: pytest.FixtureRequest) -> str:
    """The ARN of a resource without tags."""
    create(client, "f")
    return made(client, request.param)


def tags(client: Any, resource: str) -> Any:
    return client.list_tags(Resource=resource)["Tags"]


def test_tags_come_and_go(client: Any, resource: str) -> None:
    assert tags(client, resource) == {}
    client.tag_resource(Resource=resource, Tags={"a": "1", "b": ""})
    client.tag_resource(Resource=resource, Tags={"b": "2", "c": "3"})
    assert tags(client, resource) == {"a": "1", "b": "2", "c": "3"}
    client.untag_resource(Resource=resource, TagKeys=["a", "c", "d"])
    assert tags(client, resource) == {"b": "2"}


def test_a_resource_has_fifty_tags_at_most(client: Any, resource: str) -> None:
    many = {str(number): "" for number in range(limits.TAGS)}
    client.tag_resource(Resource=resource, Tags=many)
    assert refused(client, INVALID, client.tag_resource, Resource=resource, Tags={"one more": ""}) == TOO_MANY
    client.tag_resource(Resource=resource, Tags={"0": "changed"})
    assert tags(client, resource) == many | {"0": "changed"}


@pytest.mark.parametrize("key", ["aws:", "aws:cloudformation:stack-name", "AWS:x"])
def test_the_tags_of_aws_are_not_for_others(client: Any, resource: str, key: str) -> None:
    text = refused(client, INVALID, client.tag_resource, Resource=resource, Tags={"a": "", key: ""})
    assert text == RESERVED
    assert tags(client, resource) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_tags_of_a_new_resource_are_checked_and_kept(client: Any, kind: str) -> None:
    create(client, "f")
    many = {str(number): "" for number in range(limits.TAGS + 1)}
    for bad, text in ((many, TOO_MANY), ({"aws:a": ""}, RESERVED)):
        with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
            made(client, kind, Tags=bad)
        assert caught.value.response["Error"]["Message"] == text
    assert tags(client, made(client, kind, Tags={"a": "1"})) == {"a": "1"}


def test_only_the_callers_resources_of_this_region_are_tagged(client: Any, resource: str) -> None:
    calls = [
        (client.tag_resource, {"Tags": {"a": ""}}),
        (client.untag_resource, {"TagKeys": ["a"]}),
        (client.list_tags, {}),
    ]
    account = resource.split(":")[4]
    for call, members in calls:
        refused(client, MISSING, call, Resource=resource.replace("us-east-1", "eu-west-1"), **members)
        theirs = resource.replace(account, "999999999999")
        refused(client, "AccessDeniedException", call, Resource=theirs, **members)


def test_a_mapping_that_is_not_there_has_no_tags(client: Any) -> None:
    arn = create(client, "f")["FunctionArn"].partition(":function:")[0]
    missing = f"{arn}:event-source-mapping:00000000-0000-4000-8000-000000000000"
    calls = [
        (client.tag_resource, {"Tags": {"a": ""}}),
        (client.untag_resource, {"TagKeys": ["a"]}),
        (client.list_tags, {}),
    ]
    for call, members in calls:
        text = refused(client, MISSING, call, Resource=missing, **members)
        assert text == "The resource you requested does not exist."


def test_a_network_connector_which_no_operation_makes_is_not_found(client: Any) -> None:
    arn = create(client, "f")["FunctionArn"].partition(":function:")[0]
    refused(client, MISSING, client.list_tags, Resource=f"{arn}:network-connector:c")


def test_tags_leave_a_change_that_is_under_way_alone(client: Any) -> None:
    client.create_function(**new("f", Tags={"a": "1"}))
    arn = client.get_function_configuration(FunctionName="f")["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"b": "2"})
    create(client, "g")
    held = client.get_function(FunctionName="f")
    assert held["Tags"] == {"a": "1", "b": "2"}
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0, "MaxAttempts": 200})
