"""Signature Version 4: checking that a request is signed by whom it claims, and signing URLs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

The key of a client's day is remembered in a bounded cache, as its scope is (`claims`); a check then costs two hashes
and one HMAC.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.wire.claims import (
    ALGORITHM,
    RAW_PATH_SERVICES,
    TERMINATOR,
    UNSIGNED_PAYLOAD,
    Fault,
    NotAuthentic,
    Scope,
    seconds,
)
from lambent.wire.http import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.authority import Credential, Principal
    from lambent.kernel.clock import Clock
    from lambent.wire.claims import Claim

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
_PLAIN_PAIR = re.compile(r"[A-Za-z0-9_.~-]+=[A-Za-z0-9_.~-]*")
_FAULTS = {"InvalidClientTokenId": Fault.UNKNOWN_KEY, "ExpiredToken": Fault.EXPIRED_TOKEN}


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
        signed = seconds(claim.timestamp)
        if claim.expires is not None:
            _check_link_time(signed, claim.expires, now)
        elif signed < now - limits.CLOCK_SKEW_S:
            raise NotAuthentic(Fault.LATE, _late(claim.timestamp, now), **_times(claim.timestamp, now))
        elif signed > now + limits.CLOCK_AHEAD_S:
            raise NotAuthentic(Fault.EARLY, _early(claim.timestamp, now), **_times(claim.timestamp, now))


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


def _check_headers(http: HttpRequest, scope: Scope) -> None:
    """Who was only handed a link must not say more than its maker signed; the payload's hash is signed anyway."""
    signed = {*scope.headers, "x-amz-content-sha256"}
    unsigned = sorted(name for name in http.fields if name.startswith("x-amz-") and name not in signed)
    if unsigned:
        raise NotAuthentic(Fault.HEADERS, HeadersNotSigned=", ".join(unsigned))


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
