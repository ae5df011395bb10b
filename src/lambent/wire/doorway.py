"""The doorway: where web requests leave the road of AWS operations and go to whoever answers at their address."""

from __future__ import annotations

import asyncio
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.doors import PATHS, Caller
from lambent.wire import refusals
from lambent.wire.budget import Busy, Hold
from lambent.wire.claims import Fault, NotAuthentic, read_claim
from lambent.wire.http import HttpResponse

if TYPE_CHECKING:
    from lambent.kernel.doors import Address, Doors, Reply
    from lambent.kernel.ids import Ids
    from lambent.wire.budget import Budget
    from lambent.wire.claims import Scope
    from lambent.wire.http import HttpRequest
    from lambent.wire.sigv4 import Verifier

_SANDBOX = ("Content-Security-Policy", "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts")


class Doorway:
    """Finds the address of a request and takes it there."""

    def __init__(self, doors: Doors, verifier: Verifier, bodies: Budget, ids: Ids) -> None:
        self._doors = doors
        self._verifier = verifier
        self._bodies = bodies
        self._ids = ids
        self._at_host = lru_cache(limits.HOSTS_CACHED)(doors.at_host)

    def is_address(self, host: str) -> bool:
        """Whether pages from `host` are some function's, and not this machine's own."""
        return self._at_host(host) is not None

    def find(self, http: HttpRequest) -> tuple[Address, str] | None:
        """The address of a request and the path below it; None where it is for the AWS endpoint."""
        address = self._at_host(http.fields.get("host", ""))
        if address is not None:
            return address, http.path
        return self._doors.at_path(http.path) if http.path.startswith(PATHS) else None

    async def visit(self, http: HttpRequest, address: Address, path: str) -> HttpResponse:
        """The answer of whoever is at `address`. Raises BodyBroken where the client went away."""
        reply = await self._answer(http, address, path)
        if address.region is None:
            # By path, a page comes from the host of the AWS endpoint itself: in a sandbox it is nobody's there.
            reply.headers = [*reply.headers, _SANDBOX]
        return HttpResponse(reply.status, reply.headers, reply.body)

    async def _answer(self, http: HttpRequest, address: Address, path: str) -> Reply:
        hold = Hold(self._bodies)
        visit = _Visit(http, path, self._ids.uuid(), self._verifier, hold)
        try:
            return await self._doors.door(address).answer(address, visit)
        finally:
            hold.release()


class _Visit:
    """Implements `kernel.doors.Visit` over a request."""

    def __init__(self, http: HttpRequest, path: str, request_id: str, verifier: Verifier, hold: Hold) -> None:
        self.request_id = request_id
        self.method = http.method
        self.path = path
        self.query = http.query
        self.headers = http.headers
        self.source = http.source
        self._http = http
        self._verifier = verifier
        self._hold = hold
        self._body: bytes | None = None

    async def read(self, limit: int) -> bytes:
        if self._body is None:
            try:
                self._body = await self._hold.read(self._http.body, limit)
            except Busy:
                raise refusals.busy("") from None
        return self._body

    async def caller(self, service: str, region: str, limit: int) -> Caller | None:
        try:
            return await self._verified(service, region, limit)
        except NotAuthentic as failure:
            raise refusals.not_authentic(failure, service, "rest-json") from failure

    async def _verified(self, service: str, region: str, limit: int) -> Caller | None:
        claim = read_claim(self._http)
        if claim is None:
            return None
        _check_scope(claim.scope, service, region)
        admission = self._verifier.admit(self._http, claim)
        data = await self.read(limit)
        digest = _digest(data) if len(data) <= limits.LOOP_BYTES else await asyncio.to_thread(_digest, data)
        signer = self._verifier.verify(self._http, admission, digest)
        return Caller(signer.principal, claim.scope.access_key_id)


def _check_scope(scope: Scope, service: str, region: str) -> None:
    """Raises NotAuthentic for what was signed for another service or region, whose signature may well be right."""
    if scope.service != service:
        raise NotAuthentic(Fault.SCOPE, f"Credential should be scoped to correct service: '{service}'.")
    if scope.region != region:
        raise NotAuthentic(Fault.SCOPE, f"Credential should be scoped to a valid region, not '{scope.region}'.")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
