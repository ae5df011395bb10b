"""What a failed handler answers and logs: AWS's error JSON. Loaded at the first failure."""

# mypy: ignore-errors
# `client` is the bootstrap, set by its loader.

import time
import traceback

_ROOT = client.variable(b"LAMBDA_TASK_ROOT") + "/"  # noqa: F821
_LIBRARY = traceback.__file__.rpartition("/")[0] + "/"
_SHOWN = (
    (_ROOT, "/var/task/"),
    (_LIBRARY, "/var/lang/lib/python%d.%d/" % client.sys.version_info[:2]),  # noqa: F821
)


def report(failure, request_id=""):
    """The error JSON of `failure`, an exc_info triple; it is logged on the way."""
    kind, error, trace = failure
    if isinstance(error, client.Fault):  # noqa: F821
        kind, message, frames = error.kind, str(error), [_shown(line) for line in error.trace]
    else:
        kind, message, frames = kind.__name__, str(error), _frames(trace)
    result = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": frames}
    runtime = client.runtime  # noqa: F821
    runtime.wire.log(_as_json(result, runtime) if runtime.json_logs else _as_text(result))
    return runtime.json.encode(result)


def _frames(trace):
    entries = [(_shown(f.filename), f.lineno, f.name, f.line) for f in traceback.extract_tb(trace)]
    while entries and entries[0][0] == client.FILE:  # noqa: F821
        del entries[0]
    return traceback.format_list(entries)


def _shown(text):
    for real, shown in _SHOWN:
        text = text.replace(real, shown)
    return text


def _as_text(result):
    """One event; its indentation is made of no-break spaces, as log viewers would eat others."""
    title = result["errorType"] + (": " + result["errorMessage"] if result["errorMessage"] else "")
    lines = ["[ERROR] " + title, "Traceback (most recent call last):"]
    for entry in result["stackTrace"]:
        for line in entry.splitlines():
            bare = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    return "\n".join(lines)


def _as_json(result, runtime):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return runtime.json.encode({"timestamp": stamp, "level": "ERROR", **result})
