"""One HTTP/1.1 connection: bytes to requests, responses to bytes, in order and within limits.

httptools (llhttp, strict) parses. One task answers all requests of a connection. A request whose body is small is
handed on when it is whole, so that the usual call needs no queue; a larger one is handed on at once with a body that
is still arriving (`upload`). Requests that a client sends ahead wait in a short line, and the client is held back when
the line is full. A client that sends or reads too slowly is cut (`patience`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools

from lambent.kernel import limits
from lambent.kernel.body import BodyBroken, BodyTooLarge, WholeBody
from lambent.wire import heads
from lambent.wire.http import HttpRequest
from lambent.wire.job import Job, dispose, forget, has_room
from lambent.wire.patience import Patience, reading
from lambent.wire.pump import pump
from lambent.wire.upgrade import parser_after
from lambent.wire.upload import Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.wire.http import HttpResponse
    from lambent.wire.owner import Owner
    from lambent.wire.patience import Kind, Wait

log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """The protocol object of one client connection."""

    __slots__ = (
        "_chunks",
        "_expecting",
        "_fault",
        "_headers",
        "_held",
        "_in_head",
        "_job",
        "_jobs",
        "_last",
        "_lingering",
        "_loop",
        "_lost",
        "_message_bytes",
        "_messages",
        "_owner",
        "_parser",
        "_patience",
        "_piece",
        "_received",
        "_source",
        "_streaming",
        "_task",
        "_transport",
        "_url",
        "_wake",
        "_worker",
        "_writable",
    )

    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        # The request that is being received.
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._in_head = False
        self._expecting = False
        self._piece = 0
        self._message_bytes = 0
        self._job: Job | None = None
        # Those that are received and not answered yet, and bytes that were sent ahead of them.
        self._jobs: deque[Job] = deque()
        self._held: list[memoryview] = []
        self._worker: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._writable: asyncio.Future[None] | None = None
        # How it ends: no request after those in line; dropping what still comes; closed.
        self._last = False
        self._fault = 400
        self._lingering = False
        self._lost = False
        # What it waits for.
        self._messages = 0
        self._received = 0
        self._patience: Patience | None = None
        self._source = ""

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        if not self._owner.opened(self):
            self._last = True
            transport.write(heads.FULL)
            transport.close()
            return
        transport.set_write_buffer_limits(high=limits.HTTP_BODY_BUFFER_BYTES)
        peer = transport.get_extra_info("peername")
        self._source = peer[0] if isinstance(peer, tuple) else ""
        self._patience = Patience(self._owner.clock, self._waiting_for, self._give_up)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._lingering:
            return
        if not self._held and len(data) <= limits.HTTP_SLICE_BYTES and (not self._jobs or has_room(self._jobs)):
            self._parse(data)
        else:
            self._held.append(memoryview(data))
        if self._held:
            self._parse_held()

    def eof_received(self) -> bool:
        self._last = True
        self._break_upload("the client stopped sending")
        if self._streaming and self._task is not None:
            self._task.cancel()  # hardly a client that only stopped sending: most have gone
            return False
        return self._task is not None

    def connection_lost(self, _exception: Exception | None) -> None:
        self._lost = self._last = True
        if self._patience is not None:
            self._patience.stop()
        self._break_upload("the client went away")
        forget(self._owner.bodies, *self._jobs, self._job)
        self._jobs.clear()
        self._held.clear()
        self.resume_writing()
        self._parser = None  # it knows us too, and such a circle would have to wait for the collector
        if self._task is None:
            if self._worker is not None:
                self._worker.cancel()
            self._owner.gone(self)
        elif self._streaming:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the server asks.

    def finish(self) -> None:
        """Answer what is in line, then close."""
        self._last = True
        if self._task is None:
            self._transport.close()

    def abort(self) -> asyncio.Task[None] | None:
        """Close at once and cancel the running request; returns its task."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    # What an upload asks (upload.Sender).

    def invite(self) -> None:
        if self._expecting and not self._transport.is_closing():
            self._expecting = False
            self._transport.write(heads.CONTINUE)

    def hold_back(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def let_go(self) -> None:
        if not self._held and not self._transport.is_closing():
            self._transport.resume_reading()

    # Bytes to requests.

    def _parse(self, data: bytes | memoryview) -> None:
        if self._last and self._job is None:
            return
        self._piece = len(data)
        self._message_bytes += self._piece
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._refuse_upgrade(memoryview(data)[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as failure:
            if not isinstance(failure.__context__, heads.Refused):
                raise
            self._refuse(failure.__context__.status)
        except httptools.HttpParserError:
            if self._in_head or self._job is not None or not self._last:
                self._refuse(400)
        # An unfinished head; or trailers and what else is between the bytes of a body.
        unfinished = self._in_head or self._job is not None
        if len(self._headers) > limits.HTTP_HEADERS or (unfinished and self._message_bytes > limits.HTTP_HEAD_BYTES):
            self._refuse(431)

    def _refuse_upgrade(self, rest: memoryview) -> None:
        """Go on in HTTP/1.1. llhttp takes the request to end at its head, so its body needs a parser of its own."""
        self._parser = parser_after(self._job, self)
        if rest:
            self._held.insert(0, rest)

    def _parse_held(self) -> None:
        """Parse what was sent ahead, a slice at a time, until the line is full; hold the client back meanwhile."""
        while self._held and has_room(self._jobs):
            view = self._held[0]
            # No request can begin within a body whose length is known: what there is of it is one slice.
            upload = None if self._job is None else self._job.upload
            most = limits.HTTP_SLICE_BYTES if upload is None else max(limits.HTTP_SLICE_BYTES, upload.missing)
            if len(view) > most:
                self._held[0] = view[most:]
                view = view[:most]
            else:
                del self._held[0]
            self._parse(view)
        if self._held:
            self.hold_back()
        elif self._job is None or self._job.upload is None or not self._job.upload.held_back:
            self.let_go()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._message_bytes = self._piece  # at most: it may have begun within the piece
        self._messages += 1
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        headers, self._headers = heads.headers(self._headers), []
        heads.check_size(self._url, headers, self._message_bytes)
        parser = self._parser
        method = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        path, query = heads.target(method, self._url, headers)
        request = HttpRequest(method, path, query, headers)
        request.source = self._source
        heads.check_framing(request, version)
        job = Job(request, modern=version == "1.1")
        self._in_head = False
        self._message_bytes = 0
        self._last = self._last or not parser.should_keep_alive()
        self._job = job
        self._open_body(job)

    def on_body(self, data: bytes) -> None:
        self._message_bytes = 0
        upload = None if self._job is None else self._job.upload
        if upload is not None:
            upload.feed(data)
            return
        self._chunks.append(data)
        if len(self._chunks) > limits.HTTP_BODY_PIECES:
            self._chunks = [b"".join(self._chunks)]

    def on_message_complete(self) -> None:
        job = self._job
        if job is None or (job.has_body and self._parser.should_upgrade()):
            return
        self._job = None
        self._expecting = False
        if job.upload is not None:
            job.upload.end()
            return
        if self._chunks:
            job.request.body = WholeBody(self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))
            self._chunks = []
        self._line_up(job)

    def _open_body(self, job: Job) -> None:
        fields = job.request.fields
        length = int(fields.get("content-length") or 0) or None
        expecting = job.modern and "expect" in fields and fields["expect"].lower() == "100-continue"
        chunked = length is None and bool(fields.get("transfer-encoding"))
        job.has_body = chunked or bool(length)
        most = min(limits.HTTP_BODY_BUFFER_BYTES, self._owner.bodies.left)
        if chunked or (length and (expecting or length > most)):
            self._expecting = expecting
            job.upload = job.request.body = Upload(self, length)
            self._line_up(job)
        elif length:
            self._owner.bodies.left -= length
            job.kept = length

    def _line_up(self, job: Job) -> None:
        self._jobs.append(job)
        if self._task is not None:
            return
        if self._wake is None:
            # Not the supervisor's: it lives and dies with its connection, and `_work` lets no failure out.
            self._worker = self._loop.create_task(self._serve())
        else:
            self._wake.set_result(None)
            self._wake = None
        self._task = self._worker

    def _refuse(self, status: int) -> None:
        """Answer `status` after what is in line, and read no further request."""
        job, self._job = self._job, None
        self._last = self._lingering = True
        self._in_head = False
        self._fault = status
        self._headers = []
        self._held.clear()
        forget(self._owner.bodies, job)
        if job is None or job.upload is None:
            self._line_up(Job(HttpRequest("", "", "", []), refusal=status))
            return
        job.upload.fail("the request is malformed or too slow")
        if self._task is None:
            self._close()

    def _break_upload(self, reason: str) -> None:
        if self._job is not None and self._job.upload is not None:
            self._job.upload.fail(reason)

    # Responses to bytes.

    async def _serve(self) -> None:
        """Answer one line after the other; a task for each of them would cost more than many a request."""
        while True:
            await self._work()
            if self._lost:
                return
            self._wake = self._loop.create_future()
            await self._wake

    async def _work(self) -> None:
        """Answer the line, in order, until it is empty."""
        try:
            while self._jobs:
                if self._writable is not None:
                    await self._writable  # who asks on and reads no answer has no more of them kept here
                    continue
                job = self._jobs.popleft()
                try:
                    await self._answer(job)
                finally:
                    forget(self._owner.bodies, job)
                if self._held:
                    self._parse_held()
            if self._last:
                self._close()
        except asyncio.CancelledError:
            self._transport.abort()  # nobody would ever answer what is still in line
            raise
        except Exception:
            log.exception("a connection failed")
            self._transport.abort()
        finally:
            self._task = None
            if self._lost:
                self._owner.gone(self)

    async def _answer(self, job: Job) -> None:
        response, lines = await self._respond(job)
        body = response.body
        if self._transport.is_closing():
            await dispose(body)
        elif isinstance(body, bytes):
            self._send(job, response.status, lines, body)
        else:
            await self._stream(job, response, lines, body)

    async def _respond(self, job: Job) -> tuple[HttpResponse, bytes]:
        """The response and its header lines."""
        if job.refusal:
            return heads.plain(job.refusal)
        response: HttpResponse | None = None
        try:
            response = await self._owner.handler(job.request)
            return response, heads.lines(response.headers)
        except BodyTooLarge:
            return heads.plain(413)
        except BodyBroken:
            self._last = True
            return heads.plain(self._fault)
        except Exception:
            log.exception("%s %s failed", job.request.method, job.request.path)
            if response is not None:
                await dispose(response.body)
            return heads.plain(500)

    def _send(self, job: Job, status: int, lines: bytes, body: bytes) -> None:
        if job.upload is not None and not job.upload.complete:
            self._abandon(job.upload)
        if status in heads.BODYLESS:
            self._transport.write(self._head(job, status, lines, b""))
            return
        head = self._head(job, status, lines, b"Content-Length: %d\r\n" % len(body))
        if job.request.method == "HEAD":
            self._transport.write(head)
        elif len(body) <= limits.HTTP_SLICE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def _stream(self, job: Job, response: HttpResponse, lines: bytes, body: AsyncIterator[bytes]) -> None:
        """Send a body of unknown length in chunks, or as long as the response's own Content-Length says."""
        length = next((int(value) for name, value in response.headers if name.lower() == "content-length"), None)
        empty = job.request.method == "HEAD" or response.status in heads.BODYLESS
        chunked = length is None and job.modern and response.status not in heads.BODYLESS
        if length is None and not chunked and not empty:
            self._last = True
        if job.upload is not None and not job.upload.complete:
            self.invite()  # the handler may read on while it answers, and after the head it is too late
        self._streaming = True
        try:
            framing = b"Transfer-Encoding: chunked\r\n" if chunked else b""
            self._transport.write(self._head(job, response.status, lines, framing))
            if not empty:
                await pump(self._transport, lambda: self._writable, body, length, chunked=chunked)
        except (BodyBroken, ConnectionError):
            self._transport.abort()
        except Exception:
            # The head is out: all that is left is to cut, so that the client sees it.
            log.exception("the response to %s %s broke off", job.request.method, job.request.path)
            self._transport.abort()
        finally:
            self._streaming = False
            await dispose(body)
        if job.upload is not None and not job.upload.complete:
            self._abandon(job.upload)

    def _head(self, job: Job, status: int, lines: bytes, framing: bytes) -> bytes:
        end = heads.connection(closing=self._last and not self._jobs, modern=job.modern)
        return b"".join((heads.status_line(status), lines, framing, self._owner.stamp(), end))

    def _abandon(self, upload: Upload) -> None:
        """The handler has answered without the whole body: skip a short rest, close after a long one."""
        upload.discard()
        length = upload.length
        if self._expecting or length is None or length > limits.HTTP_DRAIN_BYTES:
            self._last = True

    def _close(self) -> None:
        """Close; but to a client that is still sending only say so, or it would lose its answer to a reset."""
        if self._transport.is_closing():
            return
        if not self._lingering and self._job is None:
            self._transport.close()
            return
        self._lingering = True
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:  # it has gone meanwhile
            self._transport.abort()

    # Time.

    def _waiting_for(self) -> Wait | None:
        """What the client owes us, with a number that changes as it delivers; None where it owes nothing."""
        if unread := reading(self._transport):
            return unread
        if self._lingering and self._task is None:
            return "linger", 0
        if self._in_head:
            return "head", self._messages
        if self._job is not None:
            upload = self._job.upload
            held_back = upload is not None and upload.held_back
            return None if held_back else ("body", self._received // limits.HTTP_TRICKLE_BYTES)
        if self._task is not None or self._held:
            return None
        return "idle", self._messages

    def _give_up(self, kind: Kind) -> None:
        if kind in ("head", "body"):
            self._refuse(408)
        elif kind == "idle":
            self._transport.close()
        else:
            self._transport.abort()
