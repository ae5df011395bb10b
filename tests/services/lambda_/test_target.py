"""Functions on the road of targets: called by their ARN, with no HTTP between."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel.errors import AwsError
from lambent.kernel.targets import Sender
from lambent.services.lambda_ import Parts
from tests.services.lambda_.calls import ARN, create

if TYPE_CHECKING:
    from lambent.kernel.targets import Targets
    from tests.conftest import Server


def targets(lambent: Server) -> Targets:
    """The road that this server's services are registered on."""
    parts = next(service.parts for service in lambent.app.services if service.name == "lambda")
    assert isinstance(parts, Parts)
    return parts.targets


def call(lambent: Server, arn: str, event: Any) -> Any:
    return json.loads(lambent.run(lambda: targets(lambent).call(arn, json.dumps(event).encode())))


def test_a_call_is_a_synchronous_invocation(lambent: Server) -> None:
    create(lambent.client("lambda"), "f")
    assert call(lambent, f"{ARN}f", {"a": 1}) == {"a": 1}
    assert call(lambent, f"{ARN}f:$LATEST", None) is None


@pytest.mark.parametrize("name", ["missing", "f:1", "f:live"])
def test_a_function_that_is_not_there_cannot_be_called(lambent: Server, name: str) -> None:
    create(lambent.client("lambda"), "f")
    with pytest.raises(AwsError, match="Function not found"):
        call(lambent, f"{ARN}{name}", {})


def test_an_arn_that_is_not_a_functions_cannot_be_called(lambent: Server) -> None:
    with pytest.raises(AwsError, match="does not name a function"):
        call(lambent, "arn:aws:lambda:us-east-1:000000000000:layer:l:1", {})


def test_a_function_that_fails_has_no_answer(lambent: Server) -> None:
    create(lambent.client("lambda"), "f", "raises")
    with pytest.raises(AwsError) as caught:
        call(lambent, f"{ARN}f", {})
    assert caught.value.code == "Unhandled"
    assert json.loads(caught.value.message)["errorMessage"] == "Handler fails"


def test_what_is_not_json_cannot_be_called_with(lambent: Server) -> None:
    create(lambent.client("lambda"), "f")
    with pytest.raises(AwsError) as caught:
        lambent.run(lambda: targets(lambent).call(f"{ARN}f", b"nonsense"))
    assert caught.value.code == "InvalidRequestContentException"


def test_a_service_is_let_in_by_the_policy_of_the_function(lambent: Server) -> None:
    client = lambent.client("lambda")
    create(client, "f")
    topic = "arn:aws:sns:us-east-1:111122223333:topic"
    sender = Sender(service="sns.amazonaws.com", arn=topic, account="111122223333")
    road = targets(lambent)
    for push in (road.call, road.deliver):
        with pytest.raises(AwsError) as caught:
            lambent.run(partial(push, f"{ARN}f", b"1", sender=sender))
        assert caught.value.code == "AccessDeniedException"
    client.add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal=sender.service,
        SourceArn=topic,
        SourceAccount=sender.account,
    )
    assert lambent.run(partial(road.call, f"{ARN}f", b"1", sender=sender)) == b"1"
    with pytest.raises(AwsError, match="not authorized"):
        lambent.run(partial(road.call, f"{ARN}f:$LATEST", b"1", sender=sender))
    other = Sender(service=sender.service, arn=topic, account="444455556666")
    with pytest.raises(AwsError, match="not authorized"):
        lambent.run(partial(road.call, f"{ARN}f", b"1", sender=other))


@pytest.mark.parametrize("name", ["missing", "f:1", "f:live"])
def test_a_function_that_is_not_there_takes_no_delivery(lambent: Server, name: str) -> None:
    create(lambent.client("lambda"), "f")
    with pytest.raises(AwsError, match="Function not found"):
        lambent.run(lambda: targets(lambent).deliver(f"{ARN}{name}", b"{}"))
