"""What a function returned, as the answer of its URL.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from lambent.compute import guestjson
from lambent.kernel import limits
from lambent.kernel.doors import Reply

if TYPE_CHECKING:
    from lambent.kernel.doors import Headers

JSON = "application/json"
PRELUDE = "application/vnd.awslambda.http-integration-response"
"""The content type of a stream that begins with status, headers and cookies."""

SEPARATOR = bytes(8)
"""What stands between these and the body of such a stream."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header or a method: https://www.rfc-editor.org/rfc/rfc9110#name-tokens"""

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REMAPPED = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)
"""Headers that are the front door's own; AWS renames those of a function."""


class Malformed(Exception):
    """The function returned nothing that an answer could be made of."""


class _Head(msgspec.Struct, rename="camel"):
    status_code: int | float | str = 200
    headers: dict[str, str | bool | int | float | None] | None = None
    cookies: list[str] | None = None


class _Whole(_Head, rename="camel"):
    body: str | None = None
    is_base64_encoded: bool | None = False


class _Probe(msgspec.Struct, rename="camel"):
    status_code: msgspec.Raw | UnsetType = UNSET


_probe = guestjson.decoder(_Probe)
_whole = guestjson.decoder(_Whole)
_head = guestjson.decoder(_Head)
_text = guestjson.decoder(str)
_any = guestjson.decoder(msgspec.Raw)


def whole(payload: bytes) -> Reply:
    """The answer that a payload, which is JSON, stands for: an object with a statusCode describes it, a string is its
    body, and anything else is its body as JSON. Raises Malformed."""
    try:
        kind = payload.lstrip()[:1]
        if kind == b"{" and _probe(payload).status_code is not UNSET:
            return _described(_whole(payload))
        body = _text(payload).encode() if kind == b'"' else _compact(payload)
    except guestjson.Malformed as error:
        raise Malformed(str(error)) from None
    return Reply(200, [("Content-Type", JSON)], body)


def begun(prelude: bytes) -> Reply:
    """The answer, still without a body, that the beginning of a stream describes. Raises Malformed."""
    try:
        given = _head(prelude)
    except guestjson.Malformed as error:
        raise Malformed(str(error)) from None
    return Reply(_status(given.status_code), _headers(given))


def _described(given: _Whole) -> Reply:
    body = (given.body or "").encode()
    if given.is_base64_encoded:
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise Malformed(str(error)) from None
    return Reply(_status(given.status_code), _headers(given), body)


def _compact(payload: bytes) -> bytes:
    _any(payload)
    return msgspec.json.format(payload, indent=-1)


def _status(given: float | str) -> int:
    """A status that is one: AWS takes numbers and digits in a string."""
    if isinstance(given, str) and not (given.isascii() and given.isdecimal() and len(given) == 3):
        raise Malformed(f"the status {given!r}")
    status = int(given)
    if not 200 <= status <= 599 or status != float(given):
        raise Malformed(f"the status {given!r}")
    return status


def _headers(given: _Head) -> Headers:
    headers = [(_name(name), _value(value)) for name, value in (given.headers or {}).items() if value is not None]
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("Content-Type", JSON))
    headers += [("Set-Cookie", _value(cookie)) for cookie in given.cookies or ()]
    if len(headers) > limits.URL_HEADERS:
        raise Malformed(f"{len(headers)} headers")
    return headers


def _name(name: str) -> str:
    if TOKEN.fullmatch(name) is None:
        raise Malformed(f"the header {name!r}")
    return f"x-amzn-Remapped-{name.lower()}" if name.lower() in _REMAPPED else name


def _value(value: str | float) -> str:
    """The value as it goes on the wire; what is beyond ASCII in UTF-8."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _CONTROLS.search(text):
        raise Malformed("a header with a line break or another control character")
    return text if text.isascii() else text.encode().decode("latin-1")
