"""The answers of the Runtime API as bytes: those that never change are made once, the others in one piece.

A Date header is left out: nobody between the two ends of this connection keeps or forwards what is said on it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.runtime_api.api import Event, Refusal

TEXT = b"text/plain; charset=utf-8"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_JSON = b"application/json"
_TOO_LARGE_MESSAGE = f"Exceeded maximum allowed payload size ({limits.INVOKE_PAYLOAD_BYTES} bytes)."
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_SPACES = bytes.maketrans(b"\r\n\0", b"   ")  # within JSON they can only be blank space


def answer(status: int, body: bytes, content_type: bytes = _JSON, headers: bytes = b"") -> bytes:
    """A whole answer; `headers` are further header lines, each with its CRLF."""
    return b"%bContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        _STATUS_LINES[status],
        content_type,
        headers,
        len(body),
        body,
    )


def error(status: int, kind: str, message: str) -> bytes:
    """An error as AWS words it for runtimes and extensions."""
    return answer(status, msgspec.json.encode({"errorMessage": message, "errorType": kind}) + b"\n")


def refusal(refused: Refusal) -> bytes:
    """The error that `refused` stands for."""
    return error(refused.status, refused.kind, refused.message)


def closing(data: bytes) -> bytes:
    """The beginning of an answer, with the word that no other follows it on its connection."""
    status, end, rest = data.partition(b"\r\n")
    return b"%b%bConnection: close\r\n%b" % (status, end, rest)


def event_head(event: Event) -> bytes:
    """The head of the answer that hands `event` to the runtime; the payload follows it.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next
    """
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {event.request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {event.deadline_ms}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {event.invoked_arn}\r\n"
        f"Lambda-Runtime-Invocation-Id: {event.invocation_id}\r\n"
        f"Content-Length: {len(event.payload)}\r\n"
    ).encode()
    return head + _optional(event) + b"\r\n"


def _optional(event: Event) -> bytes:
    lines = b""
    if event.trace_id:
        lines += _line(b"Lambda-Runtime-Trace-Id", event.trace_id.encode())
    if event.client_context:
        lines += _line(b"Lambda-Runtime-Client-Context", event.client_context)
    if event.cognito_identity:
        lines += _line(b"Lambda-Runtime-Cognito-Identity", event.cognito_identity)
    if event.tenant_id:
        lines += _line(b"Lambda-Runtime-Aws-Tenant-Id", event.tenant_id.encode())
    return lines


def _line(name: bytes, value: bytes) -> bytes:
    """A header line; what callers chose must not break out of it."""
    return b"%b: %b\r\n" % (name, value.translate(_SPACES))


OK = answer(200, b"")
ACCEPTED = answer(202, b'{"status":"OK"}\n')
SUBSCRIBED = answer(200, b'"OK"', TEXT)
PONG = answer(200, b"pong", TEXT)
BAD_REQUEST = answer(400, b"400 Bad Request", TEXT)
UNKNOWN_MODE = error(400, "InvalidFunctionResponseMode", "Invalid Lambda-Runtime-Function-Response-Mode")
TRUNCATED = error(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
UNAUTHORIZED = answer(401, b"Unauthorized\n", TEXT)
NOT_FOUND = answer(404, b"404 page not found\n", TEXT, b"X-Content-Type-Options: nosniff\r\n")
NO_CREDENTIALS = answer(404, b"cannot get credentials for the provided token\n", TEXT)
TOO_LARGE = error(413, "RequestEntityTooLarge", _TOO_LARGE_MESSAGE)
HEAD_TOO_LARGE = answer(431, b"431 Request Header Fields Too Large", TEXT)


def not_allowed(method: bytes) -> bytes:
    """The answer to a method that the path does not have; `method` is the one it has."""
    return b"%bAllow: %b\r\nContent-Length: 0\r\n\r\n" % (_STATUS_LINES[405], method)
