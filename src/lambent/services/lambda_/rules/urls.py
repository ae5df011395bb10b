"""Function URLs between requests, records and answers: what may be named, what is kept, what is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.services.lambda_.errors import urls as errors
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.records.urls import Cors
from lambent.services.lambda_.rules import names

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.kernel.ids import Ids
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.urls import FunctionUrl

KIND = "lambda-url"
"""The kind of a function URL's address."""

_NAME_LENGTH = 32
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FUNCTION = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?"
)
_QUALIFIER = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"
_patterns = {"FunctionName": re.compile(_FUNCTION, re.ASCII), "Qualifier": re.compile(_QUALIFIER, re.ASCII)}
_CORS = {
    "AllowCredentials": "credentials",
    "AllowHeaders": "headers",
    "AllowMethods": "methods",
    "AllowOrigins": "origins",
    "ExposeHeaders": "exposed",
    "MaxAge": "max_age_s",
}


def named(call: Call[Any], request: Request) -> tuple[FunctionKey, str]:
    """The function whose URL is meant, and `$LATEST` or the name of the alias. Raises AWS's errors."""
    violations = [
        (member[0].lower() + member[1:], request[member], pattern.pattern)
        for member, pattern in _patterns.items()
        if member in request and pattern.fullmatch(request[member]) is None
    ]
    if violations:
        raise errors.malformed(violations)
    key, alias = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    return key, alias or LATEST


def new_name(ids: Ids) -> str:
    """A label for the host of a new URL: 32 of 36 characters, as AWS's are, so nobody guesses or meets one."""
    number = int.from_bytes(ids.bytes(_NAME_LENGTH), "big")
    label = ""
    for _ in range(_NAME_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        label += _DIGITS[digit]
    return label


def cors(given: Request | None) -> Cors | None:
    """The record of a request's Cors; None where nothing is given."""
    values: dict[str, Any] = {_CORS[member]: value for member, value in (given or {}).items() if value is not None}
    if not values:
        return None
    return msgspec.convert(values, Cors)


def created(url: FunctionUrl, address: str) -> Response:
    """What the creation of a URL, which is at `address`, answers: an InvokeMode only if one was given."""
    return {
        "AuthType": url.auth_type,
        "Cors": _cors(url.cors),
        "CreationTime": _instant(url.created_us),
        "FunctionArn": url.arn,
        "FunctionUrl": address,
        "InvokeMode": url.invoke_mode,
    }


def updated(url: FunctionUrl, address: str) -> Response:
    """What the update of a URL answers: an InvokeMode only if one was ever given."""
    return created(url, address) | {"LastModifiedTime": _instant(url.modified_us)}


def shown(url: FunctionUrl, address: str) -> Response:
    """The FunctionUrlConfig."""
    return updated(url, address) | {"InvokeMode": url.invoke_mode or "BUFFERED"}


def _cors(held: Cors | None) -> Response | None:
    if held is None:
        return None
    values = {member: getattr(held, name) for member, name in _CORS.items()}
    return {member: list(value) if isinstance(value, tuple) else value for member, value in values.items()}


def _instant(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % 1_000_000:06d}Z"
