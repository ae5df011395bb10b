"""Runtimes that are not Lambent's own: what they may do, and what becomes of them when they do something else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from tests.compute.programs import departures, executables

if TYPE_CHECKING:
    from tests.compute.programs import Yard

# The loop of AWS's tutorial, with what bash itself can do in place of curl.
SHELL = r"""#!/bin/bash
root=/2018-06-01/runtime
call() {
    exec 5<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
    printf '%s\r\nHost: sandbox\r\nConnection: close\r\n\r\n%s' "$1" "$2" >&5
    request_id=
    while IFS= read -r line <&5 && [ "$line" != $'\r' ]; do
        case "$line" in Lambda-Runtime-Aws-Request-Id:*) request_id=${line#*: }; request_id=${request_id%$'\r'};; esac
    done
    body=$(cat <&5)
    exec 5>&-
}
while true; do
    call "GET $root/invocation/next HTTP/1.1"
    echo "got $body"
    answer="{\"echo\": $body, \"handler\": \"$_HANDLER\", \"folder\": \"$PWD\"}"
    call "POST $root/invocation/$request_id/response HTTP/1.1"$'\r\n'"Content-Length: ${#answer}" "$answer"
done
"""


TUTORIAL = r"""#!/bin/bash
set -euo pipefail
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
    headers=$(mktemp)
    event=$(curl -sS -LD "$headers" "$api/next")
    request_id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
    curl -sS "$api/$request_id/response" -d "hello ${event:1:5}" > /dev/null
done
"""


async def test_a_shell_script_is_a_runtime(yard: Yard) -> None:
    function = yard.custom(SHELL, handler="greet.hello")
    for number in range(3):
        answer = await yard.result(function, {"number": number}, tail=True)
        assert (answer["echo"], answer["handler"]) == ({"number": number}, "greet.hello")
        assert answer["folder"].endswith("/task")
    assert yard.lines("^got ") == [f'got {{"number": {number}}}' for number in range(3)]
    assert yard.engine.size == 1


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="curl is not installed")
async def test_the_tutorials_curl_script_is_a_runtime(yard: Yard) -> None:
    function = yard.custom(TUTORIAL)
    for _ in range(2):
        outcome = await yard.invoke(function, "world", tail=True)
        assert (outcome.payload, outcome.error) == (b"hello world", None), "an answer need not be JSON"


async def test_a_bootstrap_may_lie_in_a_layer(yard: Yard) -> None:
    layer = yard.blobs.put(executables({"bootstrap": SHELL}))
    function = yard.function({"data": "x"}, runtime="provided.al2", layers=(layer,), handler="any")
    assert (await yard.result(function, 1))["echo"] == 1


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        ({"bootstrap": SHELL}, "fork/exec /var/task/bootstrap: permission denied"),
    ],
    ids=["missing", "not-executable"],
)
async def test_a_function_without_a_bootstrap_has_no_entrypoint(
    yard: Yard, files: dict[str, str | bytes], problem: str
) -> None:
    code = yard.blobs.put(executables({}, {"data": "x", **files}))
    function = yard.function({}, runtime="provided.al2023", code_sha256=code)
    for _ in range(2):
        invocation = yard.invocation()
        outcome = await yard.run(function, invocation)
        text = f"RequestId: {invocation.request_id} Error: {problem}"
        assert json.loads(outcome.payload) == {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": text}
        assert f"{text}\nRuntime.InvalidEntrypoint\n" in yard.facts.messages
    reports = [line.partition("Phase")[2] for line in yard.lines("^INIT_REPORT")]
    kind = "Status: error\tError Type: Runtime.InvalidEntrypoint"
    assert reports == [f": init\t{kind}", f": invoke\t{kind}"] * 2


@pytest.mark.parametrize(
    ("bootstrap", "problem"),
    [
        ("#!/bin/sh\nexit 3", "exit status 3"),
        ("#!/bin/sh\nkill -9 $$", "signal: killed"),
    ],
    ids=["exit", "signal"],
)
async def test_a_bootstrap_that_ends_at_once_is_an_exit_error(yard: Yard, bootstrap: str, problem: str) -> None:
    error = await yard.failure(yard.custom(bootstrap))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f"Error: Runtime exited with error: {problem}")


@pytest.mark.parametrize(
    ("bootstrap", "problem"),
    [
        ("#!/nowhere\n", "no such file or directory"),
        ("#!/var/task/nowhere\n", "no such file or directory"),
        ("#!\n", "exec format error"),
        ("echo hello\n", "exec format error"),
    ],
    ids=["no-interpreter", "none-of-its-own", "nothing-named", "no-program"],
)
async def test_a_bootstrap_that_the_system_would_not_run_is_no_entrypoint(
    yard: Yard, bootstrap: str, problem: str
) -> None:
    error = await yard.failure(yard.custom(bootstrap))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(f"Error: fork/exec /var/task/bootstrap: {problem}")


async def test_a_wrapper_that_is_missing_is_an_exit_error(yard: Yard) -> None:
    function = yard.function("def handler(e, c): pass", variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none"})
    error = await yard.failure(function)
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 127")


async def test_a_wrapper_may_lead_back_to_the_managed_runtime(yard: Yard) -> None:
    wrapper = '#!/bin/sh\nexport GREETING=hello\nexec "$@"\n'
    source = "import os\ndef handler(event, context): return os.environ['GREETING']"
    code = yard.blobs.put(executables({"wrapper": wrapper}, {"app.py": source}))
    function = yard.function({}, code_sha256=code, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"})
    assert await yard.result(function) == "hello"


async def test_an_event_brings_all_its_headers(yard: Yard) -> None:
    function = yard.answering("""
names = [name for name in api.headers if name.startswith("lambda-runtime-") or name == "content-type"]
left = int(api.headers["lambda-runtime-deadline-ms"]) / 1000 - time.time()
return {**{name.removeprefix("lambda-runtime-"): api.headers[name] for name in names}, "left": 9 < left <= 10}
""")
    invocation = yard.invocation(
        trace_id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
        client_context=b'{"custom":{"a":1}}',
        cognito_identity=b'{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
        tenant_id="blue",
    )
    answer = json.loads((await yard.run(function, invocation)).payload)
    del answer["deadline-ms"], answer["invocation-id"]
    assert answer == {
        "aws-request-id": invocation.request_id,
        "aws-tenant-id": "blue",
        "client-context": '{"custom":{"a":1}}',
        "cognito-identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
        "content-type": "application/json",
        "invoked-function-arn": invocation.invoked_arn,
        "trace-id": invocation.trace_id,
        "left": True,
    }


async def test_what_is_not_said_has_no_header(yard: Yard) -> None:
    function = yard.answering("return sorted(name[15:] for name in api.headers if name.startswith('lambda-runtime-'))")
    names = await yard.result(function)
    assert names == ["aws-request-id", "deadline-ms", "invocation-id", "invoked-function-arn"]


async def test_a_custom_runtime_has_no_execution_environment(yard: Yard) -> None:
    bootstrap = SHELL.replace('echo "got $body"', "env | sed 's/^/ENV /'")
    await yard.result(yard.custom(bootstrap, variables={"OWN": "x"}), tail=True)
    names = {line.removeprefix("ENV ").partition("=")[0] for line in yard.lines("^ENV ")}
    assert {"OWN", "LAMBDA_TASK_ROOT", "_HANDLER", "_LAMBDA_TELEMETRY_LOG_FD", "AWS_SESSION_TOKEN"} <= names
    assert not {"AWS_EXECUTION_ENV", "PYTHONPATH", "AWS_LAMBDA_LOG_FORMAT"} & names


async def test_an_error_that_the_runtime_posts_goes_out_as_it_is(yard: Yard) -> None:
    function = yard.speaking_http("""
while True:
    headers = api.next()
    api.post("error", b'{"any": "thing"}', headers)
""")
    for kind in ("Runtime.NoSuchHandler", "Function.x y"):
        outcome = await yard.invoke(function, {"Lambda-Runtime-Function-Error-Type": kind}, tail=True)
        assert (outcome.payload, outcome.error) == (b'{"any": "thing"}', "Unhandled")
        assert "Status" not in yard.lines("^REPORT")[-1], "the runtime has done well"
    assert yard.engine.size == 1, "a function that fails keeps its environment"


@pytest.mark.parametrize("end", ["sys.exit(1)", "time.sleep(60)"], ids=["exits", "stays"])
async def test_an_init_error_is_the_answer_and_is_tried_twice(yard: Yard, end: str) -> None:
    function = yard.speaking_http(f"print('trying')\nprint(api.init_error('Runtime.NoDatabase', 'no'))\n{end}")
    outcome = await yard.invoke(function)
    assert json.loads(outcome.payload) == {"errorType": "Runtime.NoDatabase", "errorMessage": "no", "stackTrace": []}
    assert yard.lines("^trying") == ["trying"] * 2
    phases = [line.partition("Phase: ")[2] for line in yard.lines("^INIT_REPORT")]
    assert phases == [f"{phase}\tStatus: error\tError Type: Runtime.NoDatabase" for phase in ("init", "invoke")]


async def test_a_runtime_that_never_asks_is_given_its_time_twice(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INIT_S", 1.0)
    function = yard.speaking_http("print('slow'); time.sleep(60)", timeout_s=1)
    error = await yard.failure(function)
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert yard.lines("^slow") == ["slow"] * 2
    phases = [line.partition("Phase: ")[2] for line in yard.lines("^INIT_REPORT")]
    assert phases == ["init\tStatus: timeout", "invoke\tStatus: timeout"]


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        ("sys.exit(4)", "Runtime exited with error: exit status 4"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_a_runtime_that_ends_within_an_event_is_replaced(yard: Yard, end: str, problem: str) -> None:
    function = yard.answering(f"if event: {end}\nreturn 'alive'")
    error = await yard.failure(function, 1)
    assert (error["errorType"], error["errorMessage"].partition("Error: ")[2]) == ("Runtime.ExitError", problem)
    assert await yard.result(function, 0) == "alive"


async def test_a_runtime_that_ends_after_its_answer_has_answered(yard: Yard) -> None:
    function = yard.speaking_http("""
while True:
    event = api.next()
    api.post("response", "done")
    if event: sys.exit(4)
""")
    outcome = await yard.invoke(function, 1, tail=True)
    assert (outcome.payload, outcome.error) == (b'"done"', None)
    assert yard.lines("^REPORT")[0].endswith("Status: error\tError Type: Runtime.ExitError")
    assert yard.lines("Error: Runtime exited with error: exit status 4")
    assert await yard.result(function, 0) == "done"


async def test_a_runtime_that_ends_between_events_is_replaced(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    function = yard.answering("""
if event and os.fork() == 0:
    wait()
    os.kill(os.getppid(), 9)
    os._exit(0)
return event
""")
    gate = await yard.gate(function)
    gone = departures(monkeypatch)
    assert await yard.result(function, 1, tail=True) == 1
    gate.open()
    async with asyncio.timeout(10):
        await gone.get()
    assert await yard.result(function, 0, tail=True) == 0
    assert len(yard.lines("^INIT_START")) == 2
    assert not yard.lines("Runtime exited"), "nobody has been failed"


async def test_a_runtime_that_hangs_times_out(yard: Yard) -> None:
    function = yard.answering("if event: print('hanging'); time.sleep(60)\nreturn 'alive'", timeout_s=1)
    invocation = yard.invocation(1)
    outcome = await yard.run(function, invocation)
    text = f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds"
    assert json.loads(outcome.payload) == {"errorType": "Sandbox.Timedout", "errorMessage": text}
    assert yard.lines("^hanging")
    assert await yard.result(function, 0) == "alive"


async def test_a_runtime_that_does_not_ask_for_more_has_answered_and_times_out(yard: Yard) -> None:
    function = yard.speaking_http("api.next(); api.post('response', 'early'); time.sleep(60)", timeout_s=1)
    outcome = await yard.invoke(function)
    assert (outcome.payload, outcome.error) == (b'"early"', None)
    assert not yard.lines("^REPORT"), "the answer goes out at once"
    await yard.facts.until("REPORT")
    assert yard.lines("Task timed out after 1.00 seconds")
    assert yard.lines("^REPORT")[0].endswith("Status: timeout")


async def test_what_a_runtime_may_not_say_is_refused(yard: Yard) -> None:
    function = yard.speaking_http("""
event = api.next()
again = api.next()
wrong = api.post("response", 1, id="11111111-1111-1111-1111-111111111111")
late = api.init_error("Runtime.Late", "")
api.post("response", [again == event, wrong, late])
twice = [api.post("response", 2), api.post("error", {})]
print(json.dumps(["twice", *twice]))
api.post("response", api.next())
""")
    invalid = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    assert await yard.result(function, {"a": 1}, tail=True) == [True, [400, invalid], 403]
    (line,) = yard.lines("twice")
    move = "State transition from RuntimeResponseSentState to {} failed for runtime."
    move += " Error: State transition is not allowed"
    assert json.loads(line)[1:] == [
        [403, {"errorMessage": move.format(state), "errorType": "InvalidStateTransition"}]
        for state in ("InvocationResponse", "InvocationErrorResponse")
    ]


async def test_the_largest_event_and_the_largest_answer_pass(yard: Yard) -> None:
    function = yard.answering("return event", timeout_s=60, memory_mb=512)
    event = b'"' + b"x" * (limits.INVOKE_PAYLOAD_BYTES - 2) + b'"'
    assert (await yard.invoke(function, event, tail=True)).payload == event


async def test_an_answer_over_the_limit_is_refused(yard: Yard) -> None:
    function = yard.speaking_http(
        """
while True:
    size = api.next()
    print(json.dumps(["said", api.post("response", b"x" * size)]))
""",
        timeout_s=60,
        memory_mb=512,
    )
    for _ in range(2):
        error = await yard.failure(function, limits.INVOKE_PAYLOAD_BYTES + 1, tail=True)
        assert error == {
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        }
        assert yard.lines("^REPORT")[-1].endswith("Error Type: Function.ResponseSizeTooLarge")
    said = [json.loads(line)[1] for line in yard.lines("said")]
    assert [status for status, _ in said] == [413, 413]
    outcome = await yard.invoke(function, limits.INVOKE_PAYLOAD_BYTES, tail=True)
    assert (len(outcome.payload), outcome.error) == (limits.INVOKE_PAYLOAD_BYTES, None)


async def test_an_answer_that_breaks_off_is_truncated(yard: Yard) -> None:
    function = yard.speaking_http("""
while True:
    if api.next():
        api.send("POST", api.ROOT + "invocation/%s/response" % api.id, {"Content-Length": 100}, b"half")
        api.socket.shutdown(socket.SHUT_RDWR)
        api = Runtime()
    else:
        api.post("response", "whole")
""")
    assert (await yard.failure(function, 1, tail=True))["errorType"] == "Runtime.TruncatedResponse"
    assert await yard.result(function, 0, tail=True) == "whole"
    assert yard.engine.size == 1


async def test_an_unknown_response_mode_is_the_callers_error(yard: Yard) -> None:
    function = yard.speaking_http("""
while True:
    api.next()
    print(api.post("response", 1, {"Lambda-Runtime-Function-Response-Mode": "postal"})[0])
""")
    assert (await yard.failure(function, tail=True))["errorType"] == "Runtime.InvalidResponseModeHeader"
    assert yard.lines("^400$")


async def test_what_is_printed_before_the_next_event_belongs_to_the_last(yard: Yard) -> None:
    function = yard.speaking_http("""
print("starting")
while True:
    event = api.next()
    print("before", event)
    api.post("response", event)
    print("after", event)
""")
    for number in range(2):
        await yard.result(function, number, tail=True)
    shown = [line.split()[0] + line.split()[-1] for line in yard.lines("^(START|before|after|END|starting)")]
    ids = [line.split()[-1] for line in yard.lines("^END")]
    assert shown == [
        "startingstarting",
        *("START$LATEST", "before0", "after0", f"END{ids[0]}"),
        *("START$LATEST", "before1", "after1", f"END{ids[1]}"),
    ]


@pytest.mark.parametrize(("log_format", "expected"), [("Text", ["two\nlines", "fine"]), ("JSON", ["two\nlines"])])
async def test_framed_messages_are_one_event_each_and_have_a_level(
    yard: Yard, log_format: str, expected: list[str]
) -> None:
    function = yard.answering(
        """
number = int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"])
for kind, text in ((0xA55A0013, b"two\\nlines"), (0xA55A000B, b"fine")):
    os.write(number, kind.to_bytes(4, "big") + len(text).to_bytes(4, "big")
        + int(time.time() * 1e6).to_bytes(8, "big") + text)
""",
        log_format=log_format,
        log_level="WARN",
    )
    await yard.result(function, tail=True)
    assert yard.lines("^(two|fine)") == expected


async def test_many_callers_each_have_their_own_answer(yard: Yard) -> None:
    function = yard.answering("return event")
    assert await asyncio.gather(*(yard.result(function, n) for n in range(8))) == list(range(8))
