"""The configurations of function URLs; what their URLs answer is tested in `test_url_requests`."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from lambent.kernel import limits
from lambent.kernel.ids import SeededIds
from lambent.services.lambda_.rules import urls as rules
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, own_client, publish, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["content-type", "x-own"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": ["https://example.com"],
    "ExposeHeaders": ["date"],
    "MaxAge": 300,
}


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(made, "f")
    return made


def make(client: Any, **members: Any) -> dict[str, Any]:
    """Create a URL; returns the answer without its metadata."""
    made: dict[str, Any] = client.create_function_url_config(**{"FunctionName": "f", "AuthType": "NONE"} | members)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    return made


def get(client: Any, **members: Any) -> dict[str, Any]:
    held: dict[str, Any] = client.get_function_url_config(**{"FunctionName": "f"} | members)
    del held["ResponseMetadata"]
    return held


def alias(client: Any, name: str) -> None:
    client.create_alias(FunctionName="f", Name=name, FunctionVersion="$LATEST")


def qualifiers(client: Any, **paging: Any) -> list[str]:
    pages = client.get_paginator("list_function_url_configs").paginate(FunctionName="f", PaginationConfig=paging)
    return [url["FunctionArn"].partition(":function:f")[2] for page in pages for url in page["FunctionUrlConfigs"]]


def test_a_url_has_what_it_was_given(client: Any) -> None:
    made = make(client, AuthType="AWS_IAM", Cors=CORS, InvokeMode="RESPONSE_STREAM")
    assert made["FunctionUrl"].startswith("http://")
    assert (made["AuthType"], made["Cors"], made["InvokeMode"]) == ("AWS_IAM", CORS, "RESPONSE_STREAM")
    assert made["FunctionArn"].endswith(":function:f")
    held = get(client)
    assert held.pop("LastModifiedTime") == made["CreationTime"]
    assert held == made


def test_the_url_is_of_this_server_and_nobodys_else(shared_lambent: Server, client: Any) -> None:
    port = shared_lambent.endpoint.rpartition(":")[2]
    alias(client, "a")
    urls = [make(client)["FunctionUrl"], make(client, Qualifier="a")["FunctionUrl"]]
    names = [
        re.fullmatch(rf"http://([0-9a-z]{{32}})\.lambda-url\.us-east-1\.localhost:{port}/", url)[1]  # type: ignore[index]
        for url in urls
    ]
    assert len(set(names)) == 2


def test_of_several_creations_one_succeeds(client: Any) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: _attempt(client), range(8)))
    assert sorted(outcomes) == [201, *[409] * 7]
    assert qualifiers(client) == [""]


def _attempt(client: Any) -> int:
    try:
        make(client)
    except client.exceptions.ResourceConflictException as error:
        status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status
    return 201


def test_names_are_drawn_evenly() -> None:
    ids = SeededIds(1)
    names = [rules.new_name(ids) for _ in range(200)]
    assert len(set(names)) == 200
    drawn = "".join(names)
    assert min(drawn.count(digit) for digit in "0123456789abcdefghijklmnopqrstuvwxyz") > 120


def test_an_update_changes_what_it_names(client: Any) -> None:
    made = make(client, Cors=CORS)
    answer = client.update_function_url_config(FunctionName="f", Cors={"AllowOrigins": ["*"]})
    assert answer["LastModifiedTime"] > made["CreationTime"]
    held = get(client)
    assert (held["FunctionUrl"], held["CreationTime"]) == (made["FunctionUrl"], made["CreationTime"])
    assert (held["AuthType"], held["InvokeMode"]) == ("NONE", "BUFFERED")
    assert held["Cors"] == {"AllowOrigins": ["*"]}
    assert "Cors" not in client.update_function_url_config(FunctionName="f", Cors={})
    assert "Cors" not in get(client)


def test_empty_lists_are_kept(client: Any) -> None:
    cors = {"AllowHeaders": [], "AllowOrigins": ["*"], "AllowCredentials": False, "MaxAge": 0}
    assert make(client, Cors=cors)["Cors"] == cors
    assert get(client)["Cors"] == cors


def test_a_url_is_named_by_every_form_of_its_function(client: Any) -> None:
    alias(client, "live")
    arn = make(client, Qualifier="live")["FunctionArn"]
    url = get(client, FunctionName=arn)["FunctionUrl"]
    account = arn.split(":")[4]
    for form in ("f:live", f"{account}:function:f:live", "function:f:live"):
        assert get(client, FunctionName=form)["FunctionUrl"] == url
    assert get(client, FunctionName=arn, Qualifier="live")["FunctionUrl"] == url


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"FunctionName": "f:1"}, [("functionName", "f:1")]),
        ({"FunctionName": "f:$LATEST"}, [("functionName", "f:$LATEST")]),
        ({"FunctionName": "a:b:c:d:e"}, [("functionName", "a:b:c:d:e")]),
        ({"FunctionName": "a" * 65}, [("functionName", "a" * 65)]),
        ({"FunctionName": "f.g", "Qualifier": "12"}, [("functionName", "f.g"), ("qualifier", "12")]),
    ],
    ids=["version", "latest", "parts", "long", "both"],
)
def test_names_that_nothing_can_have_are_refused(
    client: Any, members: dict[str, str], wrong: list[tuple[str, str]]
) -> None:
    for call in (client.get_function_url_config, client.delete_function_url_config):
        message = refused(client, "ValidationException", call, **members)
        assert message.startswith(f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: ")
        for member, value in wrong:
            assert f"Value '{value}' at '{member}' failed to satisfy constraint" in message


def test_functions_of_others_are_refused(client: Any) -> None:
    other = "arn:aws:lambda:us-east-1:999999999999:function:f"
    message = refused(client, "AccessDeniedException", client.get_function_url_config, FunctionName=other)
    assert "not authorized to perform: lambda:GetFunctionUrlConfig" in message
    elsewhere = "arn:aws:lambda:eu-west-1:999999999999:function:f"
    refused(client, "ResourceNotFoundException", client.get_function_url_config, FunctionName=elsewhere)


@pytest.mark.parametrize(
    ("members", "at"),
    [
        ({"AuthType": "BASIC"}, "authType"),
        ({"Cors": {"MaxAge": 86_401}}, "cors.maxAge"),
        ({"Cors": {"AllowMethods": ["OPTIONS"]}}, "cors.allowMethods"),
        ({"Cors": {"AllowOrigins": ["a"] * 101}}, "cors.allowOrigins"),
        ({"Cors": {"AllowHeaders": ["a" * 1025]}}, "cors.allowHeaders"),
    ],
    ids=["auth", "age", "method", "origins", "header"],
)
def test_what_the_model_does_not_allow_is_refused(client: Any, members: dict[str, Any], at: str) -> None:
    message = refused(client, "ValidationException", partial(make, client), **members)
    assert f"at '{at}' failed to satisfy constraint" in message


def test_urls_are_listed_page_by_page(client: Any) -> None:
    names = ["zeta", "Alpha", "live", "_x"]
    for name in names:
        alias(client, name)
        make(client, Qualifier=name)
    make(client)
    everything = ["", ":Alpha", ":_x", ":live", ":zeta"]
    assert qualifiers(client) == everything
    for size in (1, 2, 5):
        assert qualifiers(client, PageSize=size) == everything
    message = refused(
        client, "InvalidParameterValueException", client.list_function_url_configs, FunctionName="f", Marker="abc"
    )
    assert "Marker" in message
    refused(client, "ValidationException", client.list_function_url_configs, FunctionName="f", MaxItems=51)
    assert limits.URLS_LISTED == 50


def test_a_url_goes_with_its_function(client: Any) -> None:
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    make(client)
    make(client, Qualifier="live")
    client.delete_function(FunctionName="f")
    create(client, "f")
    assert qualifiers(client) == []
    refused(client, "ResourceNotFoundException", client.get_function_url_config, FunctionName="f:live")


def test_a_url_outlives_its_alias(client: Any) -> None:
    alias(client, "live")
    url = make(client, Qualifier="live")["FunctionUrl"]
    client.delete_alias(FunctionName="f", Name="live")
    assert get(client, Qualifier="live")["FunctionUrl"] == url
    refused(
        client, "ResourceNotFoundException", client.update_function_url_config, FunctionName="f:live", AuthType="NONE"
    )
    alias(client, "live")
    refused(client, "ResourceConflictException", partial(make, client), Qualifier="live")


def test_urls_survive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        create(server.client("lambda"), "f")
        made = make(server.client("lambda"), Cors=CORS)
    with serving(settings_for(tmp_path, public_url="https://f.example.com")) as server:
        held = get(server.client("lambda"))
    assert (held["Cors"], held["CreationTime"]) == (CORS, made["CreationTime"])
    name = made["FunctionUrl"].split("/")[2].partition(".")[0]
    assert held["FunctionUrl"] == f"https://{name}.lambda-url.us-east-1.f.example.com/"
