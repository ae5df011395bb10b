"""The smallest HTTP client that keeps a connection open, so the figures are the server's and not the client's."""

from __future__ import annotations

import selectors
import socket
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEAD_END = b"\r\n\r\n"
CHUNKS_END = b"0\r\n\r\n"


def request_bytes(url: str, body: bytes, headers: Mapping[str, str] | None = None, *, signed_for: str = "") -> bytes:
    """A POST as it goes over the wire; `signed_for` names the service whose Signature Version 4 it carries."""
    request = AWSRequest("POST", url, headers=dict(headers or {}), data=body)
    if signed_for:
        SigV4Auth(Credentials("test", "test"), signed_for, "us-east-1").add_auth(request)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(lines).encode() + HEAD_END + body


class Connection:
    """One kept-alive connection that sends ready-made requests and reads answers."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send `request`; returns the status and the body."""
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """Send `request`, the answer to which is to be received."""
        self._socket.sendall(request)

    def receive(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        data = self._socket.recv(65536)
        while (end := data.find(HEAD_END)) < 0:
            data += self._more()
        head = data[:end].lower()
        if b"transfer-encoding: chunked" in head:
            return int(data[9:12]), self._chunked(data[end + 4 :])
        length = _length(head)
        chunks, have = [data[end + 4 :]], len(data) - end - 4
        while have < length:
            chunks.append(self._more())
            have += len(chunks[-1])
        return int(data[9:12]), b"".join(chunks)

    def timed(self, request: bytes) -> float:
        """Seconds that one exchange took. Raises RuntimeError unless it answered 200."""
        started = time.perf_counter()
        status, body = self.exchange(request)
        took = time.perf_counter() - started
        if status != 200:
            raise RuntimeError(f"status {status}: {body[:500]!r}")
        return took

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _chunked(self, data: bytes) -> bytes:
        while not data.endswith(CHUNKS_END):
            data += self._more()
        body = b""
        while data != CHUNKS_END:
            size, _, rest = data.partition(b"\r\n")
            body += rest[: int(size, 16)]
            data = rest[int(size, 16) + 2 :]
        return body

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server hung up")
        return data


def closed_loop(connections: Sequence[Connection], request: bytes, calls: int) -> None:
    """`calls` calls, each client sending its next one when it has its answer. Raises RuntimeError unless all are
    answered 200."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.send(request)
        sent, answered = len(connections), 0
        while answered < calls:
            for key, _ in selector.select():
                connection = key.data
                status, body = connection.receive()
                if status != 200:
                    raise RuntimeError(f"status {status}: {body[:500]!r}")
                answered += 1
                if sent < calls:
                    connection.send(request)
                    sent += 1


def _length(head: bytes) -> int:
    start = head.index(b"content-length:") + 15
    stop = head.find(b"\r\n", start)
    return int(head[start : stop if stop >= 0 else None])
