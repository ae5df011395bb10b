"""Functions with tenants: invoked for one of them, in environments that nobody else ever sees."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, invoke, own_client, publish, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
INVALID = "InvalidParameterValueException"
MISSING = (
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
)
UNEXPECTED = (
    "The invoked function is not enabled with tenancy configuration. "
    "Remove the tenant ID from your request and try again."
)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def test_the_function_learns_whose_invocation_it_is(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    for tenant in ("blue", "a.b_c:/=+-@ d", "x" * 256):
        assert invoke(client, "f", TenantId=tenant)["tenant"] == tenant


def test_tenants_share_neither_memory_nor_files_nor_logs(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    first = invoke(client, "f", TenantId="blue")
    other = invoke(client, "f", TenantId="green")
    again = invoke(client, "f", TenantId="blue")
    assert (first["memory"], first["files"]) == (other["memory"], other["files"]) == ([], [])
    assert (again["memory"], again["files"]) == (["blue"], ["blue"]), "a tenant meets its own environment again"
    assert again["stream"] == first["stream"] != other["stream"]


def test_a_crowd_of_tenants_at_once_does_not_mix(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    tenants = [f"tenant-{number % 5}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda tenant: invoke(client, "f", TenantId=tenant), tenants))
    for tenant, answer in zip(tenants, answers, strict=True):
        assert {answer["tenant"], *answer["memory"], *answer["files"]} == {tenant}


def test_an_update_replaces_the_environments_of_every_tenant(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    for tenant in ("blue", "green"):
        invoke(client, "f", TenantId=tenant)
    client.update_function_configuration(FunctionName="f", Timeout=9)
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    for tenant in ("blue", "green"):
        assert invoke(client, "f", TenantId=tenant)["memory"] == []


def test_versions_and_aliases_have_the_tenants_of_the_function(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    number = publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=number)
    assert invoke(client, "f", Qualifier="live", TenantId="blue")["tenant"] == "blue"
    assert refused(client, INVALID, client.invoke, FunctionName="f", Qualifier="live") == MISSING


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun"])
def test_a_missing_tenant_is_refused(client: Any, kind: str) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    assert refused(client, INVALID, client.invoke, FunctionName="f", InvocationType=kind) == MISSING
    assert refused(client, INVALID, client.invoke_with_response_stream, FunctionName="f") == MISSING


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun"])
def test_a_tenant_that_nobody_asked_for_is_refused(client: Any, kind: str) -> None:
    create(client, "f")
    assert refused(client, INVALID, client.invoke, FunctionName="f", InvocationType=kind, TenantId="a") == UNEXPECTED
    assert refused(client, INVALID, client.invoke_with_response_stream, FunctionName="f", TenantId="a") == UNEXPECTED


@pytest.mark.parametrize(
    ("tenant", "constraint"),
    [
        ("x" * 257, "Member must have length less than or equal to 256"),
        ("a,b", "Member must satisfy regular expression pattern"),
    ],
    ids=["too long", "characters"],
)
def test_a_tenant_that_is_no_name_is_refused(client: Any, tenant: str, constraint: str) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    message = refused(client, "ValidationException", client.invoke, FunctionName="f", TenantId=tenant)
    assert "'tenantId'" in message
    assert constraint in message


def test_a_function_that_is_not_there_is_missing_whoever_asks(client: Any) -> None:
    refused(client, "ResourceNotFoundException", client.invoke, FunctionName="nobody", TenantId="blue")


def test_an_answer_that_streams_is_the_tenants_too(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    answer = client.invoke_with_response_stream(FunctionName="f", TenantId="blue")
    chunk, _ = answer["EventStream"]
    assert json.loads(chunk["PayloadChunk"]["Payload"])["tenant"] == "blue"


def test_the_log_in_json_names_the_tenant(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT, LoggingConfig={"LogFormat": "JSON"})
    answer = client.invoke(FunctionName="f", TenantId="blue", LogType="Tail")
    lines = [json.loads(line) for line in base64.b64decode(answer["LogResult"]).splitlines()]
    named = {line["type"]: line["record"].get("tenantId") for line in lines if "type" in line}
    assert named["platform.start"] == named["platform.report"] == "blue"


def test_environments_that_wait_for_anybody_do_not_go_with_tenants(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    number = publish(client, "f")
    message = refused(
        client,
        INVALID,
        client.put_provisioned_concurrency_config,
        FunctionName="f",
        Qualifier=number,
        ProvisionedConcurrentExecutions=1,
    )
    assert message == "Provisioned Concurrency is not supported for functions enabled with tenancy configuration"


def test_a_web_request_names_no_tenant(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    message = refused(client, INVALID, client.create_function_url_config, FunctionName="f", AuthType="NONE")
    assert message == "Function URL is not supported for functions enabled with tenancy configuration"


def test_snapshots_do_not_go_with_tenants(client: Any) -> None:
    create(client, "f", "traces", TenancyConfig=PER_TENANT)
    message = refused(
        client,
        INVALID,
        client.update_function_configuration,
        FunctionName="f",
        Runtime="python3.13",
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    assert message == "SnapStart is not supported for functions enabled with tenancy configuration"


def test_tenants_are_kept_apart_after_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        create(server.client("lambda"), "f", "traces", TenancyConfig=PER_TENANT)
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        assert refused(client, INVALID, client.invoke, FunctionName="f") == MISSING
        assert invoke(client, "f", TenantId="blue")["tenant"] == "blue"
