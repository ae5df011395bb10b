"""Something elsewhere that listens, remembers what it was asked, and knows how botocore would have signed that."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Place:
    """Something that listens, answers as it is told and remembers what it was asked."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.asked: list[Asked] = []
        self.requests: queue.Queue[Asked] = queue.Queue()
        """The same, to be waited for."""
        self.answer: tuple[int, bytes] = (200, b"{}")

    @property
    def last(self) -> Asked:
        """The last request."""
        return self.asked[-1]

    def signed_by_botocore(self, service: str, region: str) -> str:
        """The signature that botocore puts on the last request."""
        asked = self.last
        auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("key", "secret"), service, region)
        names = asked.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        headers = {name: asked.headers[name] for name in names}
        request = AWSRequest(asked.method, f"http://{asked.headers['host']}{asked.path}", headers, asked.body)
        request.context["timestamp"] = asked.headers["x-amz-date"]
        signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return signature


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def _do(self) -> None:
        place: Place = self.server.place
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        place.asked.append(Asked(self.command, self.path, headers, body))
        place.requests.put(place.last)
        status, answer = place.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = _do  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
        pass


@contextmanager
def listening() -> Iterator[Place]:
    """A place on a free port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    made = Place(f"http://127.0.0.1:{server.server_port}")
    server.place = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
