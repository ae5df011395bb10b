"""Signature Version 4: reading who claims to have signed a request, checking that they did, and signing URLs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

What a client sends with every call (its scope, its list of signed headers, its day's key) is remembered in bounded
caches; a check then costs two hashes and one HMAC.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_to_bytes

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.wire.http import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.authority import Credential, Principal
    from lambent.kernel.clock import Clock

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

# These sign the path as it was sent; every other service normalises it and encodes it once more.
RAW_PATH_SERVICES = frozenset({"s3", "s3-object-lambda", "s3-outposts", "s3express"})

_PRESIGNED = re.compile(r"(?:^|&)X-Amz-(?:Algorithm|Signature)=")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
_PLAIN_PAIR = re.compile(r"[A-Za-z0-9_.~-]+=[A-Za-z0-9_.~-]*")
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


_FAULTS = {"InvalidClientTokenId": Fault.UNKNOWN_KEY, "ExpiredToken": Fault.EXPIRED_TOKEN}


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


class Admission(msgspec.Struct, frozen=True):
    """A claim of a known key, made in time; only its signature is not checked yet."""

    claim: Claim
    credential: Credential


class Signer(msgspec.Struct, frozen=True):
    """Who proved to be the caller, and the key that further chunks of the body must be signed with."""

    principal: Principal
    key: bytes


class Verifier:
    """Checks claims against the credentials that `Authority.credential` knows."""

    def __init__(self, credential: Callable[[str, str | None], Credential], clock: Clock) -> None:
        self._credential = credential
        self._clock = clock
        self._key = lru_cache(limits.SIGNING_KEYS_CACHED)(signing_key)

    def admit(self, http: HttpRequest, claim: Claim) -> Admission:
        """Check what needs no body, so that a stranger's body is never read. Raises NotAuthentic."""
        scope = claim.scope
        try:
            credential = self._credential(scope.access_key_id, claim.token)
        except AwsError as error:
            if error.code not in _FAULTS:
                raise
            raise NotAuthentic(_FAULTS[error.code], AWSAccessKeyId=scope.access_key_id) from error
        self._check_time(claim)
        if claim.expires is not None or scope.service in RAW_PATH_SERVICES:
            _check_headers(http, scope)
        return Admission(claim, credential)

    def verify(self, http: HttpRequest, admission: Admission, payload: str) -> Signer:
        """Check that the claimed key signed `http` with a body that hashes to `payload`. Raises NotAuthentic."""
        claim, credential = admission.claim, admission.credential
        scope = claim.scope
        key = self._key(credential.secret_access_key, scope.date, scope.region, scope.service)
        canonical = canonical_request(http, scope, payload, presigned=claim.expires is not None)
        text = string_to_sign(claim.timestamp, scope.path, canonical)
        if not hmac.compare_digest(sign(key, text).encode(), claim.signature.encode("latin-1")):
            raise NotAuthentic(
                Fault.SIGNATURE,
                AWSAccessKeyId=scope.access_key_id,
                StringToSign=text,
                SignatureProvided=claim.signature,
                CanonicalRequest=canonical,
            )
        return Signer(credential.principal, key)

    def _check_time(self, claim: Claim) -> None:
        now = self._clock.time()
        signed = _seconds(claim.timestamp)
        if claim.expires is not None:
            _check_link_time(signed, claim.expires, now)
        elif signed < now - limits.CLOCK_SKEW_S:
            raise NotAuthentic(Fault.LATE, _late(claim.timestamp, now), **_times(claim.timestamp, now))
        elif signed > now + limits.CLOCK_AHEAD_S:
            raise NotAuthentic(Fault.EARLY, _early(claim.timestamp, now), **_times(claim.timestamp, now))


def read_claim(http: HttpRequest) -> Claim | None:
    """The claim of a request; None where it is not signed. Raises NotAuthentic for one that makes no sense."""
    authorization = http.fields.get("authorization")
    if authorization:
        return _header_claim(http, authorization)
    if http.query and _PRESIGNED.search(http.query):
        return _query_claim(http)
    return None


def canonical_request(http: HttpRequest, scope: Scope, payload: str, *, presigned: bool = False) -> str:
    """What is signed: the request in the one spelling that client and server agree on."""
    path, query = canonical_path(http.path, scope.service), canonical_query(http.query, presigned=presigned)
    fields = http.fields
    headers = "\n".join([f"{name}:{fields.get(name, '')}" for name in scope.headers])
    if "  " in headers or "\t" in headers:
        headers = "\n".join([f"{name}:{_collapsed(fields.get(name, ''))}" for name in scope.headers])
    return f"{http.method}\n{path}\n{query}\n{headers}\n\n{scope.signed_headers}\n{payload}"


def _collapsed(value: str) -> str:
    return b" ".join(value.encode("latin-1").split()).decode("latin-1")


def canonical_path(path: str, service: str) -> str:
    """The path as it is signed: plain for S3, otherwise normalised and encoded once more."""
    if len(path) > limits.ROUTE_REMEMBERED_LENGTH:
        return _canonical_path.__wrapped__(path, service)
    return _canonical_path(path, service)


@lru_cache(limits.ROUTES_REMEMBERED)
def _canonical_path(path: str, service: str) -> str:
    if _PLAIN_PATH.fullmatch(path):
        return path
    if service in RAW_PATH_SERVICES:
        return "/".join([quote(unquote_to_bytes(part), safe="~") for part in path.split("/")])
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + end, safe="/~", encoding="latin-1")


def canonical_query(query: str, *, presigned: bool = False) -> str:
    """The query sorted and encoded one way; a presigned URL does not sign its own signature."""
    if not query or _PLAIN_PAIR.fullmatch(query):
        return query
    pairs = sorted(_encoded_pair(pair) for pair in query.split("&") if pair)
    return "&".join([f"{name}={value}" for name, value in pairs if not presigned or name != "X-Amz-Signature"])


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """The text that the signature is the HMAC of."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The hex signature of a string to sign."""
    mac = _begun(key).copy()
    mac.update(text.encode("latin-1"))
    return mac.hexdigest()


@lru_cache(limits.SIGNING_KEYS_CACHED)
def _begun(key: bytes) -> hmac.HMAC:
    """To be copied, which costs far less than to begin anew."""
    return hmac.new(key, digestmod="sha256")


def presign(http: HttpRequest, secret: str, scope: Scope, when: float, seconds: int, token: str | None = None) -> str:
    """The query that makes `http` valid for `seconds` from `when`, signature included.

    `http` needs its method, path, query and the headers that `scope` names.
    """
    timestamp = iso(when)
    parameters = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{scope.access_key_id}/{scope.path}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": scope.signed_headers,
    }
    if token is not None:
        parameters["X-Amz-Security-Token"] = token
    signed = "&".join([f"{name}={quote(value, safe='~')}" for name, value in parameters.items()])
    query = f"{http.query}&{signed}" if http.query else signed
    unsigned = HttpRequest(http.method, http.path, query, http.headers)
    payload = UNSIGNED_PAYLOAD if scope.service in RAW_PATH_SERVICES else EMPTY_SHA256
    text = string_to_sign(timestamp, scope.path, canonical_request(unsigned, scope, payload))
    return f"{query}&X-Amz-Signature={sign(signing_key(secret, scope.date, scope.region, scope.service), text)}"


def iso(seconds: float) -> str:
    """A time as signatures spell it: `20261121T093000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


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


def _check_headers(http: HttpRequest, scope: Scope) -> None:
    """Who was only handed a link must not say more than its maker signed; the payload's hash is signed anyway."""
    signed = {*scope.headers, "x-amz-content-sha256"}
    unsigned = sorted(name for name in http.fields if name.startswith("x-amz-") and name not in signed)
    if unsigned:
        raise NotAuthentic(Fault.HEADERS, HeadersNotSigned=", ".join(unsigned))


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
def _seconds(timestamp: str) -> float:
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


def _encoded_pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return quote(unquote_to_bytes(name), safe="~"), quote(unquote_to_bytes(value), safe="~")


def _check_link_time(signed: float, expires: int, now: float) -> None:
    if signed > now + limits.CLOCK_SKEW_S:
        raise NotAuthentic(Fault.LINK_EARLY, ServerTime=_extended(now))
    end = signed + expires
    if now >= end:
        # AWS's member names, a hyphen among them.
        members = {"X-Amz-Expires": expires, "Expires": _extended(end), "ServerTime": _extended(now)}
        raise NotAuthentic(Fault.LINK_EXPIRED, _late(iso(end), now), **members)


def _times(timestamp: str, now: float) -> dict[str, Any]:
    milliseconds = limits.CLOCK_SKEW_S * 1000
    return {"RequestTime": timestamp, "ServerTime": _extended(now), "MaxAllowedSkewMilliseconds": milliseconds}


def _extended(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _late(timestamp: str, now: float) -> str:
    return (
        f"Signature expired: {timestamp} is now earlier than {iso(now - limits.CLOCK_SKEW_S)} "
        f"({iso(now)} - {limits.CLOCK_SKEW_S // 60} min.)"
    )


def _early(timestamp: str, now: float) -> str:
    return (
        f"Signature not yet current: {timestamp} is still later than {iso(now + limits.CLOCK_AHEAD_S)} "
        f"({iso(now)} + {limits.CLOCK_AHEAD_S // 60} min.)"
    )
