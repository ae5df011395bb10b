"""What a handler is given and what becomes of its answer, on every interpreter that is here."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.compute.workshop import RUNTIME

if TYPE_CHECKING:
    from tests.compute.workshop import Workshop

ECHO = "def handler(event, context): return event"
RUNTIMES = [f"python3.{minor}" for minor in range(9, 15)]


@pytest.mark.parametrize("runtime", RUNTIMES)
async def test_the_interpreter_asked_for_is_the_one_that_runs(shop: Workshop, runtime: str) -> None:
    if refusal := await shop.engine.refusal(runtime):
        assert "uv python install" in refusal
        assert "pyenv install" in refusal
        pytest.skip(refusal)
    source = """
import sys, platform
def handler(event, context):
    return [platform.python_implementation(), "%d.%d" % sys.version_info[:2], event]
"""
    function = shop.function(source, runtime=runtime)
    assert await shop.result(function, {"grüße": "🎈"}) == ["CPython", runtime[6:], {"grüße": "🎈"}]


@pytest.mark.parametrize("runtime", RUNTIMES)
async def test_errors_and_logging_work_on_every_interpreter(shop: Workshop, runtime: str) -> None:
    if refusal := await shop.engine.refusal(runtime):
        pytest.skip(refusal)
    source = """
import logging
def handler(event, context):
    logging.warning("first\\nsecond")
    raise ValueError("nö")
"""
    outcome = await shop.invoke(shop.function(source, runtime=runtime), tail=True)
    error = json.loads(outcome.payload)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "nö")
    assert error["stackTrace"] == ['  File "/var/task/app.py", line 5, in handler\n    raise ValueError("nö")\n']
    assert outcome.log_tail is not None
    assert "first\nsecond\n" in outcome.log_tail.decode()


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ("None", "null"),
        ("0", "0"),
        ("''", '""'),
        ("[]", "[]"),
        ("True", "true"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1e400", "Infinity"),
        ("float('nan')", "NaN"),
        ("10 ** 60", "1" + "0" * 60),
        ("{1: 2, None: 3, True: 4, 1.5: 6}", '{"1": 4, "null": 3, "1.5": 6}'),
        ("(1, (2,))", "[1, [2]]"),
        ("b'raw, as it is'", "raw, as it is"),
        ("{'a': b'text'}", '{"a": "text"}'),
        ("Decimal('1.10')", "1.10"),
        ("[Decimal('NaN'), Decimal('1E+3')]", "[NaN, 1E+3]"),
        ("Point(1, 'x')", '{"x": 1, "y": "x"}'),
        ("[Point(Point(1, 2), 3)]", '[{"x": {"x": 1, "y": 2}, "y": 3}]'),
        ("Colour.RED", "1"),
        ("Name('n')", '"n"'),
        ("OrderedDict(b=1, a=2)", '{"b": 1, "a": 2}'),
        ("'</script> \\u2028'", None),
    ],
)
async def test_answers_are_encoded_as_aws_encodes_them(shop: Workshop, expression: str, payload: str | None) -> None:
    source = f"""
from collections import OrderedDict, namedtuple
from decimal import Decimal
from enum import IntEnum
Point = namedtuple("Point", "x y")
Colour = IntEnum("Colour", "RED")
class Name(str): pass
def handler(event, context):
    return {expression}
"""
    outcome = await shop.invoke(shop.function(source))
    assert outcome.error is None
    if payload is not None:
        assert outcome.payload.decode() == payload
    else:
        assert json.loads(outcome.payload) == "</script> \u2028"


@pytest.mark.parametrize(
    ("runtime", "payload"), [("python3.11", b'"\\u00e9\\ud83c\\udf88"'), ("python3.12", '"é🎈"'.encode())]
)
async def test_text_beyond_ascii_is_escaped_up_to_python_3_11(shop: Workshop, runtime: str, payload: bytes) -> None:
    if refusal := await shop.engine.refusal(runtime):
        pytest.skip(refusal)
    outcome = await shop.invoke(shop.function("def handler(e, c): return 'é🎈'", runtime=runtime))
    assert outcome.payload == payload


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("datetime(2026, 1, 1)", "Object of type datetime is not JSON serializable"),
        ("{1, 2}", "Object of type set is not JSON serializable"),
        ("{(1, 2): 3}", "keys must be str, int, float, bool or None, not tuple"),
        ("circle()", "Circular reference detected"),
    ],
)
async def test_an_answer_that_is_no_json_is_a_marshal_error(shop: Workshop, expression: str, problem: str) -> None:
    source = f"""
from datetime import datetime
def circle():
    a = []
    a.append(a)
    return a
def handler(event, context):
    return {expression}
"""
    function = shop.function(source)
    error = await shop.failure(function)
    assert error["errorType"] == "Runtime.MarshalError"
    assert error["errorMessage"] == f"Unable to marshal response: {problem}"
    assert error["stackTrace"] == []
    assert shop.engine.size == 1, "the environment stays"


@pytest.mark.parametrize(
    "event",
    [None, 0, "", [], {}, 1.5, "\ud83c\udf88", "é\u2028\x00", {"a": [1, {"b": None}]}, 10**40, "x" * 6_000_000],
    ids=lambda event: str(event)[:12].encode("ascii", "replace").decode(),
)
async def test_events_come_back_as_they_went(shop: Workshop, event: Any) -> None:
    payload = json.dumps(event).encode()
    assert await shop.result(shop.function(ECHO), payload) == json.loads(payload)


async def test_an_event_of_utf8_and_white_space_is_read(shop: Workshop) -> None:
    assert await shop.result(shop.function(ECHO), ' {"é": "🎈"} \n'.encode()) == {"é": "🎈"}


async def test_an_event_that_is_no_json_is_an_unmarshal_error(shop: Workshop) -> None:
    error = await shop.failure(shop.function(ECHO), b"{broken")
    assert error["errorType"] == "Runtime.UnmarshalError"
    assert error["errorMessage"].startswith("Unable to unmarshal input: ")


async def test_the_context_is_complete(shop: Workshop) -> None:
    source = """
def handler(event, c):
    left = c.get_remaining_time_in_millis()
    return {
        "name": c.function_name, "version": c.function_version, "arn": c.invoked_function_arn,
        "memory": c.memory_limit_in_mb, "id": c.aws_request_id, "group": c.log_group_name,
        "stream": c.log_stream_name, "tenant": c.tenant_id, "left": left,
        "identity": [c.identity.cognito_identity_id, c.identity.cognito_identity_pool_id],
        "client": [c.client_context.custom, c.client_context.env, c.client_context.client.app_title],
        "w3c": c.w3c(), "repr": repr(c),
    }
"""
    function = shop.function(source, memory_mb=512, timeout_s=30, version="7")
    client = {
        "custom": {"k": "\n"},
        "env": {"e": 1},
        "client": {"app_title": "T"},
        "w3c": {"traceparent": "t", "x": "y"},
    }
    invocation = shop.invocation(client_context=json.dumps(client).encode(), invoked_arn="arn:x:7")
    outcome = await shop.run(function, invocation)
    seen = json.loads(outcome.payload)
    shown = seen.pop("repr")
    assert 29_000 < seen.pop("left") <= 30_000
    stream = seen.pop("stream")
    assert shop.facts.events[0][0].name == stream
    assert seen == {
        "name": function.name,
        "version": "7",
        "arn": "arn:x:7",
        "memory": "512",
        "id": invocation.request_id,
        "group": function.log_group,
        "tenant": None,
        "identity": [None, None],
        "client": [{"k": "\n"}, {"e": 1}, "T"],
        "w3c": {"traceparent": "t"},
    }
    assert shown.startswith(
        f"LambdaContext([aws_request_id={invocation.request_id},log_group_name={function.log_group},"
    )
    assert "client_context=ClientContext([custom={'k': '\\n'},env={'e': 1},client=Client([" in shown
    assert shown.endswith(
        "identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None]),tenant_id=None])"
    )


@pytest.mark.parametrize(
    ("handler", "name"),
    [("app.handler", "app.py"), ("src/app.handler", "src/app.py"), ("pkg.deep.app.handler", "pkg/deep/app.py")],
)
async def test_handlers_are_found_in_folders_and_packages(shop: Workshop, handler: str, name: str) -> None:
    assert await shop.result(shop.function({name: ECHO}, handler=handler), 1) == 1


async def test_module_state_lives_as_long_as_the_environment(shop: Workshop) -> None:
    function = shop.function("n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n")
    assert [await shop.result(function) for _ in range(3)] == [1, 2, 3]


async def test_the_environment_variables_are_the_documented_ones_and_no_others(shop: Workshop) -> None:
    shop.host = {**shop.host, "SECRET_OF_THE_SERVER": "x"}
    source = "import os\ndef handler(e, c): return dict(os.environ)"
    function = shop.function(source, variables={"OWN": "1", "TZ": "Europe/Berlin", "AWS_REGION": "nowhere"})
    seen = await shop.result(function, trace_id="Root=1-2-3;Sampled=0")
    root = seen.pop("LAMBDA_TASK_ROOT")
    opt = root.removesuffix("task") + "opt"
    assert seen.pop("PWD") == root
    assert seen.pop("LD_LIBRARY_PATH").endswith(f":{root}:{root}/lib:{opt}/lib")
    assert seen.pop("PATH").endswith(f":/usr/local/bin:/usr/bin/:/bin:{opt}/bin")
    assert seen.pop("AWS_LAMBDA_RUNTIME_API") == seen.pop("AWS_LAMBDA_METADATA_API")
    assert len(seen.pop("AWS_LAMBDA_METADATA_TOKEN")) == 32
    assert seen.pop("PYTHONPATH") == seen.pop("LAMBDA_RUNTIME_DIR")
    assert seen.pop("TMPDIR").startswith(str(shop.folder))
    assert seen.pop("_LAMBENT_ENVIRONMENT").startswith(str(shop.folder))
    assert seen.pop("AWS_LAMBDA_LOG_STREAM_NAME") == shop.facts.events[0][0].name
    seen.pop("LC_CTYPE", None)
    assert seen == {
        "AWS_ACCESS_KEY_ID": "ASIA0000000000000001",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": "app.handler",
        "_X_AMZN_TRACE_ID": "Root=1-2-3;Sampled=0",
        "LANG": "en_US.UTF-8",
        "OWN": "1",
        "SHLVL": "0",
        "TZ": "Europe/Berlin",
    }
    assert shop.authority.sessions == [(function.role, function.name)]


async def test_the_trace_changes_with_every_invocation(shop: Workshop) -> None:
    source = "def handler(e, c):\n    import os\n    return os.environ.get('_X_AMZN_TRACE_ID')"
    function = shop.function(source)
    seen = [await shop.result(function, trace_id=trace) for trace in ("one", "two", None)]
    assert seen == ["one", "two", None]


async def test_the_process_is_what_a_function_expects(shop: Workshop) -> None:
    source = """
import os, resource, sys
def handler(event, context):
    return {
        "cwd": os.path.samefile(os.getcwd(), os.environ["LAMBDA_TASK_ROOT"]), "stdin": sys.stdin.read(),
        "first": sys.path[0] == os.environ["LAMBDA_TASK_ROOT"],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE), "core": resource.getrlimit(resource.RLIMIT_CORE),
        "leader": os.getpid() == os.getsid(0), "umask": os.umask(0), "mode": oct(os.stat("app.py").st_mode),
        "descriptors": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1], "path": sys.path[-1],
        "pyc": os.path.exists("__pycache__"),
    }
"""
    seen = await shop.result(shop.function(source))
    assert "/runtime-" in seen.pop("path")
    assert seen.pop("descriptors")[:6] == [0, 1, 2, 3, 4, 5]
    assert seen == {
        "cwd": True,
        "first": True,
        "stdin": "",
        "files": [1024, 1024],
        "core": [0, 0],
        "leader": True,
        "umask": 0o022,
        "mode": "0o100444",
        "pyc": False,
    }


async def test_nothing_is_imported_that_the_function_did_not_ask_for(shop: Workshop) -> None:
    source = "import sys\ndef handler(e, c): return sorted(sys.modules)"
    loaded = set(await shop.result(shop.function(source)))
    assert not loaded & {"os", "re", "json", "logging", "traceback", "socket", "threading", "importlib"}


async def test_the_sdk_is_there_and_knows_the_server_and_the_role(shop: Workshop) -> None:
    source = """
def handler(event, context):
    import boto3, os
    client = boto3.client("s3")
    key = boto3.Session().get_credentials().access_key
    return [client.meta.endpoint_url, client.meta.region_name, key == os.environ["AWS_ACCESS_KEY_ID"]]
"""
    assert await shop.result(shop.function(source)) == ["http://127.0.0.1:4566", "us-east-1", True]


async def test_a_package_of_the_function_comes_before_the_sdk_that_is_offered(shop: Workshop) -> None:
    sources: dict[str, str | bytes] = {
        "app.py": "import boto3\ndef handler(e, c): return boto3.__version__",
        "boto3.py": "__version__ = 'own'",
    }
    assert await shop.result(shop.function(sources)) == "own"


async def test_a_subprocess_finds_the_same_interpreter_and_does_not_hold_the_channel(shop: Workshop) -> None:
    source = """
import os, subprocess, sys
def handler(event, context):
    code = "import os, sys; print('%d.%d' % sys.version_info[:2], sorted(os.listdir('/proc/self/fd'))[:-1])"
    return subprocess.run(["python%d.%d" % sys.version_info[:2], "-c", code], stdout=subprocess.PIPE).stdout.decode()
"""
    assert await shop.result(shop.function(source)) == f"{RUNTIME[6:]} ['0', '1', '2']\n"


async def test_a_client_context_that_is_no_json_is_aws_error(shop: Workshop) -> None:
    for context in (b"{broken", b"\xff"):
        error = await shop.failure(shop.function(ECHO), client_context=context)
        assert error["errorType"] == "Runtime.LambdaContextUnmarshalError"
        assert error["errorMessage"].startswith("Unable to parse Client Context JSON: ")


async def test_output_that_the_function_made_non_blocking_does_not_break_the_client(shop: Workshop) -> None:
    source = """
import logging, os, threading
def handler(event, context):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    os.set_blocking(1, False)
    try:
        while True: os.write(1, b"x" * 4096)
    except BlockingIOError:
        logging.warning("the pipe was full")
    return "done"
"""
    assert await shop.result(shop.function(source)) == "done"
    assert any("the pipe was full" in message for message in shop.facts.messages)


def test_the_client_has_the_limits_of_the_server() -> None:
    source = files("lambent.compute.bootstraps").joinpath("python", "bootstrap.py").read_text()
    assert f"\nPACKET = {limits.CHANNEL_PACKET_BYTES}\n" in source
    assert f"\nANSWER_LIMIT = {limits.INVOKE_PAYLOAD_BYTES}\n" in source
