"""Extensions and their subscriptions over HTTP. The rules themselves are tested on the state machine."""

from __future__ import annotations

import json

import pytest

from lambent.compute.runtime_api.api import Refusal
from lambent.kernel.clock import settle
from tests.compute.runtime_api.harness import EXTENSION, REQUEST_ID, Bench, event

REGISTER = f"{EXTENSION}/register"
NEXT = f"{EXTENSION}/event/next"
NOBODY = "123e4567-e89b-12d3-a456-426614174000"
BOTH = b'{"events":["INVOKE","SHUTDOWN"]}'


async def register(bench: Bench, name: str = "watch", body: bytes = b'{"events":["INVOKE"]}', **headers: str) -> str:
    answer = await (await bench.guest()).call("POST", REGISTER, body, Lambda_Extension_Name=name, **headers)
    assert answer.status == 200, answer.body
    return answer.headers["lambda-extension-identifier"]


async def test_registration_tells_of_the_function(bench: Bench) -> None:
    guest = await bench.guest()
    answer = await guest.call("POST", REGISTER, b'{"events":["INVOKE"]}', Lambda_Extension_Name="watch")
    told = b'{"functionName":"greeter","functionVersion":"$LATEST","handler":"index.handler"}\n'
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", told)
    feature = {"Lambda_Extension_Accept_Feature": "other, accountId"}
    answer = await guest.call("POST", REGISTER, b"{}", Lambda_Extension_Name="second", **feature)
    assert json.loads(answer.body)["accountId"] == "123456789012"


async def test_registration_needs_a_name(bench: Bench) -> None:
    answer = await (await bench.guest()).call("POST", REGISTER, b"{}")
    assert answer.error == (403, "Extension.InvalidExtensionName", "Empty extension name")


async def test_a_registration_is_bounded(bench: Bench) -> None:
    answer = await (await bench.guest()).call("POST", REGISTER, bytes(70_000), Lambda_Extension_Name="watch")
    assert answer.error[:2] == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("path", [NEXT, f"{EXTENSION}/init/error", f"{EXTENSION}/exit/error", "/2022-07-01/telemetry"])
async def test_an_extension_has_to_say_who_it_is(bench: Bench, path: str) -> None:
    guest = await bench.guest()
    method = "GET" if path == NEXT else "PUT" if path.endswith("telemetry") else "POST"
    missing = (403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    assert (await guest.call(method, path)).error == missing
    invalid = (403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    assert (await guest.call(method, path, Lambda_Extension_Identifier="zz")).error == invalid
    stranger = {"Lambda_Extension_Identifier": NOBODY, "Lambda_Extension_Function_Error_Type": "x"}
    assert (await guest.call(method, path, **stranger)).error[:2] == (403, "Extension.UnknownExtensionIdentifier")


async def test_an_extension_is_told_of_invocations(bench: Bench) -> None:
    who = await register(bench)
    guest = await bench.guest()
    await guest.send("GET", NEXT, Lambda_Extension_Identifier=who.upper())
    bench.extensions.close_registration()
    assert await bench.environment.hears() == ("settled",)
    bench.extensions.invoke(event(trace_id="Root=1"))
    answer = await guest.answer()
    assert len(answer.headers["lambda-extension-event-identifier"]) == 36
    assert json.loads(answer.body) == {
        "eventType": "INVOKE",
        "deadlineMs": 1_700_000_003_000,
        "requestId": REQUEST_ID,
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:greeter",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    }
    await guest.send("GET", NEXT, Lambda_Extension_Identifier=who)
    assert await bench.environment.hears() == ("settled",)


async def test_an_external_extension_is_told_of_the_end() -> None:
    bench = Bench(expected=("watch",))
    who = await register(bench, body=BOTH)
    assert await bench.environment.hears() == ("registered",)
    guest = await bench.guest()
    await guest.send("GET", NEXT, Lambda_Extension_Identifier=who)
    bench.extensions.close_registration()
    assert await bench.environment.hears() == ("settled",)
    bench.extensions.shutdown("spindown", 1_700_000_002_000)
    shutdown = {"eventType": "SHUTDOWN", "deadlineMs": 1_700_000_002_000, "shutdownReason": "spindown"}
    assert json.loads((await guest.answer()).body) == shutdown
    await bench.close()


async def test_an_extension_whose_connection_breaks_may_ask_again(bench: Bench) -> None:
    who = await register(bench)
    first, second = await bench.guest(), await bench.guest()
    await first.send("GET", NEXT, Lambda_Extension_Identifier=who)
    bench.extensions.close_registration()
    await bench.environment.hears()
    refused = await second.call("GET", NEXT, Lambda_Extension_Identifier=who)
    text = f"State transition from Ready to Ready failed for extension {who}. Error: State transition is not allowed"
    assert refused.error == (403, "Extension.InvalidExtensionState", text)
    first.writer.close()
    await first.writer.wait_closed()
    await settle()
    bench.extensions.invoke(event())
    assert (await second.call("GET", NEXT, Lambda_Extension_Identifier=who)).status == 200


@pytest.mark.parametrize(
    ("path", "kind"), [("init/error", "Extension.InitError"), ("exit/error", "Extension.ExitError")]
)
async def test_an_extension_reports_that_it_failed(bench: Bench, path: str, kind: str) -> None:
    who = await register(bench)
    guest = await bench.guest()
    unnamed = await guest.call("POST", f"{EXTENSION}/{path}", Lambda_Extension_Identifier=who)
    text = "Lambda-Extension-Function-Error-Type not found"
    assert unnamed.error == (403, "Extension.MissingHeader", text)
    headers = {"Lambda_Extension_Identifier": who, "Lambda_Extension_Function_Error_Type": "mine"}
    answer = await guest.call("POST", f"{EXTENSION}/{path}", b'{"errorMessage":"no"}', **headers)
    assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
    assert await bench.environment.hears() == ("extension_failed", "watch", kind, b'{"errorMessage":"no"}')


@pytest.mark.parametrize("version", ["2022-07-01/telemetry", "2020-08-15/logs"])
async def test_an_extension_subscribes_until_init_is_over(bench: Bench, version: str) -> None:
    who = {"Lambda_Extension_Identifier": await register(bench)}
    guest = await bench.guest()
    answer = await guest.call("PUT", f"/{version}", b'{"types":[]}', **who)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.body == b'"OK"'
    assert await bench.environment.hears() == ("subscribe", "watch", version, b'{"types":[]}')
    bench.environment.refuse = Refusal(400, "ValidationError", "types is empty")
    assert (await guest.call("PUT", f"/{version}", b"{}", **who)).error == (400, "ValidationError", "types is empty")
    await guest.send("GET", NEXT, **who)
    bench.extensions.close_registration()
    assert await bench.environment.hears() == ("settled",)
    late = await (await bench.guest()).call("PUT", f"/{version}", b"{}", **who)
    closed = {
        "2022-07-01/telemetry": ("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed"),
        "2020-08-15/logs": ("Logs.SubscriptionClosed", "Logs API subscription is closed already"),
    }
    assert late.error == (403, *closed[version])
