"""What an extension asks for when it subscribes, read and checked.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from lambent.compute import guestjson
from lambent.compute.runtime_api.api import Refusal
from lambent.compute.telemetry import schemas
from lambent.compute.telemetry.events import Category
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.runtime_api.api import Version
    from lambent.compute.telemetry.schemas import Schema

TELEMETRY_API: Final = "2022-07-01/telemetry"
LOGS_API: Final = "2020-08-15/logs"
HOST: Final = "sandbox.localdomain"
_HOSTS = (HOST, "sandbox")
_RESERVED_PORT = 9001


class Buffering(msgspec.Struct, frozen=True, rename="camel"):
    """How long events are gathered before they are sent: until one of the three is reached."""

    max_items: Annotated[int, msgspec.Meta(ge=limits.TELEMETRY_ITEMS_MIN, le=limits.TELEMETRY_ITEMS)] = (
        limits.TELEMETRY_ITEMS
    )
    max_bytes: Annotated[int, msgspec.Meta(ge=limits.TELEMETRY_BYTES, le=limits.TELEMETRY_BYTES_MAX)] = (
        limits.TELEMETRY_BYTES
    )
    timeout_ms: Annotated[int, msgspec.Meta(ge=limits.TELEMETRY_DELAY_MIN_MS, le=limits.TELEMETRY_DELAY_MAX_MS)] = (
        limits.TELEMETRY_DELAY_MS
    )


class Destination(msgspec.Struct, frozen=True):
    """Where in the environment the extension listens."""

    protocol: Literal["HTTP", "TCP"]
    port: int
    method: Literal["POST", "PUT"] = "POST"
    target: str = "/"
    """The path and query of the URI."""


class Subscription(msgspec.Struct, frozen=True):
    """One extension's subscription."""

    api: Version
    schema: Schema
    types: tuple[Category, ...]
    buffering: Buffering
    destination: Destination


class _Api(NamedTuple):
    error: str
    schemas: Mapping[str, Schema]
    default: str | None


_APIS: dict[Version, _Api] = {
    TELEMETRY_API: _Api("ValidationError", schemas.TELEMETRY, None),
    LOGS_API: _Api("Logs.ValidationError", schemas.LOGS, "2020-08-15"),
}
_decode = guestjson.decoder(dict[str, Any])


class _Problems(list[str]):
    """What is wrong with a request; all of it is told at once, as AWS does."""


def parse(version: Version, body: bytes) -> Subscription:
    """The subscription that the JSON in `body` asks for. Raises Refusal, 400 with all that is wrong with it."""
    api = _APIS[version]
    problems = _Problems()
    try:
        request = _decode(body)
    except guestjson.Malformed:
        raise refusal(version, "request body is not a valid JSON object") from None
    schema = _schema(api, request.get("schemaVersion", api.default), problems)
    types = _types(request.get("types"), problems)
    buffering = _buffering(request.get("buffering"), problems)
    destination = _destination(request.get("destination"), version, problems)
    if schema is None or destination is None or problems:
        raise refusal(version, "; ".join(problems))
    return Subscription(version, schema, types, buffering, destination)


def refusal(version: Version, message: str) -> Refusal:
    """The answer to a subscription that cannot be."""
    return Refusal(400, _APIS[version].error, message)


def _schema(api: _Api, name: object, problems: _Problems) -> Schema | None:
    schema = api.schemas.get(name) if isinstance(name, str) else None
    if name is None:
        problems.append("schemaVersion is not provided")
    elif schema is None:
        problems.append(f"schemaVersion should be one of {', '.join(api.schemas)}")
    return schema


def _types(value: object, problems: _Problems) -> tuple[Category, ...]:
    if not isinstance(value, list) or not value:
        problems.append("types should not be empty")
        return ()
    try:
        types = msgspec.convert(value[: limits.TELEMETRY_TYPES], list[Category])
    except msgspec.ValidationError:
        problems.append("types should be of platform, function, extension")
        return ()
    return tuple(dict.fromkeys(types))


def _buffering(value: object, problems: _Problems) -> Buffering:
    try:
        return Buffering() if value is None else msgspec.convert(value, Buffering)
    except msgspec.ValidationError as error:
        problems.append(f"buffering is not valid: {error}")
        return Buffering()


def _destination(value: object, version: Version, problems: _Problems) -> Destination | None:
    if not isinstance(value, dict):
        problems.append("destination is not provided")
        return None
    match value.get("protocol"):
        case "HTTP":
            return _http(value, version, problems)
        case "TCP":
            port = _port(value.get("port"), "port", problems)
            return None if port is None else Destination("TCP", port)
        case _:
            problems.append("destination protocol should be one of HTTP, TCP")
            return None


def _http(value: dict[str, Any], version: Version, problems: _Problems) -> Destination | None:
    uri, method = value.get("URI"), value.get("method", "POST")
    if not isinstance(uri, str) or not uri:
        problems.append("URI is not provided")
        return None
    if method not in (("POST", "PUT") if version == LOGS_API else ("POST",)):
        shown = f" {method!r}" if isinstance(method, str) else ""  # what is nested deeply cannot be shown
        problems.append(f"method{shown} is not supported")
        return None
    try:
        parts = urlsplit(uri)
        host, number = parts.hostname, parts.port
    except ValueError:
        problems.append("URI is not valid")
        return None
    if parts.scheme != "http":
        problems.append("URI scheme should be http")
    if host not in _HOSTS:
        problems.append(f"URI host should be {HOST}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if len(target) > limits.TELEMETRY_TARGET_LENGTH or not all("!" <= character <= "~" for character in target):
        problems.append("URI path is not valid")
    port = _port(number, "URI port", problems)
    return None if port is None else Destination("HTTP", port, method, target)


def _port(value: object, name: str, problems: _Problems) -> int | None:
    if value is None:
        problems.append(f"{name} is not provided")
    elif isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        problems.append(f"{name} is not valid")
    elif value == _RESERVED_PORT:
        problems.append(f"{name} {_RESERVED_PORT} is reserved")
    else:
        return value
    return None
