"""AWS's set-up of the logging module, done when the function imports it."""

# mypy: ignore-errors
# `client` is the bootstrap, set by its loader.

import time

_DATE = "%Y-%m-%dT%H:%M:%S"
_OWN = {
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "aws_request_id",
    "tenant_id",
    "_frame_type",
}


class Sink:
    """Where log handlers write; libraries look for it as `handler.log_sink`."""

    def log(self, message, frame_type=None):  # noqa: ARG002 as callers of AWS's sink give it
        client.runtime.wire.log(message)  # noqa: F821


def set_up(logging):
    """Give the root logger the handler that AWS gives it."""

    class LambdaLoggerHandler(logging.Handler):
        def __init__(self, log_sink):
            logging.Handler.__init__(self)
            self.log_sink = log_sink

        def emit(self, record):
            self.log_sink.log(self.format(record))

    class LambdaLoggerHandlerWithFrameType(LambdaLoggerHandler):
        pass

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = client.runtime.request_id or ""  # noqa: F821
            record.tenant_id = client.runtime.tenant_id  # noqa: F821
            return True

    logging.Formatter.converter = time.gmtime
    level = client.variable(b"AWS_LAMBDA_LOG_LEVEL", "").upper()  # noqa: F821
    level = "DEBUG" if level == "TRACE" else "CRITICAL" if level == "FATAL" else level
    json_logs = client.runtime.json_logs  # noqa: F821
    kind = LambdaLoggerHandlerWithFrameType if json_logs or level else LambdaLoggerHandler
    handler = kind(Sink())
    handler.setFormatter(_json_formatter(logging) if json_logs else _text_formatter(logging))
    handler.addFilter(LambdaLoggerFilter())
    root = logging.getLogger()
    if level in logging._nameToLevel:  # noqa: SLF001 public only since 3.11
        root.setLevel(level)
    root.addHandler(handler)


def _text_formatter(logging):
    return logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", _DATE)


def _json_formatter(logging):
    import json

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            record.levelno = min(50, max(0, record.levelno)) // 10 * 10
            record.levelname = logging.getLevelName(record.levelno)
            plain = isinstance(record.msg, dict) and not record.args
            entry = {
                "timestamp": self.formatTime(record, _DATE + "Z"),
                "level": record.levelname,
                "message": record.msg if plain else record.getMessage(),
                "logger": record.name,
                **_failure(record),
                "requestId": record.aws_request_id,
                "location": None,
            }
            if record.exc_info:
                entry["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            if record.tenant_id is not None:
                entry["tenantId"] = record.tenant_id
            for name, value in record.__dict__.items():
                if name not in _OWN and name not in entry:
                    entry[name] = value
            entry = {name: value for name, value in entry.items() if value is not None}
            return json.dumps(entry, ensure_ascii=False, default=str) + "\n"

    return JsonFormatter()


def _failure(record):
    """What is said of an exception. Where there is none, the names are taken all the same: `extra` cannot set them."""
    if not record.exc_info:
        return {"stackTrace": None, "errorType": None, "errorMessage": None}
    import traceback

    kind, error, trace = record.exc_info
    return {"stackTrace": traceback.format_tb(trace), "errorType": kind.__name__, "errorMessage": str(error)}
