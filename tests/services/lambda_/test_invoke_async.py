"""InvokeAsync: checked as AWS checks it, and queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.services.lambda_.calls import create, own_client, publish, refused

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    made = own_client(shared_lambent)
    create(made, "f")
    return made


@pytest.mark.parametrize("name", ["missing", "f:1", "f:live"])
def test_what_is_not_there_is_not_invoked(client: Any, name: str) -> None:
    text = refused(client, "ResourceNotFoundException", client.invoke_async, FunctionName=name, InvokeArgs=b"{}")
    assert text.startswith("Function not found: ")


def test_an_event_is_json(client: Any) -> None:
    text = refused(client, "InvalidRequestContentException", client.invoke_async, FunctionName="f", InvokeArgs=b"{x")
    assert text.startswith("Could not parse request body into json")


def test_an_event_is_not_too_large(client: Any) -> None:
    large = b'"' + b"a" * limits.INVOKE_ASYNC_BYTES + b'"'
    text = refused(client, "RequestEntityTooLargeException", client.invoke_async, FunctionName="f", InvokeArgs=large)
    assert str(limits.INVOKE_ASYNC_BYTES) in text


def test_a_good_event_is_queued(client: Any) -> None:
    publish(client, "f")
    for name in ("f", "f:1", "f:$LATEST"):
        assert client.invoke_async(FunctionName=name, InvokeArgs=b'{"a": 1}')["Status"] == 202


def test_a_function_with_tenants_has_to_be_told_which(client: Any) -> None:
    create(client, "t", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    refused(client, "InvalidParameterValueException", client.invoke_async, FunctionName="t", InvokeArgs=b"{}")


def test_a_durable_function_begins_an_execution(client: Any) -> None:
    create(client, "d", DurableConfig={"ExecutionTimeout": 60})
    refused(client, "InvalidParameterValueException", client.invoke_async, FunctionName="d", InvokeArgs=b"{}")
    assert client.invoke_async(FunctionName="d:$LATEST", InvokeArgs=b"{}")["Status"] == 202
    assert len(client.list_durable_executions_by_function(FunctionName="d")["DurableExecutions"]) == 1
