"""Extensions of real environments: how they start, what they hear, and what their failing does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lambent.kernel import limits
from tests.compute.programs import API, departures, executables

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from tests.compute.programs import Gate, Yard

GREET = "def handler(event, context): return event"

# Says all that it hears.
TELLING = """
me = Extension(NAME, "INVOKE", "SHUTDOWN")
print(NAME, "registered")
while True:
    event = me.next()
    print(NAME, "heard", json.dumps(event))
    if event["eventType"] == "SHUTDOWN":
        break
"""


def heard(yard: Yard, name: str) -> list[dict[str, Any]]:
    """The events that an extension says it has heard."""
    return [json.loads(line.partition(" heard ")[2]) for line in yard.lines(f"^{name} heard ")]


async def test_extensions_start_first_and_are_told_of_all(yard: Yard) -> None:
    source = f"print('runtime starts')\n{GREET}"
    function = yard.function(source, layers=(yard.layer({"b.py": TELLING, "a": TELLING}),))
    invocation = yard.invocation(1, tail=True, trace_id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
    assert json.loads((await yard.run(function, invocation)).payload) == 1
    assert await yard.result(function, 2, tail=True) == 2
    await yard.close()
    told = [line.rstrip() for line in yard.facts.messages if "registered" in line or "runtime starts" in line]
    assert sorted(told) == ["a registered", "b.py registered", "runtime starts"]
    for name in ("a", "b.py"):
        first, second, last = heard(yard, name)
        assert first.pop("deadlineMs") > 0
        assert first == {
            "eventType": "INVOKE",
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"},
        }
        assert "tracing" not in second
        assert (last["eventType"], last["shutdownReason"]) == ("SHUTDOWN", "spindown")
    told = sorted(yard.lines("^EXTENSION"))
    assert told == [f"EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" for name in ("a", "b.py")]


async def test_a_registration_is_answered_with_the_function(yard: Yard) -> None:
    layer = yard.layer(
        {
            "asks": """
me = Extension(NAME, headers={"Lambda-Extension-Accept-Feature": "accountId"})
print("told", json.dumps([me.status, me.registered]))
again = Extension(NAME)
print("told", json.dumps([again.status, again.registered["errorType"]]))
wrong = me.call("GET", me.ROOT + "event/next", {"Lambda-Extension-Identifier": "0"})
print("told", json.dumps([wrong[0], json.loads(wrong[2])["errorType"]]))
me.next()
"""
        }
    )
    await yard.result(yard.function(GREET, layers=(layer,), name="greeter"), 1, tail=True)
    told = [json.loads(line.removeprefix("told ")) for line in yard.lines("^told")]
    about = {"functionName": "greeter", "functionVersion": "$LATEST", "handler": "app.handler"}
    assert told == [
        [200, {**about, "accountId": "000000000000"}],
        [403, "Extension.InvalidExtensionState"],
        [403, "Extension.InvalidExtensionIdentifier"],
    ]


async def test_an_extension_has_only_the_variables_that_aws_gives_it(yard: Yard) -> None:
    source = "print('names', json.dumps(sorted(os.environ)))\n" + TELLING
    function = yard.function(GREET, layers=(yard.layer({"lists": source}),), variables={"OWN": "1"})
    await yard.result(function, 1, tail=True)
    names = set(json.loads(yard.lines("^names ")[0].removeprefix("names ")))
    assert {"OWN", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SESSION_TOKEN", "PATH"} <= names
    assert not {"AWS_EXECUTION_ENV", "_HANDLER", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_LOG_GROUP_NAME"} & names


async def test_an_internal_extension_hears_of_invocations_and_not_of_the_end(yard: Yard) -> None:
    function = yard.speaking_http("""
import threading
me = Extension("inner", "INVOKE")
print("told", json.dumps(Extension("other", "SHUTDOWN").registered["errorType"]))
def listen():
    while True:
        os.write(1, b"inner heard %s\\n" % json.dumps(me.next()).encode())
threading.Thread(target=listen, daemon=True).start()
while True:
    api.post("response", api.next())
""")
    for number in range(2):
        assert await yard.result(function, number, tail=True) == number
    late = "Extension('late').registered['errorType']"
    assert [event["eventType"] for event in heard(yard, "inner")] == ["INVOKE"] * 2
    assert yard.lines("^told") == ['told "Extension.InvalidEventType"']
    assert yard.lines("^EXTENSION") == ["EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]"]
    assert await yard.result(yard.answering(f"return {late}"), tail=True) == "Extension.RegistrationClosed"


async def test_an_internal_extension_of_the_managed_runtime(yard: Yard) -> None:
    source = """
import os, threading
from api import Extension
me = Extension("inside", "INVOKE")
def listen():
    while True:
        os.write(1, b"inside heard %s\\n" % me.next()["eventType"].encode())
threading.Thread(target=listen, daemon=True).start()
def handler(event, context): return event
"""
    function = yard.function({"app.py": source, "api.py": API})
    assert [await yard.result(function, number, tail=True) for number in range(2)] == [0, 1]
    assert yard.lines("^inside heard") == ["inside heard INVOKE"] * 2


SLOW = """
me = Extension(NAME, "INVOKE")
me.next()
print("working")
gate = os.open(os.environ["FOLDER"] + "/gate", os.O_RDONLY)
os.read(gate, 1)
print("worked")
me.next()
"""


async def gated(yard: Yard, extensions: dict[str, str]) -> tuple[FunctionVersion, Gate]:
    """A function with those extensions, and the gate in its FOLDER."""
    function = yard.function(GREET, layers=(yard.layer(extensions),))
    gate = await yard.gate(function)
    folder = str(gate.folder) if yard.level == "process" else "/var/task"
    return msgspec.structs.replace(function, variables={"FOLDER": folder}), gate


async def test_a_slow_extension_keeps_nobody_waiting_but_the_next_event(yard: Yard) -> None:
    function, gate = await gated(yard, {"slow": SLOW})
    assert await yard.result(function, 1) == 1
    await yard.facts.until("working")
    assert not yard.lines("^REPORT")
    gate.open()
    await yard.facts.until("REPORT")
    order = [line.split()[0] for line in yard.lines("^(START|working|worked|END)")]
    assert order == ["START", "working", "worked", "END"]
    assert yard.engine.size == 1


async def test_an_extension_that_does_not_finish_takes_the_functions_time(yard: Yard) -> None:
    stuck = 'me = Extension(NAME, "INVOKE", "SHUTDOWN")\nme.next()\ntime.sleep(60)'
    function = yard.function(GREET, layers=(yard.layer({"stuck": stuck, "other": TELLING}),), timeout_s=1)
    assert await yard.result(function, 1) == 1, "the answer is out already"
    await yard.facts.until("REPORT")
    assert yard.lines("Task timed out after 1.00 seconds")
    assert yard.lines("^REPORT")[0].endswith("Status: timeout")
    await yard.close()
    assert heard(yard, "other")[-1]["shutdownReason"] == "timeout"


@pytest.mark.parametrize(
    ("source", "kind", "problem"),
    [
        ("sys.exit(3)", "Extension.Crash", "exit status 3"),
        ("me = Extension(NAME)\nos.kill(os.getpid(), 9)", "Extension.Crash", "signal: killed"),
        ("me = Extension(NAME)\nme.error('init', 'Extension.NoKey')\nme.next()", "Extension.NoKey", "Extension.NoKey"),
        ("me = Extension(NAME)\nme.error('init', 'no form')\ntime.sleep(60)", "Extension.InitError", None),
    ],
    ids=["exits", "killed", "init-error", "init-error-of-no-form"],
)
async def test_an_extension_that_fails_in_init_fails_the_function(
    yard: Yard, source: str, kind: str, problem: str | None
) -> None:
    function = yard.function(GREET, layers=(yard.layer({"bad": source}),))
    invocation = yard.invocation()
    outcome = await yard.run(function, invocation)
    text = f"RequestId: {invocation.request_id} Error: {problem or kind}"
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload) == {"errorType": kind, "errorMessage": text}
    phases = [line.partition("Phase: ")[2] for line in yard.lines("^INIT_REPORT")]
    assert phases == [f"{phase}\tStatus: error\tError Type: {kind}" for phase in ("init", "invoke")]
    assert len(yard.lines("^EXTENSION\tName: bad")) == 2


async def test_an_extension_that_is_not_executable_fails_the_function(yard: Yard) -> None:
    layer = yard.blobs.put(executables({}, {"extensions/plain": "#!/bin/sh\n"}))
    error = await yard.failure(yard.function(GREET, layers=(layer,)))
    assert error["errorType"] == "Extension.LaunchError"
    assert error["errorMessage"].endswith(" Error: fork/exec /opt/extensions/plain: permission denied")
    line = "EXTENSION\tName: plain\tState: LaunchError\tEvents: []\tError Type: PermissionDenied"
    assert yard.lines("^EXTENSION") == [line] * 2
    assert yard.lines("^REPORT")[0].endswith("\tStatus: error\tError Type: Extension.LaunchError")


@pytest.mark.parametrize(("source", "told"), [("sys.exit(1)", 0), ("me = Extension(NAME)\nsys.exit(1)", 2)])
async def test_of_a_runtime_that_was_never_started_no_end_is_told(yard: Yard, source: str, told: int) -> None:
    handler = "import time\ntime.sleep(60)"
    function = yard.function(handler, layers=(yard.layer({"bad": source}),), log_format="JSON")
    await yard.failure(function)
    assert len(yard.lines('"type":"platform.initRuntimeDone".*"errorType":"Extension.Crash"')) == told
    assert len(yard.lines('"type":"platform.initReport".*"errorType":"Extension.Crash"')) == 2


async def test_there_are_at_most_ten_extensions(yard: Yard) -> None:
    names = [f"x{number:02}" for number in range(limits.EXTENSIONS + 1)]
    function = yard.function(GREET, layers=(yard.layer(dict.fromkeys(names, TELLING)),))
    assert (await yard.failure(function))["errorType"] == "Extension.LaunchError"
    assert len(yard.lines("^EXTENSION.*\tError Type: TooManyExtensions$")) == 2


@pytest.mark.parametrize(
    ("end", "kind", "problem"),
    [
        ("sys.exit(0)", "Extension.Crash", "exit code 0"),
        ("me.error('exit', 'Extension.Broken', b'{\"errorMessage\": \"oh\"}')\nme.next()", "Extension.Broken", "oh"),
    ],
    ids=["exits", "exit-error"],
)
async def test_an_extension_that_fails_within_an_invocation_ends_the_environment(
    yard: Yard, end: str, kind: str, problem: str
) -> None:
    source = f'me = Extension(NAME, "INVOKE")\nme.next()\n{end}'
    handler = "import time\ndef handler(event, context): time.sleep(60)"
    function = yard.function(handler, layers=(yard.layer({"bad": source, "other": TELLING}),))
    error = await yard.failure(function)
    assert (error["errorType"], error["errorMessage"].partition("Error: ")[2]) == (kind, problem)
    assert yard.lines("^REPORT")[0].endswith(f"Status: error\tError Type: {kind}")
    await yard.close()
    assert heard(yard, "other")[-1]["shutdownReason"] == "failure"


async def test_an_extension_that_crashes_in_idle_ends_the_environment_and_fails_nobody(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = """
me = Extension(NAME, "INVOKE", "SHUTDOWN")
me.next()
if os.fork() == 0:
    gate = os.open(os.environ["FOLDER"] + "/gate", os.O_RDONLY)
    os.read(gate, 1)
    os.kill(os.getppid(), 9)
    os._exit(0)
me.next()
"""
    function, gate = await gated(yard, {"bad": crashing, "other": TELLING})
    gone = departures(monkeypatch)
    assert await yard.result(function, 1, tail=True) == 1
    gate.open()
    async with asyncio.timeout(10):
        await gone.get()
    assert heard(yard, "other")[-1]["shutdownReason"] == "failure"
    assert not yard.lines("Extension.Crash")
    assert await yard.result(function, 2, tail=True) == 2


async def test_everybody_may_finish_when_the_environment_ends(yard: Yard) -> None:
    polite = """
import signal
def leave(*_):
    print("the runtime leaves")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
while True:
    api.post("response", api.next())
"""
    ending = TELLING + 'left = event["deadlineMs"] / 1000 - time.time()\nprint("left", 1.5 < left <= 2)\n'
    function = yard.speaking_http(polite, layers=(yard.layer({"ending": ending}),))
    await yard.result(function, 1, tail=True)
    await yard.close()
    assert yard.lines("^(the runtime leaves|left)") in (
        ["the runtime leaves", "left True"],
        ["left True", "the runtime leaves"],
    )


async def test_who_does_not_finish_is_ended(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHUTDOWN_EXTERNAL_S", 0.5)
    monkeypatch.setattr(limits, "SHUTDOWN_RUNTIME_S", 0.2)
    source = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('deaf', flush=True))\n" + GREET
    function = yard.function(source, layers=(yard.layer({"stays": TELLING + "time.sleep(60)"}),))
    await yard.result(function, 1, tail=True)
    await yard.close()
    assert heard(yard, "stays")[-1]["shutdownReason"] == "spindown"


async def test_who_is_not_subscribed_to_the_end_is_not_told(yard: Yard) -> None:
    function = yard.function(GREET, layers=(yard.layer({"quiet": TELLING.replace(', "SHUTDOWN"', "")}),))
    await yard.result(function, 1, tail=True)
    await yard.close()
    assert [event["eventType"] for event in heard(yard, "quiet")] == ["INVOKE"]


async def test_without_extensions_nobody_hears_of_the_end(yard: Yard) -> None:
    source = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('never', flush=True))\n" + GREET
    await yard.result(yard.function(source), 1, tail=True)
    await yard.close()
    assert not yard.lines("never")


# Subscribes as SUBSCRIPTION says, by the API of PATH, and says at the end all that it was told.
LISTENING = """
import threading
told = []
arrived = threading.Event()

def serve(peer):
    file = peer.makefile("rb")
    while request := file.readline():
        headers = {}
        while b":" in (line := file.readline()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        told.extend(json.loads(file.read(int(headers["content-length"]))))
        arrived.set()
        peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

def listen(server):
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=listen, args=(server,), daemon=True).start()
me = Extension(NAME, "INVOKE", "SHUTDOWN")
subscription = {**json.loads(os.environ["SUBSCRIPTION"]), "buffering": {"timeoutMs": 25}}
subscription["destination"] = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d" % server.getsockname()[1]}
status, _, answer = me.own("PUT", os.environ["API"], body=json.dumps(subscription).encode())
print(NAME, "subscribed", status)
while me.next()["eventType"] == "INVOKE":
    print(NAME, "works")
late = me.own("PUT", os.environ["API"], body=json.dumps(subscription).encode())
print(NAME, "late", late[0], json.loads(late[2])["errorType"])
for event in told:
    print(NAME, "told", json.dumps(event))
"""

TALKING = """
print("loading")
def handler(event, context):
    print("hello")
    if event == "fail": raise ValueError("x")
    return event
"""


async def telemetry(
    yard: Yard, path: str, schema: str, types: list[str], *events: Any, **fields: Any
) -> list[dict[str, Any]]:
    """What an extension is told in the life of an environment that has those events."""
    subscription = json.dumps({"schemaVersion": schema, "types": types})
    variables = {"API": path, "SUBSCRIPTION": subscription}
    layer = yard.layer({"listener": LISTENING})
    function = yard.function(TALKING, layers=(layer,), variables=variables, **fields)
    for event in events:
        await yard.invoke(function, event, tail=True)
    await yard.close()
    assert yard.lines("^listener subscribed") == ["listener subscribed 200"]
    return [json.loads(line.partition(" told ")[2]) for line in yard.lines("^listener told ")]


async def test_telemetry_tells_all_in_order(yard: Yard) -> None:
    told = await telemetry(yard, "/2022-07-01/telemetry", "2022-12-13", ["platform", "function", "extension"], 1)
    kinds = [event["type"] for event in told if event["type"] != "extension"]
    # The runtime starts as soon as the extension has registered, and may be faster than its subscription.
    assert sorted(kinds[1:4]) == ["function", "platform.initRuntimeDone", "platform.telemetrySubscription"]
    assert [kinds[0], *kinds[4:]] == [
        "platform.initStart",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    records = {event["type"]: event["record"] for event in told}
    assert [event["record"] for event in told if event["type"] == "function"] == ["loading\n", "hello\n"]
    assert "listener works\n" in [event["record"] for event in told if event["type"] == "extension"]
    assert records["platform.runtimeDone"]["status"] == "success"
    assert records["platform.runtimeDone"]["metrics"]["producedBytes"] == 1
    spans = [span["name"] for span in records["platform.runtimeDone"]["spans"]]
    assert spans == ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert records["platform.extension"] == {"name": "listener", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    stamps = [event["time"] for event in told]
    assert stamps == sorted(stamps)
    assert yard.lines("^listener late") == ["listener late 403 Telemetry.SubscriptionClosed"]


async def test_the_older_schemas_have_fewer_events(yard: Yard) -> None:
    told = await telemetry(yard, "/2022-07-01/telemetry", "2022-07-01", ["platform"], "fail")
    (done,) = [event["record"] for event in told if event["type"] == "platform.runtimeDone"]
    assert (done["status"], done.get("errorType")) == ("success", None), "the runtime goes on"
    assert {event["type"].partition(".")[0] for event in told} == {"platform"}


async def test_the_logs_api_tells_of_ends_as_text(yard: Yard) -> None:
    told = await telemetry(yard, "/2020-08-15/logs", "2021-03-18", ["platform", "function"], 1, 2)
    kinds = [event["type"] for event in told]
    assert kinds.count("platform.start") == kinds.count("platform.end") == kinds.count("platform.report") == 2
    assert "platform.logsSubscription" in kinds
    assert yard.lines("^listener late") == ["listener late 403 Logs.SubscriptionClosed"]


async def test_lines_that_are_json_are_told_as_objects(yard: Yard) -> None:
    told = await telemetry(
        yard, "/2022-07-01/telemetry", "2022-12-13", ["function"], "fail", log_format="JSON", log_level="FATAL"
    )
    errors = [event["record"] for event in told if isinstance(event["record"], dict)]
    assert [error["errorType"] for error in errors] == ["ValueError"], "levels are those of the log alone"


async def test_the_end_of_the_runtime_is_told_before_an_extension_has_done(yard: Yard) -> None:
    waits = LISTENING.replace(
        '    print(NAME, "works")\n',
        """
    while not any(event["type"] == "platform.runtimeDone" for event in told):
        arrived.wait()
        arrived.clear()
    print(NAME, "knows")
""",
    )
    variables = {
        "API": "/2022-07-01/telemetry",
        "SUBSCRIPTION": json.dumps({"schemaVersion": "2022-12-13", "types": ["platform"]}),
    }
    function = yard.function(TALKING, layers=(yard.layer({"waits": waits}),), variables=variables)
    await yard.result(function, 1, tail=True)
    assert yard.lines("^waits knows") == ["waits knows"]
    assert "Status" not in yard.lines("^REPORT")[0]
