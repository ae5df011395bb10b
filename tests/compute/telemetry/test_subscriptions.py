"""What a subscription may ask for, and what it is told where it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambent.compute.runtime_api.api import Refusal
from lambent.compute.telemetry import subscriptions
from lambent.compute.telemetry.subscriptions import LOGS_API, TELEMETRY_API, Buffering, Destination

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/path?a=1"}
GOOD: dict[str, Any] = {"schemaVersion": "2022-12-13", "types": ["platform", "function"], "destination": HTTP}


def parse(api: Any = TELEMETRY_API, **changes: Any) -> subscriptions.Subscription:
    request = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return subscriptions.parse(api, json.dumps(request).encode())


def test_the_example_of_the_documentation() -> None:
    found = parse(buffering={"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 100})
    assert found.schema.version == "2022-12-13"
    assert found.types == ("platform", "function")
    assert found.buffering == Buffering(1000, 262144, 100)
    assert found.destination == Destination("HTTP", 4243, "POST", "/path?a=1")


def test_the_defaults() -> None:
    assert parse().buffering == Buffering(10_000, 262_144, 1_000)
    assert parse(buffering={"timeoutMs": 25}).buffering == Buffering(10_000, 262_144, 25)
    assert parse(LOGS_API, schemaVersion=...).schema.version == "2020-08-15"
    assert parse(destination={"protocol": "HTTP", "URI": "http://sandbox:80"}).destination.target == "/"
    assert parse(types=["platform", "platform"]).types == ("platform",)


def test_tcp_has_a_port() -> None:
    assert parse(destination={"protocol": "TCP", "port": 999}).destination == Destination("TCP", 999)


def test_the_logs_api_may_put() -> None:
    destination = {**HTTP, "method": "PUT"}
    assert parse(LOGS_API, schemaVersion="2021-03-18", destination=destination).destination.method == "PUT"


@pytest.mark.parametrize("api", [TELEMETRY_API, LOGS_API])
def test_all_that_is_wrong_is_told_at_once(api: Any) -> None:
    with pytest.raises(Refusal) as raised:
        parse(
            api,
            schemaVersion=min(subscriptions._APIS[api].schemas),
            types=[],
            destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain/x"},
        )
    assert raised.value.status == 400
    assert raised.value.kind == ("ValidationError" if api == TELEMETRY_API else "Logs.ValidationError")
    assert sorted(raised.value.message.split("; ")) == ["URI port is not provided", "types should not be empty"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaVersion": ...}, "schemaVersion is not provided"),
        ({"schemaVersion": "2020-08-15"}, "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"),
        ({"schemaVersion": 7}, "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"),
        ({"types": ...}, "types should not be empty"),
        ({"types": "platform"}, "types should not be empty"),
        ({"types": ["metrics"]}, "types should be of platform, function, extension"),
        ({"destination": ...}, "destination is not provided"),
        ({"destination": {"protocol": "UDP"}}, "destination protocol should be one of HTTP, TCP"),
        ({"destination": {"protocol": "HTTP"}}, "URI is not provided"),
        ({"destination": {"protocol": "HTTP", "URI": "https://sandbox:1"}}, "URI scheme should be http"),
        ({"destination": {"protocol": "HTTP", "URI": "http://10.0.0.1:1"}}, "URI host should be sandbox.localdomain"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:99999"}}, "URI is not valid"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:9001"}}, "URI port 9001 is reserved"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:1/a b"}}, "URI path is not valid"),
        ({"destination": {**HTTP, "method": "PUT"}}, "method 'PUT' is not supported"),
        ({"destination": {**HTTP, "method": ["POST"]}}, "method is not supported"),
        ({"destination": {"protocol": "TCP"}}, "port is not provided"),
        ({"destination": {"protocol": "TCP", "port": "80"}}, "port is not valid"),
        ({"destination": {"protocol": "TCP", "port": True}}, "port is not valid"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "port is not valid"),
        ({"destination": {"protocol": "TCP", "port": 9001}}, "port 9001 is reserved"),
        ({"buffering": {"maxItems": 999}}, "buffering is not valid: Expected `int` >= 1000 - at `$.maxItems`"),
        ({"buffering": {"maxBytes": 1_048_577}}, "buffering is not valid: Expected `int` <= 1048576 - at `$.maxBytes`"),
        ({"buffering": {"timeoutMs": 24}}, "buffering is not valid: Expected `int` >= 25 - at `$.timeoutMs`"),
        ({"buffering": []}, "buffering is not valid: Expected `object`, got `array`"),
    ],
)
def test_a_wrong_request_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal) as raised:
        parse(**changes)
    assert (raised.value.status, raised.value.kind, raised.value.message) == (400, "ValidationError", message)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"types":"\\ud800"}', b'{"\xff":1}', b'{"x":' + b"[" * 5000],
    ids=["empty", "array", "cut", "no-json", "surrogate", "no-text", "deep"],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="not a valid JSON object"):
        subscriptions.parse(LOGS_API, body)


def test_a_target_cannot_smuggle_headers_in() -> None:
    with pytest.raises(Refusal):
        parse(destination={"protocol": "HTTP", "URI": "http://sandbox:1/\u00e4"})
    destination = parse(destination={"protocol": "HTTP", "URI": "http://sandbox:1/a\r\nX: y"[:21]}).destination
    assert "\n" not in destination.target
