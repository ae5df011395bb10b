"""The door of function URLs: from a web request to an invocation, and back to a web answer.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lambent.kernel import limits
from lambent.kernel.access import Requester
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.doors import Reply
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors, running
from lambent.services.lambda_.access import permits
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.errors import durable
from lambent.services.lambda_.errors import urls as url_errors
from lambent.services.lambda_.rules import durable_answers, traces, url_answers, url_cors, url_events
from lambent.services.lambda_.rules.url_answers import Malformed
from lambent.services.lambda_.rules.url_events import Received
from lambent.services.lambda_.rules.urls import KIND
from lambent.services.lambda_.urls import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.function import FunctionVersion
    from lambent.kernel.doors import Address, Caller, Visit
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.urls import FunctionUrl

T = TypeVar("T")

log = logging.getLogger(__name__)

_LIMIT = limits.INVOKE_REQUEST_BYTES

_ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
"""What everybody who uses a URL does. https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"""


class UrlDoor:
    """Answers at every function URL of the installation: a `kernel.doors.Door`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def answer(self, address: Address, visit: Visit) -> Reply:
        """The function's answer, or AWS's where it does not come to that."""
        fields = dict(visit.headers)
        trace = url_events.trace_of(fields) or f"Root={traces.new_root(self._parts.ids, self._parts.clock.time())}"
        url = await self._parts.urls.find(address.name)
        if url is None or address.region not in (None, url.region):
            reply = _refused(url_errors.unknown())
        else:
            reply = await self._of(url, visit, fields, trace)
        identity = [("x-amzn-RequestId", visit.request_id), ("X-Amzn-Trace-Id", f"{trace};Sampled=0")]
        return Reply(reply.status, [*reply.headers, *identity], reply.body)

    async def _of(self, url: FunctionUrl, visit: Visit, fields: Mapping[str, str], trace: str) -> Reply:
        preflight = url_cors.preflight(url.cors, visit.method, fields)
        if preflight is not None:
            return preflight
        try:
            reply = await self._invoked(url, visit, fields, trace)
        except BodyTooLarge:
            reply = _refused(url_errors.said(errors.payload_too_large()))
        except AwsError as error:
            reply = _refused(url_errors.said(error))
        except Malformed as failure:
            log.info("the URL of %s answers 502, request %s: %.200s", url.arn, visit.request_id, failure)
            reply = _refused(None)
        return Reply(reply.status, [*reply.headers, *url_cors.added(url.cors, fields)], reply.body)

    async def _invoked(self, url: FunctionUrl, visit: Visit, fields: Mapping[str, str], trace: str) -> Reply:
        """What the function answers. Raises BodyTooLarge, AwsError, and Malformed for all failures of the function."""
        caller = await self._admitted(url, visit)
        event = await self._event(url, visit, fields, caller, trace)
        version = await running.resolve(self._parts, url.key, url.alias)
        if version.durable:
            returned = await self._lasting(url, version, event, trace)
            return await _aside(len(returned), lambda: url_answers.whole(returned))
        outcome = await running.invoke(
            self._parts,
            version,
            request_id=visit.request_id,
            payload=event,
            invoked_arn=url.arn,
            streaming=url.streams,
            trace=trace,
        )
        if outcome.stream is not None:
            return await streams.opened(outcome.stream)
        if outcome.error is not None:
            raise Malformed(outcome.error)
        if url.streams:
            return Reply(200, [("Content-Type", url_answers.JSON)], outcome.payload)
        return await _aside(len(outcome.payload), lambda: url_answers.whole(outcome.payload))

    async def _lasting(self, url: FunctionUrl, version: FunctionVersion, event: bytes, trace: str) -> bytes:
        """What a durable function returns when its execution has ended, which needs a URL that says which version."""
        if url.alias is None:
            raise durable.not_qualified()
        if url.streams:
            raise durable.not_streamed()
        begun = await starting.start(self._parts, version, event, name=None, waits=True, trace=trace)
        ended = await self._parts.executions.ended(begun.id)
        if ended.status != "SUCCEEDED":
            raise Malformed(ended.status)
        return durable_answers.returned(ended)

    async def _admitted(self, url: FunctionUrl, visit: Visit) -> Caller | None:
        """Who asks, where the URL wants to know. Raises AwsError for who may not, before their body is read."""
        caller = None
        if url.auth_type == "AWS_IAM":
            caller = await visit.caller("lambda", url.region, _LIMIT)
            if caller is None:
                raise url_errors.forbidden()
        requester = Requester(principal=None if caller is None else caller.principal)
        known = {"lambda:functionurlauthtype": url.auth_type, "lambda:invokedviafunctionurl": "true"}
        known |= {"aws:sourceip": visit.source} if visit.source else {}
        for action in _ACTIONS:
            if not await permits.may_invoke(self._parts, url.key, url.alias, requester, action, known):
                raise url_errors.forbidden()
        return caller

    async def _event(
        self, url: FunctionUrl, visit: Visit, fields: Mapping[str, str], caller: Caller | None, trace: str
    ) -> bytes:
        doors = self._parts.doors
        scheme, port = doors.front(fields.get("host", ""))
        received = Received(
            request_id=visit.request_id,
            name=url.name,
            domain=doors.host(KIND, url.name, url.region),
            scheme=scheme,
            port=port,
            method=visit.method,
            path=visit.path,
            query=visit.query,
            headers=visit.headers,
            source=visit.source,
            caller=caller,
            trace=trace,
            time=self._parts.clock.time(),
        )
        body = await visit.read(_LIMIT)
        event = await _aside(len(body), lambda: url_events.written(received, body))
        if len(event) > _LIMIT:
            raise BodyTooLarge(_LIMIT)
        return event


def _refused(error: AwsError | None) -> Reply:
    """An error as function URLs write it; those that are the URL's own spell their message. None is a failure of the
    function, of which nothing is told; that its time was up is one like any other, as AWS's users report:
    https://github.com/awslabs/route53-dynamic-dns-with-lambda/issues/56"""
    if error is None:
        return Reply(502, [("Content-Type", url_answers.JSON)], b"Internal Server Error")
    headers = [("Content-Type", url_answers.JSON), ("x-amzn-ErrorType", error.code)]
    members = error.members if "Message" in error.members else error.members | {"message": error.message}
    return Reply(error.status or 502, headers, msgspec.json.encode(members))


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Do `work` on `size` bytes; on a thread where they are so many that all other requests would wait for it."""
    return work() if size <= limits.LOOP_BYTES else await asyncio.to_thread(work)
