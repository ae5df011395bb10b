"""The event of a function URL: a web request in payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.kernel.doors import Caller

TRACE = "x-amzn-trace-id"

# What is between the client and the front door only, and cookies, which have a member of their own.
_KEPT_BACK = frozenset(
    {
        "connection",
        "cookie",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_ROOT = re.compile(r"(?:^|;)\s*(Root=1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")
_TEXTS = ("application/json", "application/javascript", "application/xml")


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A web request with all that its event tells of it."""

    request_id: str
    name: str
    """The first label of the URL's host."""
    domain: str
    """The URL's host."""
    scheme: str
    port: str
    method: str
    path: str
    """As it was sent."""
    query: str
    """As it was sent."""
    headers: list[tuple[str, str]]
    """Names in lower case."""
    source: str
    caller: Caller | None
    """Who signed it, where the URL asks for that."""
    trace: str
    """`Root=1-...`."""
    time: float
    """Seconds since the epoch."""


def trace_of(fields: Mapping[str, str]) -> str | None:
    """The root of the trace that the client says the request belongs to, if it says so."""
    found = _ROOT.search(fields.get(TRACE, ""))
    return None if found is None else found[1]


def written(received: Received, body: bytes) -> bytes:
    """The event as JSON. A body that is no text goes in base64, an empty one not at all."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": received.path,
        "rawQueryString": received.query,
        "cookies": _cookies(received.headers),
        "headers": _headers(received),
        "queryStringParameters": _joined(parse_qsl(received.query, keep_blank_values=True)),
        "requestContext": _context(received),
        **_body(body, dict(received.headers).get("content-type", "")),
    }
    return msgspec.json.encode({name: value for name, value in event.items() if value not in ([], {})})


def _cookies(headers: list[tuple[str, str]]) -> list[str]:
    lines = [value for name, value in headers if name == "cookie"]
    return [cookie for line in lines for part in line.split(";") if (cookie := part.strip())]


def _headers(received: Received) -> dict[str, str]:
    """What the client sent, repeated headers in one, and what the front door adds."""
    kept_back = _KEPT_BACK | ({"authorization"} if received.caller is not None else set())
    headers = _joined([header for header in received.headers if header[0] not in kept_back])
    before = headers.get("x-forwarded-for")
    return headers | {
        TRACE: received.trace,
        "x-forwarded-for": f"{before}, {received.source}" if before else received.source,
        "x-forwarded-port": received.port,
        "x-forwarded-proto": received.scheme,
    }


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in fields.items()}


def _context(received: Received) -> dict[str, Any]:
    moment = datetime.fromtimestamp(received.time, UTC)
    agent = next((value for name, value in received.headers if name == "user-agent"), "")
    return {
        "accountId": "anonymous" if received.caller is None else received.caller.principal.account,
        "apiId": received.name,
        **_authorizer(received.caller),
        "domainName": received.domain,
        "domainPrefix": received.name,
        "http": {
            "method": received.method,
            "path": received.path,
            "protocol": "HTTP/1.1",
            "sourceIp": received.source,
            "userAgent": agent,
        },
        "requestId": received.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(received.time * 1000),
    }


def _authorizer(caller: Caller | None) -> dict[str, Any]:
    if caller is None:
        return {}
    principal = caller.principal
    iam = {
        "accessKey": caller.access_key_id,
        "accountId": principal.account,
        "callerId": principal.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": principal.arn,
        "userId": principal.user_id,
    }
    return {"authentication": None, "authorizer": {"iam": iam}}


def _body(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        return {"isBase64Encoded": False}
    if _is_text(content_type):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass  # whatever it says that it is
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml"))
