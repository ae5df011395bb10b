"""Signature Version 4: AWS's published examples, botocore's own signers, and every way to be refused."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lambent.kernel import limits
from lambent.kernel.authority import Credential, Principal
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from lambent.wire import refusals, sigv4
from lambent.wire.claims import UNSIGNED_PAYLOAD, Fault, NotAuthentic, Scope, read_claim
from lambent.wire.http import HttpRequest
from lambent.wire.sigv4 import EMPTY_SHA256, Verifier

ME = Principal("000000000000", "arn:aws:iam::000000000000:root", "000000000000")
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def when(timestamp: str) -> float:
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def find(access_key_id: str, token: str | None) -> Credential:
    if access_key_id == "expired":
        raise AwsError("ExpiredToken", "it is over")
    if access_key_id.startswith("unknown"):
        raise AwsError("InvalidClientTokenId", "who?")
    secrets = {
        "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    return Credential(secrets.get(access_key_id, "secret" + (token or "")), ME)


def verify(http: HttpRequest, body: bytes = b"", *, at: float | None = None) -> Principal:
    """Verify `http` as the gateway does, at the time of its signature unless told otherwise."""
    claim = read_claim(http)
    assert claim is not None
    payload = claim.payload or hashlib.sha256(body).hexdigest()
    clock = VirtualClock(when(claim.timestamp) if at is None else at)
    verifier = Verifier(find, clock)
    return verifier.verify(http, verifier.admit(http, claim), payload).principal


# AWS's published examples: the signature test suite, and the pages on signing for S3.

SUITE = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={}"
)
HOST = ("host", "example.amazonaws.com")
DATE = ("x-amz-date", "20150830T123600Z")
FORM = ("content-type", "application/x-www-form-urlencoded")


class Case(NamedTuple):
    """One case of the suite: what differs from `GET / HTTP/1.1` with a host and a date."""

    signature: str
    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    signed: str = "host;x-amz-date"
    body: bytes = b""


VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
DUPLICATES = (("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1"))
SPACES = (("my-header1", "value1"), ("my-header2", '"a   b   c"'))
SUITE_CASES = {
    "get-vanilla": Case(VANILLA),
    "get-slash": Case(VANILLA, path="//"),
    "get-slash-dot-slash": Case(VANILLA, path="/./"),
    "get-relative": Case(VANILLA, path="/example/.."),
    "get-unreserved": Case(
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        path="/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    ),
    "get-vanilla-query-order": Case(
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", query="Param2=value2&Param1=value1"
    ),
    "get-vanilla-empty-query-key": Case(
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb", query="Param1=value1"
    ),
    "get-header-key-duplicate": Case(
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        headers=DUPLICATES,
        signed="host;my-header1;x-amz-date",
    ),
    "get-header-value-trim": Case(
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        headers=SPACES,
        signed="host;my-header1;my-header2;x-amz-date",
    ),
    "post-vanilla": Case("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", method="POST"),
    "post-x-www-form-urlencoded": Case(
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        method="POST",
        headers=(("content-type", "application/x-www-form-urlencoded"),),
        signed="content-type;host;x-amz-date",
        body=b"Param1=value1",
    ),
}


@pytest.mark.parametrize("name", SUITE_CASES)
def test_the_cases_of_the_signature_test_suite_verify(name: str) -> None:
    case = SUITE_CASES[name]
    headers = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        *case.headers,
        ("authorization", SUITE.format(case.signed, case.signature)),
    ]
    assert verify(HttpRequest(case.method, case.path, case.query, headers), case.body) == ME


S3_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
)


def test_the_s3_example_of_a_signed_header_verifies() -> None:
    headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", EMPTY_SHA256),
        ("x-amz-date", "20130524T000000Z"),
        ("authorization", S3_AUTHORIZATION),
    ]
    assert verify(HttpRequest("GET", "/test.txt", "", headers)) == ME


S3_LINK = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def test_the_s3_example_of_a_presigned_url_verifies_and_is_what_we_make() -> None:
    http = HttpRequest("GET", "/test.txt", S3_LINK, [("host", "examplebucket.s3.amazonaws.com")])
    assert verify(http) == ME
    bare = HttpRequest("GET", "/test.txt", "", [("host", "examplebucket.s3.amazonaws.com")])
    scope = Scope.of("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3", "host")
    secret = find("AKIAIOSFODNN7EXAMPLE", None).secret_access_key
    assert sigv4.presign(bare, secret, scope, when("20130524T000000Z"), 86400) == S3_LINK


# botocore's signers, on requests of every shape.

SEGMENT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
PATHS = st.lists(SEGMENT | st.sampled_from([".", "..", "", "a b", "arn:aws:lambda:r:1:f", "é", "%"]), max_size=5).map(
    lambda parts: "/" + "/".join(quote(part, safe="~") for part in parts)
)
QUERIES = st.lists(st.tuples(SEGMENT, SEGMENT), max_size=5).map(
    lambda pairs: "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
HEADERS = st.dictionaries(st.sampled_from(["x-amz-target", "content-type", "x-custom", "x-amz-meta-a"]), PRINTABLE)
SERVICES = st.sampled_from(["lambda", "s3", "sts", "execute-api"])
TOKENS = st.none() | st.text("abc/+=", min_size=1, max_size=20)


def url(path: str, query: str) -> str:
    return f"http://here:4566{path}?{query}" if query else f"http://here:4566{path}"


def signer(service: str, token: str | None, *, query: bool, expires: int = 60) -> botocore.auth.SigV4Auth:
    credentials = Credentials("key", "secret" + (token or ""), token)
    kinds = {
        (False, False): botocore.auth.SigV4Auth,
        (True, False): botocore.auth.S3SigV4Auth,
        (False, True): botocore.auth.SigV4QueryAuth,
        (True, True): botocore.auth.S3SigV4QueryAuth,
    }
    more = {"expires": expires} if query else {}
    return kinds[service == "s3", query](credentials, service, "eu-west-1", **more)


def as_received(request: AWSRequest) -> HttpRequest:
    """What our server makes of the request that botocore would send."""
    parts = urlsplit(request.url)
    headers = [(name.lower(), value.strip()) for name, value in request.headers.items()]
    return HttpRequest(request.method, parts.path or "/", parts.query, [*headers, ("host", parts.netloc)])


def signed_request(
    service: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes, token: str | None
) -> AWSRequest:
    request = AWSRequest(
        method, f"http://here:4566{path}?{query}" if query else f"http://here:4566{path}", headers, body
    )
    signer(service, token, query=False).add_auth(request)
    return request


@settings(max_examples=300, deadline=None)
@given(SERVICES, st.sampled_from(["GET", "POST", "PUT"]), PATHS, QUERIES, HEADERS, st.binary(max_size=50), TOKENS)
def test_what_botocore_signs_verifies_and_no_change_to_it_does(
    service: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes, token: str | None
) -> None:
    http = as_received(signed_request(service, method, path, query, headers, body, token))
    assert verify(http, body) == ME
    for changed, data in (
        (HttpRequest("DELETE", http.path, http.query, http.headers), body),
        (HttpRequest(method, http.path + "x", http.query, http.headers), body),
        (HttpRequest(method, http.path, f"{http.query}&x=y", http.headers), body),
        (HttpRequest(method, http.path, http.query, [*http.headers, ("host", "elsewhere")]), body),
        (HttpRequest(method, http.path, http.query, http.headers), body + b"x"),
    ):
        if service == "s3" and data != body:
            continue  # S3 signs the hash that the client declares; the gateway holds the body to it
        with pytest.raises(NotAuthentic):
            verify(changed, data)


@settings(max_examples=300, deadline=None)
@given(SERVICES, PATHS, QUERIES, TOKENS, st.integers(1, limits.PRESIGNED_MAX_S))
def test_what_botocore_presigns_verifies_and_is_what_we_make(
    service: str, path: str, query: str, token: str | None, expires: int
) -> None:
    names = [pair.partition("=")[0] for pair in query.split("&")]
    assume(len(set(names)) == len(names) and "" not in names)  # botocore merges such parameters before it signs
    request = AWSRequest("GET", url(path, query))
    signer(service, token, query=True, expires=expires).add_auth(request)
    http = as_received(request)
    assert verify(http) == ME
    claim = read_claim(http)
    assert claim is not None
    ours = sigv4.presign(
        HttpRequest("GET", http.path, query, [("host", "here:4566")]),
        "secret" + (token or ""),
        claim.scope,
        when(claim.timestamp),
        expires,
        token,
    )
    assert sorted(ours.split("&")) == sorted(http.query.split("&"))
    with pytest.raises(NotAuthentic):
        verify(HttpRequest("GET", http.path, http.query.replace("X-Amz-Expires=", "X-Amz-Expires=1"), http.headers))


def test_a_date_header_will_do() -> None:
    request = AWSRequest("GET", "http://here/", {"Date": "now"})
    signer("lambda", None, query=False).add_auth(request)
    assert "X-Amz-Date" not in request.headers
    http = as_received(request)
    claim = read_claim(http)
    assert claim is not None
    assert verify(http) == ME


def test_the_parameters_may_come_in_any_order_and_spacing() -> None:
    http = as_received(signed_request("lambda", "GET", "/", "", {}, b"", None))
    algorithm, _, rest = http.header("authorization").partition(" ")
    for separator in (",", " , ", ",  "):
        text = f"{algorithm} {separator.join(reversed(rest.split(', ')))}"
        headers = [(name, text if name == "authorization" else value) for name, value in http.headers]
        assert verify(HttpRequest("GET", "/", "", headers)) == ME


def test_an_unsigned_request_makes_no_claim() -> None:
    assert read_claim(HttpRequest("GET", "/", "x=X-Amz-Algorithm", [])) is None


# Refusals.


def refusal(http: HttpRequest, *, at: float | None = None) -> NotAuthentic:
    with pytest.raises(NotAuthentic) as raised:
        verify(http, at=at)
    return raised.value


def lambda_request(**changes: str) -> HttpRequest:
    http = as_received(signed_request("lambda", "GET", "/", "", {}, b"", None))
    return HttpRequest("GET", "/", "", [(name, changes.get(name, value)) for name, value in http.headers])


def credential(text: str) -> HttpRequest:
    return lambda_request(
        authorization=f"AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host;x-amz-date, Signature=00"
    )


@pytest.mark.parametrize(
    ("authorization", "fault", "text"),
    [
        ("nonsense", Fault.INCOMPLETE, "Authorization header requires 'Credential' parameter. Authorization header "),
        ("Bearer abc", Fault.INCOMPLETE, "requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=00", Fault.INCOMPLETE, "requires 'SignedHeaders' param"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host", Fault.INCOMPLETE, "requires 'Signature' param"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", Fault.UNSUPPORTED, "Signature Version 4A is not supported"),
        ("AWS key:signature", Fault.UNSUPPORTED, "Signature Version 2 is not supported"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_in_words(authorization: str, fault: Fault, text: str) -> None:
    failure = refusal(lambda_request(authorization=authorization))
    assert failure.fault is fault
    assert text in failure.detail
    assert authorization not in failure.detail


def test_a_header_without_a_date_is_refused() -> None:
    http = lambda_request()
    bare = HttpRequest("GET", "/", "", [header for header in http.headers if header[0] != "x-amz-date"])
    failure = refusal(bare)
    assert failure.fault is Fault.INCOMPLETE
    assert "existence of either a 'X-Amz-Date' or a 'Date' header." in failure.detail


@pytest.mark.parametrize(
    ("text", "fault", "words"),
    [
        ("key/20261121/us-east-1/lambda", Fault.INCOMPLETE, "exactly 5 slash-delimited elements"),
        (
            "key/{day}/us-east-1/lambda/aws3_request",
            Fault.SCOPE,
            "valid terminator: 'aws4_request', not 'aws3_request'",
        ),
        ("key/20200101/us-east-1/lambda/aws4_request", Fault.SCOPE, "'20200101' != '{day}', from '{day}T"),
        ("key/2/us-east-1/lambda/aws4_request", Fault.SCOPE, "Date in Credential scope does not match"),
        ("key/{day}/us_east/lambda/aws4_request", Fault.SCOPE, "scoped to a valid region"),
        ("unknown/{day}/us-east-1/lambda/aws4_request", Fault.UNKNOWN_KEY, ""),
        ("expired/{day}/us-east-1/lambda/aws4_request", Fault.EXPIRED_TOKEN, ""),
        ("key/{day}/us-east-1/lambda/aws4_request", Fault.SIGNATURE, ""),
    ],
)
def test_a_scope_that_does_not_fit_is_refused(text: str, fault: Fault, words: str) -> None:
    day = lambda_request().header("x-amz-date")[:8]
    failure = refusal(credential(text.format(day=day)))
    assert failure.fault is fault
    assert words.format(day=day) in failure.detail


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filler", [",", " ", ", ", "a", "a=", "Signature=", "Credential=a,"])
def test_a_hostile_header_costs_no_more_than_its_length(filler: str) -> None:
    for number in range(100):
        http = lambda_request(authorization="AWS4-HMAC-SHA256 " + filler * (8000 // len(filler)) + str(number))
        assert refusal(http).fault is Fault.INCOMPLETE


def test_a_header_that_is_too_long_is_refused() -> None:
    failure = refusal(lambda_request(authorization="AWS4-HMAC-SHA256 " + "a" * limits.AUTHORIZATION_BYTES))
    assert (failure.fault, failure.detail) == (Fault.INCOMPLETE, "Authorization header is longer than 8192 bytes.")


def test_a_signed_header_that_is_repeated_is_refused() -> None:
    day = lambda_request().header("x-amz-date")[:8]
    text = f"AWS4-HMAC-SHA256 Credential=key/{day}/us-east-1/lambda/aws4_request, SignedHeaders=host;host, Signature=00"
    assert "repeated" in refusal(lambda_request(authorization=text)).detail


@pytest.mark.parametrize(("service", "query"), [("s3", False), ("s3", True), ("lambda", True)])
def test_what_a_link_or_s3_is_told_must_be_signed(service: str, query: bool) -> None:
    request = AWSRequest("GET", url("/", ""))
    signer(service, None, query=query).add_auth(request)
    http = as_received(request)
    assert verify(http) == ME
    http.headers += [("x-amz-tail", "1"), ("x-amz-acl", "public"), ("x-amzn-trace-id", "1")]
    failure = refusal(HttpRequest(http.method, http.path, http.query, http.headers))
    assert (failure.fault, failure.members) == (Fault.HEADERS, {"HeadersNotSigned": "x-amz-acl, x-amz-tail"})


def test_the_header_signatures_of_other_services_leave_headers_unsigned() -> None:
    http = lambda_request()
    assert verify(HttpRequest("GET", "/", "", [*http.headers, ("x-amz-log-type", "Tail")])) == ME


def test_host_must_be_signed() -> None:
    day = lambda_request().header("x-amz-date")[:8]
    text = (
        f"AWS4-HMAC-SHA256 Credential=key/{day}/us-east-1/lambda/aws4_request, SignedHeaders=x-amz-date, Signature=00"
    )
    assert "must be a 'SignedHeader'" in refusal(lambda_request(authorization=text)).detail


@pytest.mark.parametrize("timestamp", ["20261321T000000Z", "20260230T250000Z", "2026-11-21", "x" * 16])
def test_a_date_that_does_not_exist_is_refused(timestamp: str) -> None:
    text = f"AWS4-HMAC-SHA256 Credential=key/{timestamp[:8]}/r/lambda/aws4_request, SignedHeaders=host, Signature=00"
    http = HttpRequest("GET", "/", "", [("host", "a"), ("x-amz-date", timestamp), ("authorization", text)])
    failure = refusal(http, at=0.0)
    assert failure.fault is Fault.INCOMPLETE
    assert "ISO-8601 'basic format'" in failure.detail


def test_the_clock_may_differ_by_fifteen_minutes_back_and_five_ahead() -> None:
    http = lambda_request()
    signed = when(http.header("x-amz-date"))
    assert verify(http, at=signed + limits.CLOCK_SKEW_S) == ME
    assert verify(http, at=signed - limits.CLOCK_AHEAD_S) == ME
    late = refusal(http, at=signed + limits.CLOCK_SKEW_S + 60)
    assert late.fault is Fault.LATE
    stamp = http.header("x-amz-date")
    now, edge = sigv4.iso(signed + 960), sigv4.iso(signed + 60)
    assert late.detail == f"Signature expired: {stamp} is now earlier than {edge} ({now} - 15 min.)"
    early = refusal(http, at=signed - limits.CLOCK_AHEAD_S - 60)
    assert early.fault is Fault.EARLY
    now, edge = sigv4.iso(signed - 360), sigv4.iso(signed - 60)
    assert early.detail == f"Signature not yet current: {stamp} is still later than {edge} ({now} + 5 min.)"


def link(query: str) -> HttpRequest:
    return HttpRequest("GET", "/test.txt", query, [("host", "examplebucket.s3.amazonaws.com")])


def test_a_presigned_url_is_valid_for_as_long_as_it_says() -> None:
    signed = when("20130524T000000Z")
    assert verify(link(S3_LINK), at=signed + 86399) == ME
    expired = refusal(link(S3_LINK), at=signed + 86400)
    assert expired.fault is Fault.LINK_EXPIRED
    assert expired.members["Expires"] == "2013-05-25T00:00:00Z"
    assert refusal(link(S3_LINK), at=signed - limits.CLOCK_SKEW_S - 1).fault is Fault.LINK_EARLY


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("Expires=86400", "Expires=604801", Fault.LINK_MALFORMED),
        ("Expires=86400", "Expires=-1", Fault.LINK_MALFORMED),
        ("Expires=86400", "Expires=1" + "0" * 5000, Fault.LINK_MALFORMED),
        ("Expires=86400", "Expires=%D9%A1", Fault.LINK_MALFORMED),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", Fault.LINK_MALFORMED),
        ("&X-Amz-SignedHeaders=host", "", Fault.LINK_MALFORMED),
        ("&X-Amz-Date=20130524T000000Z", "", Fault.LINK_MALFORMED),
        ("aeeed9", "beeed9", Fault.SIGNATURE),
        ("Signature=aeeed9", "Signature=%FF%E2%82%AC", Fault.SIGNATURE),
        ("SignedHeaders=host", "SignedHeaders=range", Fault.SCOPE),
    ],
)
def test_a_presigned_url_that_is_not_right_is_refused(before: str, after: str, fault: Fault) -> None:
    with pytest.raises(NotAuthentic) as raised:
        verify(link(S3_LINK.replace(before, after)), at=when("20130524T000000Z"))
    assert raised.value.fault is fault


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200),
    PRINTABLE,
)
def test_no_header_or_query_whatsoever_breaks_the_reader(rest: str, query: str, date: str) -> None:
    for authorization in (rest, f"AWS4-HMAC-SHA256 {rest}", f"AWS4-HMAC-SHA256 Credential={rest}, Signature=0"):
        http = HttpRequest("GET", "/", query, [("authorization", authorization), ("x-amz-date", date)])
        try:
            claim = read_claim(http)
        except NotAuthentic:
            continue
        assert claim is None or claim.scope.region
    for text in (f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}", f"{S3_LINK}&{query}"):
        try:
            verify(link(text), at=when("20130524T000000Z"))
        except NotAuthentic:
            continue


# The words of each protocol.


@pytest.mark.parametrize(
    "service_protocol", [("logs", "json"), ("lambda", "rest-json"), ("sts", "query"), ("s3", "rest-xml")]
)
@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_words_in_every_protocol(fault: Fault, service_protocol: tuple[str, str]) -> None:
    error = refusals.not_authentic(NotAuthentic(fault, "the detail"), *service_protocol)
    assert error.code
    assert error.message
    assert error.status is not None
    assert 400 <= error.status < 500


INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
NO_SUCH_KEY_ID = "The AWS Access Key Id you provided does not exist in our records."
SKEWED = "The difference between the request time and the current time is too large."
WORDS = [
    ("lambda", "rest-json", Fault.SIGNATURE, ("InvalidSignatureException", 403, MISMATCH)),
    ("logs", "json", Fault.SIGNATURE, ("InvalidSignatureException", 400, MISMATCH)),
    ("sts", "query", Fault.SIGNATURE, ("SignatureDoesNotMatch", 403, MISMATCH)),
    ("s3", "rest-xml", Fault.LATE, ("RequestTimeTooSkewed", 403, SKEWED)),
    (
        "lambda",
        "rest-json",
        Fault.MISSING,
        ("MissingAuthenticationTokenException", 403, "Missing Authentication Token"),
    ),
    ("iam", "query", Fault.MISSING, ("MissingAuthenticationToken", 403, "Request is missing Authentication Token")),
    ("lambda", "rest-json", Fault.UNKNOWN_KEY, ("UnrecognizedClientException", 403, INVALID)),
    ("sts", "query", Fault.UNKNOWN_KEY, ("InvalidClientTokenId", 403, INVALID)),
    ("s3", "rest-xml", Fault.UNKNOWN_KEY, ("InvalidAccessKeyId", 403, NO_SUCH_KEY_ID)),
    ("lambda", "rest-json", Fault.EXPIRED_TOKEN, ("ExpiredTokenException", 403, EXPIRED)),
    ("sts", "query", Fault.EXPIRED_TOKEN, ("ExpiredToken", 403, EXPIRED)),
]


@pytest.mark.parametrize(("service", "protocol", "fault", "words"), WORDS)
def test_refusals_are_worded_as_by_aws(service: str, protocol: str, fault: Fault, words: tuple[str, int, str]) -> None:
    error = refusals.not_authentic(NotAuthentic(fault), service, protocol)
    assert (error.code, error.status, error.message) == words


def test_an_unsigned_payload_is_signed_as_such() -> None:
    request = AWSRequest("PUT", "http://here/bucket/key", {}, b"anything")
    request.context["payload_signing_enabled"] = False
    signer("lambda", None, query=False).add_auth(request)
    http = as_received(request)
    assert http.header("x-amz-content-sha256") == UNSIGNED_PAYLOAD
    assert verify(http, b"something else") == ME
