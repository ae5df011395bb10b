"""Who claims to have signed a request: read from its Authorization header or its query, with nothing of it checked yet.

What a client sends with every call (its scope, its list of signed headers) is remembered in bounded caches.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.wire.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

# These sign the path as it was sent; every other service normalises it and encodes it once more.
RAW_PATH_SERVICES = frozenset({"s3", "s3-object-lambda", "s3-outposts", "s3express"})

_PRESIGNED = re.compile(r"(?:^|&)X-Amz-(?:Algorithm|Signature)=")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_TIMESTAMP_LENGTH = 16
_PRESIGNED_PARAMETERS = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")


class Fault(Enum):
    """In what way a request is not authentic; `refusals` has the words of each protocol for it."""

    MISSING = auto()
    INCOMPLETE = auto()
    UNSUPPORTED = auto()
    SIGNATURE = auto()
    SCOPE = auto()
    UNKNOWN_KEY = auto()
    EXPIRED_TOKEN = auto()
    EARLY = auto()
    LATE = auto()
    LINK_EARLY = auto()
    LINK_EXPIRED = auto()
    LINK_MALFORMED = auto()
    HEADERS = auto()
    BODY_HASH = auto()


class NotAuthentic(Exception):
    """The request is not signed as it must be. `detail` is AWS's text where it depends on the request."""

    def __init__(self, fault: Fault, detail: str = "", **members: Any) -> None:
        super().__init__(f"{fault.name}: {detail}")
        self.fault = fault
        self.detail = detail
        self.members = members


class Scope(msgspec.Struct, frozen=True):
    """What a credential is good for, and which headers it covers."""

    access_key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signed_headers: str
    """The headers joined by semicolons."""
    path: str
    """`20261121/us-east-1/lambda/aws4_request`."""

    @classmethod
    def of(cls, access_key_id: str, date: str, region: str, service: str, signed_headers: str) -> Scope:
        """A scope whose other fields follow from these."""
        path = f"{date}/{region}/{service}/{TERMINATOR}"
        return cls(access_key_id, date, region, service, tuple(signed_headers.split(";")), signed_headers, path)


class Claim(msgspec.Struct, frozen=True):
    """What a request says about its own signature; nothing of it is checked yet."""

    scope: Scope
    timestamp: str
    """`20261121T093000Z`."""
    signature: str
    token: str | None
    expires: int | None
    """Seconds that a presigned URL is valid; None for a signature in the Authorization header."""
    payload: str
    """The hash of the body, or how the body is signed instead; empty where the request does not say."""


def read_claim(http: HttpRequest) -> Claim | None:
    """The claim of a request; None where it is not signed. Raises NotAuthentic for one that makes no sense."""
    authorization = http.fields.get("authorization")
    if authorization:
        return _header_claim(http, authorization)
    if http.query and _PRESIGNED.search(http.query):
        return _query_claim(http)
    return None


def _header_claim(http: HttpRequest, authorization: str) -> Claim:
    if len(authorization) > limits.AUTHORIZATION_BYTES:
        text = f"Authorization header is longer than {limits.AUTHORIZATION_BYTES} bytes."
        raise NotAuthentic(Fault.INCOMPLETE, text)
    algorithm, _, parameters = authorization.partition(" ")
    fields = http.fields
    timestamp = fields.get("x-amz-date") or _from_date(fields.get("date", ""))
    if algorithm != ALGORITHM:
        raise _bad_algorithm(algorithm, authorization, timestamp)
    before, mark, signature = parameters.rpartition("Signature=")
    if not (mark and timestamp and signature.isalnum()):
        before, signature = _rare_parameters(parameters, authorization, timestamp)
    scope = _scope(before) if len(before) <= limits.SCOPE_CACHED_LENGTH else _scope.__wrapped__(before)
    _check_date(scope, timestamp)
    return Claim(
        scope=scope,
        timestamp=timestamp,
        signature=signature,
        token=fields.get("x-amz-security-token") or None,
        expires=None,
        payload=fields.get("x-amz-content-sha256", ""),
    )


def _bad_algorithm(algorithm: str, authorization: str, timestamp: str) -> NotAuthentic:
    version = {"AWS4-ECDSA-P256-SHA256": "4A", "AWS": "2"}.get(algorithm)
    if version is None:
        return _incomplete(("Credential", "Signature", "SignedHeaders"), authorization, dated=bool(timestamp))
    text = f"Signature Version {version} is not supported; sign with {ALGORITHM}."
    return NotAuthentic(Fault.UNSUPPORTED, text)


def _parameters(text: str) -> dict[str, str]:
    """`Credential=..., SignedHeaders=...` by name; split, because a search could be made to go back and forth."""
    return {
        name: value for name, mark, value in (part.partition("=") for part in text.replace(",", " ").split()) if mark
    }


def _rare_parameters(parameters: str, authorization: str, timestamp: str) -> tuple[str, str]:
    """The parameters of a header that is not in the usual order, or not whole."""
    found = _parameters(parameters)
    missing = tuple(name for name in ("Credential", "Signature", "SignedHeaders") if not found.get(name))
    if missing or not timestamp:
        raise _incomplete(missing, authorization, dated=bool(timestamp))
    return f"Credential={found['Credential']}, SignedHeaders={found['SignedHeaders']}, ", found["Signature"]


def _incomplete(missing: tuple[str, ...], authorization: str, *, dated: bool) -> NotAuthentic:
    lacks = [f"Authorization header requires '{name}' parameter." for name in missing]
    if not dated:
        lacks.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    digest = base64.b64encode(hashlib.sha256(authorization.encode("latin-1")).digest()).decode()
    lacks.append(f"(Hashed with SHA-256 and encoded with Base64) Authorization={digest}")
    return NotAuthentic(Fault.INCOMPLETE, " ".join(lacks))


@lru_cache(limits.SIGNING_KEYS_CACHED)
def _scope(parameters: str) -> Scope:
    found = _parameters(parameters)
    missing = [name for name in ("Credential", "SignedHeaders") if not found.get(name)]
    if missing:
        raise NotAuthentic(
            Fault.INCOMPLETE, " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    return _credential_scope(found["Credential"], found["SignedHeaders"])


def _credential_scope(credential: str, signed_headers: str) -> Scope:
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts):
        raise NotAuthentic(
            Fault.INCOMPLETE,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )
    key, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise NotAuthentic(
            Fault.SCOPE, f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'."
        )
    if not _REGION.fullmatch(region):
        raise NotAuthentic(Fault.SCOPE, "Credential should be scoped to a valid region.")
    headers = signed_headers.split(";")
    if "host" not in headers:
        raise NotAuthentic(Fault.SCOPE, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if len(set(headers)) < len(headers):
        # Each name costs its header's value once: a long value named often would be a request of any size.
        raise NotAuthentic(Fault.SCOPE, "A 'SignedHeader' is repeated in the AWS Authorization.")
    return Scope.of(key, date, region, service, signed_headers)


def _query_claim(http: HttpRequest) -> Claim:
    found = {
        name: unquote(value, encoding="latin-1")
        for name, _, value in (pair.partition("=") for pair in http.query.split("&"))
        if name.startswith("X-Amz-")
    }
    algorithm = found.get("X-Amz-Algorithm", "")
    if algorithm != ALGORITHM:
        raise NotAuthentic(Fault.LINK_MALFORMED, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    missing = [name for name in _PRESIGNED_PARAMETERS if not found.get(name)]
    if missing:
        raise NotAuthentic(Fault.LINK_MALFORMED, f"Query-string authentication requires {', '.join(missing)}.")
    scope = _credential_scope(found["X-Amz-Credential"], found["X-Amz-SignedHeaders"])
    _check_date(scope, found["X-Amz-Date"])
    payload = http.header("x-amz-content-sha256")
    if not payload and scope.service in RAW_PATH_SERVICES:
        payload = UNSIGNED_PAYLOAD
    return Claim(
        scope=scope,
        timestamp=found["X-Amz-Date"],
        signature=found["X-Amz-Signature"],
        token=found.get("X-Amz-Security-Token") or None,
        expires=_expires(found.get("X-Amz-Expires")),
        payload=payload,
    )


def _expires(text: str | None) -> int:
    if text is None:
        return limits.CLOCK_SKEW_S
    if text.startswith("-"):
        raise NotAuthentic(Fault.LINK_MALFORMED, "X-Amz-Expires must be non-negative")
    if not (text.isascii() and text.isdigit()):
        raise NotAuthentic(Fault.LINK_MALFORMED, "X-Amz-Expires should be a number")
    if len(text) > len(str(limits.PRESIGNED_MAX_S)) or int(text) > limits.PRESIGNED_MAX_S:
        raise NotAuthentic(
            Fault.LINK_MALFORMED,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{limits.PRESIGNED_MAX_S} seconds",
        )
    return int(text)


def _check_date(scope: Scope, timestamp: str) -> None:
    if len(timestamp) != _TIMESTAMP_LENGTH or not _is_timestamp(timestamp):
        raise _bad_date(timestamp)
    if timestamp[:8] != scope.date:
        raise NotAuthentic(
            Fault.SCOPE,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.date}' != '{timestamp[:8]}', from '{timestamp}'.",
        )


@lru_cache(limits.TIMESTAMPS_CACHED)
def _is_timestamp(text: str) -> bool:
    return _TIMESTAMP.fullmatch(text) is not None


def _from_date(text: str) -> str:
    """The timestamp of a Date header, which may hold either spelling; empty where it holds neither."""
    if not text or _TIMESTAMP.fullmatch(text):
        return text
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return ""


@lru_cache(limits.TIMESTAMPS_CACHED)
def seconds(timestamp: str) -> float:
    """Seconds since the epoch. Raises NotAuthentic for a day that does not exist."""
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _bad_date(timestamp) from None


def _bad_date(timestamp: str) -> NotAuthentic:
    return NotAuthentic(
        Fault.INCOMPLETE,
        f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'. See http://en.wikipedia.org/wiki/ISO_8601",
    )
