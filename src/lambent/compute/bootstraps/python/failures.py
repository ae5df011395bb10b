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


def too_large():
    """What AWS's client logs of an answer that the Runtime API does not take, be it a result or an error."""
    said = '{"errorMessage":"Exceeded maximum allowed payload size (%d bytes).","errorType":"RequestEntityTooLarge"}'
    problem = "LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413."
    return "[ERROR] [%d] %s %s\n" % (time.time() * 1000, problem, said % client.ANSWER_LIMIT)  # noqa: F821


def unloadable(module, error):
    """The fault of a handler's module that cannot be imported."""
    if isinstance(error, ImportError):
        return client.Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module, error))  # noqa: F821
    problem = "Syntax error in module '%s': %s" % (module, error)
    trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
    return client.Fault("Runtime.UserCodeSyntaxError", problem, trace)  # noqa: F821


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
    if entries and entries[0][2] == "_gcd_import":
        entries.insert(0, _import_module())
    return traceback.format_list(entries)


def _import_module():
    """The frame of `importlib.import_module`, by which AWS's client imports, and ours without that package."""
    import dis
    import importlib
    import linecache

    code = importlib.import_module.__code__
    number = max(line for _, line in dis.findlinestarts(code) if line)
    return _shown(code.co_filename), number, code.co_name, linecache.getline(code.co_filename, number).strip()


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
