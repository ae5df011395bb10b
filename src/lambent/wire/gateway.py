"""The gateway: one request of any service, from HTTP to the operation that answers it and back.

In order: whether it is for an address of its own (`doorway`), what browsers may do, Lambent's own pages, which
operation is meant, who asks, the body, the operation. An error of any step leaves in the protocol that the client
speaks.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lambent.kernel import doors, errors, limits
from lambent.kernel.body import BodyBroken, BodyTooLarge, WholeBody
from lambent.kernel.call import Call
from lambent.kernel.errors import AwsError
from lambent.kernel.settings import is_loopback
from lambent.wire import compress, refusals
from lambent.wire.budget import Budget, Busy, Hold
from lambent.wire.checked import CheckedBody
from lambent.wire.chunked import ChunkedBody
from lambent.wire.claims import UNSIGNED_PAYLOAD, Fault, NotAuthentic, read_claim
from lambent.wire.cors import Browsers
from lambent.wire.doorway import Doorway
from lambent.wire.fronts import screen
from lambent.wire.http import HttpResponse
from lambent.wire.links import CodePage
from lambent.wire.route import Route, Router, Unroutable
from lambent.wire.sigv4 import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lambent.kernel.authority import Authority, Principal
    from lambent.kernel.body import Body
    from lambent.kernel.call import Request, Response
    from lambent.kernel.clock import Clock
    from lambent.kernel.doors import Doors
    from lambent.kernel.ids import Ids
    from lambent.kernel.service import Operation, Service
    from lambent.kernel.settings import Settings
    from lambent.store.blobs import Blobs
    from lambent.wire.claims import Claim
    from lambent.wire.codec import OperationCodec
    from lambent.wire.fronts.messages import Ask
    from lambent.wire.http import Handler, HttpRequest
    from lambent.wire.links import CodeLinks
    from lambent.wire.models import Models
    from lambent.wire.sigv4 import Admission

log = logging.getLogger(__name__)

PAGES = doors.PATHS
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII)


class Gateway:
    """Answers every request of the AWS endpoint; `handle` is the HTTP server's handler."""

    def __init__(
        self,
        *,
        services: Iterable[Service],
        models: Models,
        authority: Authority,
        doors: Doors,
        links: CodeLinks,
        blobs: Blobs,
        clock: Clock,
        ids: Ids,
        settings: Settings,
        facts: Mapping[str, str],
        pages: Mapping[str, Handler],
    ) -> None:
        """`pages` are served by their names below `/_lambent/`. `facts` are shown beside the others at
        `/_lambent/health`, to whoever can reach the server."""
        self._models = models
        self._authority = authority
        self._clock = clock
        self._ids = ids
        self._region = settings.region
        self._pages: Mapping[str, Handler] = {"code": CodePage(links, blobs, ids), **pages}
        self._operations: dict[tuple[str, str], tuple[Operation, object]] = {}
        self._refused: dict[tuple[str, str], str] = {}
        for service in services:
            for operation in service.operations:
                self._operations[service.name, operation.__name__] = (operation, service.parts)
            for name, reason in service.refused.items():
                self._refused[service.name, name] = reason
        names = sorted({name for name, _ in self._operations})
        self._router = Router(models, names)
        self._verifier = Verifier(authority.credential, clock)
        self._bodies = Budget(limits.REQUEST_BODIES_BYTES)
        self._doorway = Doorway(doors, self._verifier, self._bodies, ids)
        self._browsers = Browsers(
            loopback=is_loopback(settings.host), hosts=(settings.host,), strange=self._doorway.is_address
        )
        health = {"status": "ok", "version": version("lambent"), **facts, "services": names}
        self._health = json.dumps(health).encode()
        self._endpoint_of = lru_cache(limits.HOSTS_CACHED)(self._endpoint)
        self.endpoint = f"http://{settings.host}:{settings.port}"
        """The base URL for requests whose Host header is no address."""

    async def handle(self, http: HttpRequest) -> HttpResponse:
        """The response to any request. Raises BodyBroken where the client went away."""
        found = self._doorway.find(http)
        if found is not None:
            return await self._doorway.visit(http, *found)
        answer = self._browsers.answer(http)
        if answer is not None:
            return answer
        response = await (self._page(http) if http.path.startswith(PAGES) else self._call(http))
        self._browsers.expose(http, response)
        return response

    # One call.

    async def _call(self, http: HttpRequest) -> HttpResponse:
        request_id = self._ids.uuid()
        started = self._clock.monotonic()
        hold = Hold(self._bodies)
        try:
            return await self._answer(http, hold, request_id, started)
        finally:
            hold.release()

    async def _answer(self, http: HttpRequest, hold: Hold, request_id: str, started: float) -> HttpResponse:
        claim: Claim | None = None
        admission: Admission | None = None
        fault: Exception | None = None
        try:
            claim = read_claim(http)
            if claim is not None:
                admission = self._verifier.admit(http, claim)
        except (NotAuthentic, AwsError) as failure:
            fault = failure
        try:
            scope = None if claim is None else claim.scope.service
            if fault is not None or not self._router.wants_body(http):
                route = self._router.find(http, scope)
            else:
                route = await self._route_form(http, scope, hold)
        except Unroutable as failure:
            log.debug("%s %s: %s, request %s", http.method, http.path, failure, request_id)
            error = failure.error
            if fault is None and admission is not None and failure.by_path:
                operation = await asyncio.to_thread(self._router.foreign_operation, failure.service, http)
                error = errors.not_built(failure.service, operation)
            if isinstance(fault, NotAuthentic):
                error = refusals.not_authentic(fault, failure.service, failure.protocol)
            return failure.errors.write(error, request_id)
        codec = self._models.codec(route.service, route.operation, route.protocol)
        try:
            if fault is not None:
                raise fault
            output = await self._perform(http, admission, codec, hold, request_id)
            response = codec.encode(output or {}, request_id)
        except BodyBroken:
            raise
        except Exception as failure:  # noqa: BLE001 the gateway turns whatever went wrong into an answer
            response = codec.encode_error(self._error(failure, codec, route, request_id), request_id)
        if log.isEnabledFor(logging.DEBUG):
            took = (self._clock.monotonic() - started) * 1000
            what = f"{codec.service}:{codec.operation}"
            log.debug("%s %s %d %.1f ms, request %s", http.method, what, response.status, took, request_id)
        return response

    async def _route_form(self, http: HttpRequest, scope: str | None, hold: Hold) -> Route:
        """The operation that the form in the body names. Raises Unroutable, BodyBroken."""
        limit = limits.REQUEST_BODY_BYTES if scope else limits.UNSIGNED_BODY_BYTES
        try:
            data = await hold.read(http.body, limit)
            http.body = WholeBody(data)
            form = await _content(http, data, limit)
        except (AwsError, BodyTooLarge, Busy) as failure:
            error = failure if isinstance(failure, AwsError) else refusals.busy("")
            if isinstance(failure, BodyTooLarge):
                error = refusals.too_large_form(limit)
            raise Unroutable(error, self._models.foreign_errors("query"), "", "query") from failure
        if len(form) <= limits.LOOP_BYTES:
            return self._router.find(http, scope, form)
        return await asyncio.to_thread(self._router.find, http, scope, form)

    async def _perform(
        self, http: HttpRequest, admission: Admission | None, codec: OperationCodec, hold: Hold, request_id: str
    ) -> Response | None:
        found = self._operations.get((codec.service, codec.method))
        if found is None:
            raise self._missing(codec)
        operation, parts = found
        principal, body = await self._admit(http, admission, codec, hold)
        request: Request
        if isinstance(body, bytes) and len(body) > limits.LOOP_BYTES:
            request = await asyncio.to_thread(codec.decode, http, body)
        else:
            request = codec.decode(http, body)
        call: Call[Any] = Call(
            parts=parts,
            operation=codec.operation,
            account=principal.account,
            region=self._region if admission is None else admission.claim.scope.region,
            principal=principal,
            request_id=request_id,
            endpoint=self._endpoint_of(http.fields.get("host", "")),
            trace=http.fields.get("x-amzn-trace-id", ""),
        )
        return await operation(call, request)

    async def perform(self, ask: Ask) -> Response | HttpResponse:
        """The output of a call that a front has read and verified, or the response that is its error."""
        codec = self._models.codec(screen.SERVICE, ask.operation, screen.PROTOCOL)
        operation, parts = self._operations[screen.SERVICE, codec.method]
        call: Call[Any] = Call(
            parts=parts,
            operation=ask.operation,
            account=ask.principal.account,
            region=ask.region,
            principal=ask.principal,
            request_id=ask.request_id,
            endpoint=self._endpoint_of(ask.host),
            trace=ask.trace,
        )
        try:
            return await operation(call, ask.request) or {}
        except Exception as failure:  # noqa: BLE001 as above
            route = Route(screen.SERVICE, ask.operation, screen.PROTOCOL)
            return codec.encode_error(self._error(failure, codec, route, ask.request_id), ask.request_id)

    async def _admit(
        self, http: HttpRequest, admission: Admission | None, codec: OperationCodec, hold: Hold
    ) -> tuple[Principal, bytes | Body]:
        """Who asks, and with what body. Raises NotAuthentic, AwsError, BodyTooLarge, BodyBroken, Busy."""
        if admission is None:
            if not codec.unsigned:
                raise NotAuthentic(Fault.MISSING)
            principal = self._authority.anonymous()
            if codec.streams_input:
                return principal, CheckedBody(http.body, codec.body_limit)
            limit = min(codec.body_limit, limits.UNSIGNED_BODY_BYTES)
            return principal, await _content(http, await hold.read(http.body, limit), limit)
        claim = admission.claim
        if claim.payload.startswith("STREAMING-") or (codec.streams_input and claim.payload):
            return await self._admit_stream(http, admission, codec, hold)
        body = http.body
        limit = codec.body_limit
        data = body.within(limit) if isinstance(body, WholeBody) else await hold.read(body, limit)
        payload = claim.payload
        if payload != UNSIGNED_PAYLOAD:
            payload = _digest(data) if len(data) <= limits.LOOP_BYTES else await asyncio.to_thread(_digest, data)
            if claim.payload and claim.payload != payload:
                raise NotAuthentic(
                    Fault.BODY_HASH, ClientComputedContentSHA256=claim.payload, S3ComputedContentSHA256=payload
                )
        principal = self._verifier.verify(http, admission, payload).principal
        if codec.streams_input:
            return principal, WholeBody(data)
        if "content-encoding" in http.fields:
            data = await _content(http, data, limit)
        return principal, data

    async def _admit_stream(
        self, http: HttpRequest, admission: Admission, codec: OperationCodec, hold: Hold
    ) -> tuple[Principal, bytes | Body]:
        """Verify before the body comes: what its hash or its chunks must be is part of what was signed."""
        claim = admission.claim
        signer = self._verifier.verify(http, admission, claim.payload)
        body: Body
        if claim.payload.startswith("STREAMING-"):
            body = ChunkedBody(http, claim, signer.key, codec.body_limit)
        else:
            digest = None if claim.payload == UNSIGNED_PAYLOAD else claim.payload
            body = CheckedBody(http.body, codec.body_limit, digest)
        if codec.streams_input:
            return signer.principal, body
        return signer.principal, await _content(http, await hold.read(body, codec.body_limit), codec.body_limit)

    def _missing(self, codec: OperationCodec) -> AwsError:
        reason = self._refused.get((codec.service, codec.operation))
        if reason is not None:
            return refusals.refused(codec.service, codec.operation, reason)
        return errors.not_built(codec.service, codec.operation)

    def _error(self, failure: Exception, codec: OperationCodec, route: Route, request_id: str) -> AwsError:
        if isinstance(failure, AwsError):
            return failure
        if isinstance(failure, NotAuthentic):
            return refusals.not_authentic(failure, route.service, route.protocol)
        if isinstance(failure, BodyTooLarge):
            return refusals.too_large(codec.service, codec.operation, failure.limit)
        if isinstance(failure, Busy):
            return refusals.busy(codec.service)
        log.error("%s:%s failed, request %s", codec.service, codec.operation, request_id, exc_info=failure)
        return refusals.internal(codec.service)

    def _endpoint(self, host: str) -> str:
        return f"http://{host}" if _HOST.fullmatch(host) else self.endpoint

    # Lambent's own pages.

    async def _page(self, http: HttpRequest) -> HttpResponse:
        name = http.path.removeprefix(PAGES).partition("/")[0]
        if name == "health" and http.path == f"{PAGES}health":
            if http.method not in ("GET", "HEAD"):
                return _json(405, b'{"message":"Method Not Allowed"}', ("Allow", "GET, HEAD"))
            return _json(200, self._health)
        page = self._pages.get(name)
        if page is None:
            return _json(404, b'{"message":"Not Found"}')
        return await page(http)


async def _content(http: HttpRequest, data: bytes, limit: int) -> bytes:
    """The body as the client had it before it compressed it. Raises BodyTooLarge, AwsError."""
    coding = http.header("content-encoding")
    if not coding:
        return data
    for name in reversed(compress.codings(coding)):
        if name != "gzip":
            raise AwsError("UnsupportedMediaTypeException", f"Content-Encoding {name} is not supported.", status=415)
        data = await asyncio.to_thread(compress.inflate, data, limit)
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(status: int, body: bytes, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, [("Content-Type", "application/json"), *headers], body)
