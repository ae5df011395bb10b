"""A small S3 of plain files for these tests: it checks signatures and answers errors as S3 does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from lambent.kernel.authority import Credential, Principal
from lambent.kernel.clock import SystemClock
from lambent.kernel.settings import S3Key
from lambent.wire.claims import UNSIGNED_PAYLOAD, NotAuthentic, read_claim
from lambent.wire.http import HttpRequest
from lambent.wire.sigv4 import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = S3Key("bucketkey", "bucketsecret")


class Buckets:
    """What the server holds: objects by bucket and key, one of a version by that as well."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.objects: dict[str, dict[str, bytes]] = {}
        self.forbidden: set[str] = set()
        self.elsewhere: dict[str, str] = {}
        """Buckets in another region."""
        self.broken: set[str] = set()
        """Keys whose content breaks off."""
        self.encoded: set[str] = set()
        """Keys that were stored with `Content-Encoding: gzip`."""
        self.slow: set[str] = set()
        """Keys whose content comes byte by byte."""
        self.given_up = threading.Event()
        """Set when nobody waits any more for what is slow."""
        self.answers: dict[str, bytes] = {}
        """Buckets of which S3 says this, with status 400."""
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """Called by each request before it is answered."""


@contextmanager
def buckets(*, signed: bool = True) -> Iterator[Buckets]:
    """Serve objects on a free port until the block ends; only to requests that KEY has signed, where `signed`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    held = Buckets(f"http://127.0.0.1:{server.server_port}")
    server.held, server.signed = held, signed  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        _, bucket, key = unquote(url.path).split("/", 2)
        held: Buckets = self.server.held
        held.asked.append(f"{bucket}/{key}")
        held.meanwhile()
        version = parse_qs(url.query).get("versionId", [""])[0]
        if key in held.slow:
            self._trickle(held)
        elif self.server.signed and not self._authentic(url.path, url.query):
            self._refuse(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        elif bucket in held.answers:
            self._answer(400, held.answers[bucket])
        elif bucket in held.elsewhere:
            self._refuse(301, "PermanentRedirect", "Use another endpoint.", region=held.elsewhere[bucket])
        elif bucket in held.forbidden:
            self._refuse(403, "AccessDenied", "Access Denied")
        elif bucket not in held.objects:
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist")
        elif key not in held.objects[bucket]:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        elif f"{key}?{version}" not in held.objects[bucket] and version:
            self._refuse(404, "NoSuchVersion", "The specified version does not exist.")
        else:
            self._give(
                held.objects[bucket][f"{key}?{version}" if version else key],
                broken=key in held.broken,
                encoded=key in held.encoded,
            )

    def _authentic(self, path: str, query: str) -> bool:
        http = HttpRequest("GET", path, query, [("host", self.headers["Host"])])
        claim = read_claim(http)
        if claim is None:
            return False
        verifier = Verifier(lambda *_: Credential(KEY.secret_access_key, Principal("", "", "")), SystemClock())
        try:
            verifier.verify(http, verifier.admit(http, claim), UNSIGNED_PAYLOAD)
        except NotAuthentic:
            return False
        return claim.scope.access_key_id == KEY.access_key_id

    def _give(self, content: bytes, *, broken: bool, encoded: bool) -> None:
        self.send_response(200)
        if encoded:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if broken else content)
        self.close_connection = True

    def _trickle(self, held: Buckets) -> None:
        """For half a minute at most."""
        self.send_response(200)
        self.send_header("Content-Length", "1500")
        self.end_headers()
        self.close_connection = True
        for _ in range(1500):
            try:
                self.wfile.write(b"P")
            except OSError:
                held.given_up.set()
            if held.given_up.wait(0.02):
                return

    def _refuse(self, status: int, code: str, message: str, region: str = "") -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self._answer(status, body, region)

    def _answer(self, status: int, body: bytes, region: str = "") -> None:
        self.send_response(status)
        if region:
            self.send_header("x-amz-bucket-region", region)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""
