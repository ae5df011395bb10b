"""Presigned links to Lambent's own blobs: what GetFunction gives as `Code.Location`.

A link is signed as S3's are, with a key of our own that nothing but these links is signed with, and checked by the
same code. What it names is a sha256, so there is no path to leave.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lambent.kernel.authority import Credential, Principal
from lambent.kernel.errors import AwsError
from lambent.store.errors import NoSuchBlob
from lambent.wire import refusals, sigv4
from lambent.wire.claims import UNSIGNED_PAYLOAD, Fault, NotAuthentic, Scope, read_claim
from lambent.wire.http import HttpRequest, HttpResponse
from lambent.wire.sigv4 import Verifier

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.store.blobs import Blobs

PREFIX = "/_lambent/code/"
_ACCESS_KEY_ID = "LAMBENTLINK"
_REGION = "us-east-1"
_PATH = re.compile(re.escape(PREFIX) + "([0-9a-f]{64})")


class CodeLinks:
    """Implements `kernel.links.Links`, and knows the links it made."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        """`key` is a durable secret: links stay valid across a restart."""
        self._credential = Credential(key.hex(), Principal("", "", ""))
        self._clock = clock
        self._verifier = Verifier(self._find, clock)

    def code(self, endpoint: str, digest: str, seconds: int) -> str:
        """A URL below `endpoint` that answers the blob `digest` (sha256, hex) for `seconds`."""
        now = self._clock.time()
        scope = Scope.of(_ACCESS_KEY_ID, sigv4.iso(now)[:8], _REGION, "s3", "host")
        http = HttpRequest("GET", PREFIX + digest, "", [("host", urlsplit(endpoint).netloc)])
        query = sigv4.presign(http, self._credential.secret_access_key, scope, now, seconds)
        return f"{endpoint}{http.path}?{query}"

    def check(self, http: HttpRequest) -> str:
        """The digest that `http` may read. Raises NotAuthentic, AwsError."""
        if http.method not in ("GET", "HEAD"):
            text = "The specified method is not allowed against this resource."
            raise AwsError("MethodNotAllowed", text, status=405)
        claim = read_claim(http)
        if claim is None or claim.expires is None:
            raise NotAuthentic(Fault.MISSING)
        # A link for GET also serves HEAD, which tells less.
        signed = HttpRequest("GET", http.path, http.query, http.headers)
        self._verifier.verify(signed, self._verifier.admit(signed, claim), UNSIGNED_PAYLOAD)
        found = _PATH.fullmatch(http.path)
        if found is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", status=404)
        return found[1]

    def _find(self, access_key_id: str, session_token: str | None) -> Credential:
        if access_key_id != _ACCESS_KEY_ID or session_token is not None:
            raise AwsError("InvalidClientTokenId", "not a key of links")
        return self._credential


class CodePage:
    """Answers links: a handler for the path `PREFIX`."""

    def __init__(self, links: CodeLinks, blobs: Blobs, ids: Ids) -> None:
        self._links = links
        self._blobs = blobs
        self._ids = ids

    async def __call__(self, http: HttpRequest) -> HttpResponse:
        """The blob that a link names, or S3's error for a link that is wrong, has expired or leads nowhere."""
        try:
            digest = self._links.check(http)
            size = await self._blobs.size(digest)
        except NotAuthentic as failure:
            return self._refusal(refusals.not_authentic(failure, "s3", "rest-xml"))
        except AwsError as error:
            return self._refusal(error)
        except NoSuchBlob:
            return self._refusal(AwsError("NoSuchKey", "The specified key does not exist.", status=404))
        headers = [
            ("Content-Type", "application/zip"),
            ("Content-Length", str(size)),
            ("ETag", f'"{digest}"'),
            ("Cache-Control", "private, no-store"),
        ]
        return HttpResponse(200, headers, self._blobs.chunks(digest))

    def _refusal(self, error: AwsError) -> HttpResponse:
        request_id = self._ids.uuid()
        details = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.members.items())
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>{details}"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        headers = [("Content-Type", "application/xml"), ("x-amz-request-id", request_id)]
        return HttpResponse(error.status or 400, headers, body.encode())
