"""The errors of Invoke and InvokeWithResponseStream, each as boto3's own class with the status of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.engine import Engine
from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from tests.services.lambda_.calls import create, own_client

if TYPE_CHECKING:
    from tests.conftest import Server

OPERATIONS = ("invoke", "invoke_with_response_stream")


@pytest.fixture(scope="module")
def client(shared_lambent: Server) -> Any:
    """A client of an account that has the function `f`."""
    client = own_client(shared_lambent)
    create(client, "f")
    return client


def refusal(client: Any, operation: str, error: str, name: str = "f", **request: Any) -> dict[str, Any]:
    """The answer with which `error` refuses the function an invocation."""
    with pytest.raises(getattr(client.exceptions, error)) as caught:
        getattr(client, operation)(FunctionName=name, **request)
    answer: dict[str, Any] = caught.value.response
    shape = client.meta.service_model.shape_for(error)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == shape.metadata["error"]["httpStatusCode"]
    assert answer["Error"]["Message"]
    return answer


def test_a_function_that_may_not_run_is_throttled(client: Any) -> None:
    create(client, "none")
    client.put_function_concurrency(FunctionName="none", ReservedConcurrentExecutions=0)
    for operation in OPERATIONS:
        answer = refusal(client, operation, "TooManyRequestsException", "none")
        assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("event", [b"{x", b"\xff"], ids=["no JSON", "no UTF-8"])
def test_an_event_that_is_no_json_is_refused(client: Any, operation: str, event: bytes) -> None:
    refusal(client, operation, "InvalidRequestContentException", Payload=event)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_event_in_an_encoding_that_nobody_reads_is_refused(client: Any, operation: str) -> None:
    def encode(request: Any, **_: Any) -> None:
        request.headers["Content-Encoding"] = "br"

    client.meta.events.register("before-sign.lambda", encode)
    try:
        refusal(client, operation, "UnsupportedMediaTypeException", Payload=b"{}")
    finally:
        client.meta.events.unregister("before-sign.lambda", encode)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_event_over_the_limit_is_refused_in_the_words_of_the_front_door(client: Any, operation: str) -> None:
    with pytest.raises(client.exceptions.ClientError) as caught:
        getattr(client, operation)(FunctionName="f", Payload=b'"' + b"a" * limits.INVOKE_REQUEST_BYTES + b'"')
    answer = caught.value.response
    assert answer["Error"]["Code"] == "RequestEntityTooLargeException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "error",
    [
        "InvalidRuntimeException",
        "ResourceNotReadyException",
        "ServiceException",
        "SnapStartException",
        "SnapStartTimeoutException",
        "TooManyRequestsException",
    ],
)
def test_what_the_engine_says_reaches_the_caller(
    client: Any, operation: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suites of the engine show when it says so."""

    async def refuse(_: Engine, *__: Any) -> None:
        raise AwsError(error, "It is said so.", Type="User")

    monkeypatch.setattr(Engine, "invoke", refuse)
    answer = refusal(client, operation, error)
    assert (answer["Error"]["Message"], answer["Type"]) == ("It is said so.", "User")
