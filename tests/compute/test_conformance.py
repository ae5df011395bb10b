"""One suite of handlers through both doors: Lambent's own Python client, and AWS's own, unmodified, over HTTP.

What they answer and what stands in the log afterwards must be the same, member by member.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.compute.programs import executables

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from tests.compute.programs import Yard

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric is not installed"
)

OFFICIAL = """#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT/official:$PYTHONPATH"
exec "$1" -B -m awslambdaric "$_HANDLER"
"""

TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"

# Each case: the module app, the event, members of the invocation, and members of the function.
Case = tuple[str, Any, dict[str, Any], dict[str, Any]]


def case(source: str, event: Any = None, function: dict[str, Any] | None = None, **invocation: Any) -> Case:
    return source, event, invocation, function or {}


def answer(expression: str, event: Any = None) -> Case:
    """A function that answers what an expression says."""
    head = "import decimal, enum, collections, datetime, math"
    return case(f"{head}\nclass Text(str): pass\ndef handler(event, context):\n    return {expression}", event)


def body(text: str, event: Any = None, function: dict[str, Any] | None = None, **invocation: Any) -> Case:
    """A function with that body."""
    lines = "\n".join(f"    {line}" for line in text.strip().splitlines())
    head = "import json, logging, os, sys, time"
    return case(f"{head}\ndef handler(event, context):\n{lines}", event, function, **invocation)


LOGGING = """
log = logging.getLogger("mine")
log.debug("debug %d", 1)
log.info("info")
log.warning("warning\\nof two lines", extra={"order": 7})
log.error("error")
log.critical("critical")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("caught")
logging.info({"a": "dictionary"})
print("printed")
"""
JSON_LOGS = {"log_format": "JSON", "log_level": "INFO"}
CONTEXT = """
names = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id",
    "log_group_name", "tenant_id")
return {name: getattr(context, name, "missing") for name in names}
"""
CLIENT = """
client = context.client_context
if client is None:
    return None
return [client.custom, client.env, client.client and client.client.installation_id,
    client.client and client.client.app_title, client.client and client.client.app_version_code]
"""

CASES: dict[str, Case] = {
    "echo": answer("event", {"a": [1, 2.5, None, True, "x"], "b": {"c": {}}}),
    "none": answer("None"),
    "unicode": answer("[event, 'grüße 🎈 \\u2028', {'ключ': 1}]", "é🎈\u2028"),
    "escapes": answer("'\"\\\\/\\b\\f\\n\\r\\t\\x00\\x7f</script>'"),
    "numbers": answer("[0, -1, 10 ** 40, 0.1 + 0.2, 1e400, -1e400, float('nan'), 1e-7, 5e22, True]"),
    "large-number-in": answer("[event, str(event)]", 123456789012345678901234567890),
    "keys": answer("{1: 2, None: 3, True: 4, 1.5: 6, 'x': 7}"),
    "tuples": answer("(1, (2, []), collections.namedtuple('P', 'x y')(1, 2))"),
    "decimals": answer("[decimal.Decimal('1.10'), decimal.Decimal('1E+3')]"),
    "enums": answer("[enum.IntEnum('C', 'RED').RED, Text('t'), collections.OrderedDict(b=1, a=2)]"),
    "bytes": answer("b'raw, no JSON'"),
    "bytes-within": answer("{'a': b'text'}"),
    "empty-bytes": answer("b''"),
    "not-serializable": answer("datetime.datetime(2026, 1, 1)"),
    "a-set": answer("{1}"),
    "bad-key": answer("{(1, 2): 3}"),
    "circular": body("a = []\na.append(a)\nreturn a"),
    "a-megabyte": answer("event + 'é'", "x" * 1_000_000),
    "too-large": answer("'x' * 6291556"),
    "value-error": body('raise ValueError("bäd\\nlines")'),
    "empty-error": body("raise KeyError"),
    "deep-error": case(
        "class Own(Exception): pass\n\ndef inner(n):\n    if n: inner(n - 1)\n    raise Own('deep', 1)\n\n"
        "def handler(event, context):\n    inner(3)"
    ),
    "chained-error": body("try:\n    {}['a']\nexcept KeyError as error:\n    raise RuntimeError('later') from error"),
    "library-error": body("json.loads('{')"),
    "error-in-json-format": body("raise ValueError('x')", None, JSON_LOGS),
    "no-arguments": case("def handler(): pass"),
    "import-error": case("import nowhere"),
    "syntax-error": case("def handler(:\n  pass"),
    "no-handler": case("x = 1"),
    "bad-handler": case("", None, {"handler": "handler"}),
    "no-module": case("", None, {"handler": "gone.handler"}),
    "built-in-module": case("", None, {"handler": "sys.exit"}),
    "relative-handler": case("", None, {"handler": "./inner/part.handler"}),
    "absolute-handler": case("", None, {"handler": "/inner/part.handler"}),
    "folder-handler": case("", "x", {"handler": "inner/part.handler"}),
    "init-raises": case("raise KeyError('k')"),
    "init-prints": case("print('loading')\ndef handler(event, context): return 1"),
    "context": body(CONTEXT, tenant_id="blue"),
    "no-tenant": body(CONTEXT),
    "remaining": body(
        "left = context.get_remaining_time_in_millis()\nreturn [type(left).__name__, 9000 < left <= 10000]"
    ),
    "context-log": body("context.log('said by the context\\n')"),
    "identity": body(
        "return [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]",
        cognito_identity=b'{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
    ),
    "no-identity": body("return [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]"),
    "client-context": body(
        CLIENT,
        client_context=b'{"client":{"installation_id":"i","app_title":"t","app_version_code":"1"},"custom":{"a":"\xc3\xa9"},"env":{"e":"f"}}',
    ),
    "no-client-context": body(CLIENT),
    "partial-client-context": body(CLIENT, client_context=b'{"custom":{"a":1}}'),
    "w3c-context": body(
        "return [context.w3c(), context.client_context.custom]",
        client_context=b'{"w3c":{"traceparent":"00-1","baggage":1,"other":"x"},"custom":{}}',
    ),
    "broken-client-context": body("return 1", client_context=b"{"),
    "broken-identity": body("return 1", cognito_identity=b"[1"),
    "surrogate": answer("'\\ud800'"),
    "surrogate-logged": body(
        "try:\n    logging.error('\\ud800')\nexcept UnicodeEncodeError as error:\n    return error.reason"
    ),
    "surrogate-raised": body("raise ValueError('\\ud800')"),
    "bytes-of-no-encoding": answer("b'\\xff\\x00'"),
    "exit-at-import": case("import sys\nprint('going')\nsys.exit(7)"),
    "exit-with-words": body("sys.exit('words')"),
    "interrupt": body("raise KeyboardInterrupt"),
    "shown": body("return [repr(context), repr(context.identity)]", tenant_id="blue"),
    "tenant-logged": body("logging.warning('mine')", None, JSON_LOGS, tenant_id="blue"),
    "trace": body("return os.environ.get('_X_AMZN_TRACE_ID')", trace_id=TRACE),
    "no-trace": body("return os.environ.get('_X_AMZN_TRACE_ID')"),
    "logging": body(LOGGING),
    "logging-debug": body("logging.getLogger().setLevel('DEBUG')" + LOGGING),
    "logging-json": body(LOGGING, None, JSON_LOGS),
    "logging-json-debug": body(LOGGING, None, {"log_format": "JSON", "log_level": "DEBUG"}),
    "logging-json-extra": body(
        "taken = ('errorType', 'errorMessage', 'stackTrace', 'location', 'requestId', '_frame_type', 'tenantId')\n"
        "logging.error('said', extra={name: 'mine' for name in taken} | {'nothing': None, 'own': {1}})",
        None,
        JSON_LOGS,
    ),
    "logging-json-error": body(LOGGING, None, {"log_format": "JSON", "log_level": "ERROR"}),
    "print-order": body(
        "print('a'); print('b', file=sys.stderr); sys.stdout.write('c'); print('d'); os.write(1, b'e\\n')"
    ),
    "print-unended": body("print('no end', end='')"),
    "print-lines": body("print('one\\ntwo\\n\\nfour')"),
    "print-returns": body("print('one\\rtwo')"),
    "exit-3": body("sys.exit(3)"),
    "exit-0": body("sys.exit()"),
    "killed": body("os.kill(os.getpid(), 9)"),
    "timeout": body("print('begun'); time.sleep(60)", None, {"timeout_s": 1}),
    "folder": body("return [os.getcwd(), __file__, __name__]"),
    # An interpreter sets LC_CTYPE when it starts on a machine that does not have AWS's locale; ours has started before.
    "variables": body(
        "hidden = {'AWS_LAMBDA_EXEC_WRAPPER', 'PYTHONPATH', 'LC_CTYPE'}\n"
        "return sorted(name for name in os.environ if name not in hidden)",
        None,
        {"variables": {"OWN": "1"}},
    ),
    "locale": body("return [sys.getfilesystemencoding(), sys.stdout.encoding, time.tzname[0]]"),
}


# What differs, and why: of these, the answers are compared and not the logs.
LOGGED_APART = {
    "too-large": "AWS's client learns of it from the Runtime API only, and ends with a traceback of its own",
    "surrogate-raised": "as with an interrupt",
    "interrupt": "the interpreter's own traceback has the frames of the client",
}
# Here the frames are not compared.
FRAMES_APART = {
    "no-arguments": "the only frame is the client's own: ours shows none",
}


@pytest.mark.parametrize("name", CASES)
async def test_both_doors_are_alike(yard: Yard, name: str) -> None:
    source, event, invocation, fields = CASES[name]
    files = {"app.py": source, "inner/part.py": "def handler(event, context): return [event, __name__]"}
    doors = [through_ours(yard, files, fields), through_official(yard, files, fields)]
    request_id = yard.ids.uuid()
    outcomes = await asyncio.gather(
        *(yard.invoke(door, event, request_id=request_id, tail=True, **invocation) for door in doors)
    )
    payloads = [comparable(yard, outcome.payload.decode(errors="replace")) for outcome in outcomes]
    if name in FRAMES_APART:
        assert without_frames(payloads[0]) == without_frames(payloads[1])
        return
    assert (payloads[0], outcomes[0].error) == (payloads[1], outcomes[1].error)
    logs = [logged(yard, door) for door in doors]
    if name.startswith("logging"):  # AWS's client sends what is logged and what is printed over two pipes
        logs = [sorted(log) for log in logs]
    if name not in LOGGED_APART:
        assert logs[0] == logs[1]


def through_ours(yard: Yard, files: dict[str, str], fields: dict[str, Any]) -> FunctionVersion:
    """Managed Python as it is."""
    return yard.function({**files}, **{"name": "greeter", "log_group": "/ours", **fields})


def through_official(yard: Yard, files: dict[str, str], fields: dict[str, Any]) -> FunctionVersion:
    """AWS's client, which comes with the package."""
    code = yard.blobs.put(executables({"wrapper": OFFICIAL}, {**files, **official_client()}))
    variables = {**fields.get("variables", {}), "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    values = {"name": "greeter", "revision": "2", "log_group": "/official", **fields}
    return yard.function({}, **{**values, "code_sha256": code, "variables": variables})


@functools.cache
def official_client() -> dict[str, bytes]:
    """The files of AWS's client and of what it needs."""
    files = {}
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        distribution = metadata.distribution(name)
        for file in distribution.files or ():
            if file.suffix in (".py", ".so") and "tests" not in file.parts:
                files[f"official/{file}"] = Path(str(distribution.locate_file(file))).read_bytes()
    return files


def logged(yard: Yard, function: FunctionVersion) -> list[str]:
    """The log, but for what AWS's client says of its own updates, which there are none of here."""
    messages = [event.message for stream, event in yard.facts.events if stream.group == function.log_group]
    return [comparable(yard, message) for message in messages if "LAMBDA_WARNING" not in message]


def without_frames(payload: str) -> dict[str, Any]:
    """An error's type and message."""
    error: dict[str, Any] = json.loads(payload)
    del error["stackTrace"]
    return error


def comparable(yard: Yard, text: str) -> str:
    """Without what differs from one invocation to the next, or because a plain process has its files elsewhere."""
    folder = re.escape(str(yard.folder.resolve()))
    text = re.sub(folder + r"/engine/c[-\w/]*?/(task|[0-9a-f]{64})", "/var/task", text)
    text = text.replace(f"{sys.base_prefix}/lib", "/var/lang/lib")
    text = re.sub(r"/(ours|official)\b", "/group", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "STREAM", text)
    text = re.sub(r"[\d.]+ (ms|MB)", r"N \1", text)
    return re.sub(r'"(\w*(?:Ms|UsedMB|durationMs|producedBytes|start))":("TIME"|[\d.]+)', r'"\1":N', text)
