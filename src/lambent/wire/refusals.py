"""What a caller is told who cannot be let in: one table from what is wrong to each protocol's code, status and words.

Texts and statuses are those that AWS's services answer with; the JSON protocols give 400 where rest-json gives 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.errors import AwsError
from lambent.wire.claims import Fault

if TYPE_CHECKING:
    from lambent.wire.claims import NotAuthentic

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_EC2_FAILURE = "AWS was not able to validate the provided access credentials"
_S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_S3_SKEWED = "The difference between the request time and the current time is too large."
_UNSIGNED_HEADERS = "There were headers present in the request which were not signed"
_MALFORMED_HEADER = "AuthorizationHeaderMalformed"

Words = tuple[str, int, str]
"""Code, status, and text; the text is empty where the fault brings its own."""


def _modern(status: int) -> dict[Fault, Words]:
    incomplete = ("IncompleteSignatureException", status, "")
    mismatch = ("InvalidSignatureException", status, "")
    return {
        Fault.MISSING: ("MissingAuthenticationTokenException", status, "Missing Authentication Token"),
        Fault.INCOMPLETE: incomplete,
        Fault.UNSUPPORTED: incomplete,
        Fault.LINK_MALFORMED: incomplete,
        Fault.SIGNATURE: ("InvalidSignatureException", status, _MISMATCH),
        Fault.BODY_HASH: ("InvalidSignatureException", status, _MISMATCH),
        Fault.HEADERS: ("InvalidSignatureException", status, _UNSIGNED_HEADERS),
        Fault.SCOPE: mismatch,
        Fault.EARLY: mismatch,
        Fault.LATE: mismatch,
        Fault.LINK_EARLY: mismatch,
        Fault.LINK_EXPIRED: mismatch,
        Fault.UNKNOWN_KEY: ("UnrecognizedClientException", status, _INVALID),
        Fault.EXPIRED_TOKEN: ("ExpiredTokenException", status, _EXPIRED),
    }


_FORM: dict[Fault, Words] = {
    Fault.MISSING: ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    Fault.INCOMPLETE: ("IncompleteSignature", 403, ""),
    Fault.UNSUPPORTED: ("IncompleteSignature", 403, ""),
    Fault.LINK_MALFORMED: ("IncompleteSignature", 403, ""),
    Fault.SIGNATURE: ("SignatureDoesNotMatch", 403, _MISMATCH),
    Fault.BODY_HASH: ("SignatureDoesNotMatch", 403, _MISMATCH),
    Fault.HEADERS: ("SignatureDoesNotMatch", 403, _UNSIGNED_HEADERS),
    Fault.SCOPE: ("SignatureDoesNotMatch", 403, ""),
    Fault.EARLY: ("SignatureDoesNotMatch", 403, ""),
    Fault.LATE: ("SignatureDoesNotMatch", 403, ""),
    Fault.LINK_EARLY: ("SignatureDoesNotMatch", 403, ""),
    Fault.LINK_EXPIRED: ("SignatureDoesNotMatch", 403, ""),
    Fault.UNKNOWN_KEY: ("InvalidClientTokenId", 403, _INVALID),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", 403, _EXPIRED),
}

_EC2: dict[Fault, Words] = _FORM | {
    Fault.MISSING: ("MissingAuthenticationToken", 400, "Request is missing Authentication Token"),
    Fault.SIGNATURE: ("AuthFailure", 401, _EC2_FAILURE),
    Fault.UNKNOWN_KEY: ("AuthFailure", 401, _EC2_FAILURE),
    Fault.EXPIRED_TOKEN: ("RequestExpired", 400, "Request has expired."),
}

_S3: dict[Fault, Words] = {
    Fault.MISSING: ("AccessDenied", 403, "Access Denied"),
    Fault.INCOMPLETE: (_MALFORMED_HEADER, 400, ""),
    Fault.UNSUPPORTED: (
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    ),
    Fault.LINK_MALFORMED: ("AuthorizationQueryParametersError", 400, ""),
    Fault.SIGNATURE: ("SignatureDoesNotMatch", 403, _S3_MISMATCH),
    Fault.BODY_HASH: (
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    Fault.HEADERS: ("AccessDenied", 403, _UNSIGNED_HEADERS),
    Fault.SCOPE: (_MALFORMED_HEADER, 400, ""),
    Fault.EARLY: ("RequestTimeTooSkewed", 403, _S3_SKEWED),
    Fault.LATE: ("RequestTimeTooSkewed", 403, _S3_SKEWED),
    Fault.LINK_EARLY: ("AccessDenied", 403, "Request is not valid yet"),
    Fault.LINK_EXPIRED: ("AccessDenied", 403, "Request has expired"),
    Fault.UNKNOWN_KEY: (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", 400, "The provided token has expired."),
}

_BY_PROTOCOL = {
    "json": _modern(400),
    "smithy-rpc-v2-cbor": _modern(400),
    "rest-json": _modern(403),
    "query": _FORM,
    "rest-xml": _FORM,
    "ec2": _EC2,
}
_INTERNAL = {"lambda": "ServiceException", "s3": "InternalError"}
_INTERNAL_TEXT = "The request processing has failed because of an unknown error, exception or failure."
_INNER_NAMES = {("lambda", "Invoke"): "InvokeFunction"}


def not_authentic(failure: NotAuthentic, service: str, protocol: str) -> AwsError:
    """The answer to a request that is not signed as it must be."""
    if service == "s3":
        code, status, text = _S3[failure.fault]
        return AwsError(code, text or failure.detail, status=status, **failure.members)
    code, status, text = _BY_PROTOCOL[protocol][failure.fault]
    return AwsError(code, text or failure.detail, status=status)


def too_large(service: str, operation: str, limit: int) -> AwsError:
    """The answer to a request body of more than `limit` bytes; Lambda's text names its operation as it is inside."""
    if service == "s3":
        return AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", status=400)
    name = _INNER_NAMES.get((service, operation), operation)
    text = f"Request must be smaller than {limit} bytes for the {name} operation"
    return AwsError("RequestEntityTooLargeException", text, status=413)


def too_large_form(limit: int) -> AwsError:
    """The answer to a form of more than `limit` bytes: its operation is not known, since the form names it."""
    return AwsError("RequestEntityTooLarge", f"Request must be smaller than {limit} bytes", status=413)


def busy(service: str) -> AwsError:
    """The answer while the bodies of other requests take all the memory there is for them; clients ask again."""
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", status=503)
    return AwsError("ServiceUnavailable", "The service is busy with other large requests; try again.", status=503)


def refused(service: str, operation: str, reason: str) -> AwsError:
    """The answer for an operation that is left out on purpose."""
    return AwsError("NotImplemented", f"{service}:{operation} is not offered by Lambent: {reason}", status=501)


def internal(service: str) -> AwsError:
    """The answer where the program, not the caller, is wrong."""
    return AwsError(_INTERNAL.get(service, "InternalFailure"), _INTERNAL_TEXT, status=500)
