"""Targets that AWS or another program offers: events for queues, topics, event buses and buckets leave by HTTP.

urllib3 speaks it, on a few threads for each service (docs/decisions/0030-targets-elsewhere.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from lambent.kernel import limits
from lambent.kernel.targets import NO_ATTRIBUTES, Refused
from lambent.wire import sigv4
from lambent.wire.claims import ALGORITHM, Scope
from lambent.wire.http import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.kernel.arn import Arn
    from lambent.kernel.clock import Clock
    from lambent.kernel.settings import Elsewhere
    from lambent.kernel.targets import Attribute, Sender

_TRACE: Final = "x-amzn-trace-id"
"""Not signed: whatever stands between may change it."""
_PASSING: Final = ("Throttl", "TooManyRequests", "Unavailable", "InternalFailure", "InternalError", "SlowDown")
"""What the codes of errors begin or end with that pass."""


class Unreachable(Exception):
    """The service does not answer, or not now."""


class Parcel(NamedTuple):
    """An event with all that goes with it."""

    arn: Arn
    event: bytes
    trace: str
    attributes: Mapping[str, Attribute]


class Call(NamedTuple):
    """What a service is asked: a path below its endpoint, headers, and a body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ElsewhereTarget:
    """One service, in the place of ours, as `settings.elsewhere` names it."""

    ordered: Final = False
    """None of what may be a destination keeps an order."""

    def __init__(self, service: str, where: Elsewhere, region: str, clock: Clock) -> None:
        """`region` is that of whom an ARN names no region for, which is so for buckets."""
        self._service = service
        self._where = where
        self._origin = urlsplit(where.endpoint)
        self._region = region
        self._clock = clock
        self._threads = ThreadPoolExecutor(limits.ELSEWHERE_THREADS, f"elsewhere-{service}")

    async def deliver(
        self,
        arn: Arn,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,  # noqa: ARG002 the key is who asks there
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """Return once the service has taken the event. Raises Refused where it does not want it, Unreachable where it
        may later."""
        call = _CALLS[self._service](self._where.endpoint.rstrip("/"), Parcel(arn, event, trace, attributes))
        request = self._signed(call, arn.region or self._region)
        status, told = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request, call.body)
        _check(self._service, status, told)

    async def call(self, arn: Arn, event: bytes, trace: str = "", sender: Sender | None = None) -> bytes:  # noqa: ARG002
        """Raises Refused: nothing is answered here."""
        raise Refused(f"{arn} takes events and answers none")

    async def close(self) -> None:
        """Send nothing more; what is on its way has come to its end, or to that of its patience."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _signed(self, call: Call, region: str) -> HttpRequest:
        """The request with its Authorization.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        """
        moment, digest = sigv4.iso(self._clock.time()), hashlib.sha256(call.body).hexdigest()
        headers = call.headers | {"host": self._origin.netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
        http = HttpRequest(call.method, self._origin.path.rstrip("/") + call.path, "", list(headers.items()))
        signed = ";".join(sorted(headers.keys() - {_TRACE}))
        scope = Scope.of(self._where.access_key_id, moment[:8], region, self._service, signed)
        text = sigv4.string_to_sign(moment, scope.path, sigv4.canonical_request(http, scope, digest))
        signature = sigv4.sign(
            sigv4.signing_key(self._where.secret_access_key, moment[:8], region, self._service), text
        )
        credential = f"Credential={scope.access_key_id}/{scope.path}"
        proof = f"{ALGORITHM} {credential}, SignedHeaders={signed}, Signature={signature}"
        http.headers.append(("authorization", proof))
        return http

    def _ask(self, http: HttpRequest, body: bytes) -> tuple[int, bytes]:
        """The status and the beginning of the answer. Raises Unreachable."""
        from urllib3 import Timeout, connection_from_url  # most servers send nothing elsewhere
        from urllib3.exceptions import HTTPError

        patience = Timeout(connect=limits.ELSEWHERE_CONNECT_S, read=limits.ELSEWHERE_ANSWER_S)
        try:
            with connection_from_url(f"{self._origin.scheme}://{self._origin.netloc}", timeout=patience) as pool:
                answer = pool.urlopen(
                    http.method,
                    http.path,
                    body,
                    dict(http.headers),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                return answer.status, answer.read(limits.ELSEWHERE_TOLD_BYTES)
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{self._service} at {self._where.endpoint}: {error}") from error


def _check(service: str, status: int, told: bytes) -> None:
    """Raise unless the answer says that the event was taken."""
    text = told.decode("utf-8", "replace")
    if 200 <= status < 300 and not (service == "events" and _failed_entry(text)):
        return
    error = f"{service} answered {status}: {text}"
    if status >= 500 or status == 429 or any(word in text for word in _PASSING):
        raise Unreachable(error)
    raise Refused(error)


def _failed_entry(text: str) -> bool:
    """Whether PutEvents has not taken its entry, of which its answer tells with status 200."""
    try:
        return bool(json.loads(text).get("FailedEntryCount"))
    except (ValueError, AttributeError):
        return True


def _to_queue(endpoint: str, parcel: Parcel) -> Call:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
    message: dict[str, Any] = {
        "QueueUrl": f"{endpoint}/{parcel.arn.account}/{parcel.arn.resource}",
        "MessageBody": parcel.event.decode(),
    }
    if parcel.attributes:
        message["MessageAttributes"] = {
            name: {"DataType": told.kind, "StringValue": told.value} for name, told in parcel.attributes.items()
        }
    if parcel.trace:
        message["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": parcel.trace}}
    return _json_call("AmazonSQS.SendMessage", "1.0", message)


def _to_topic(_: str, parcel: Parcel) -> Call:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    form = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": str(parcel.arn),
        "Message": parcel.event.decode(),
    }
    for number, (name, told) in enumerate(parcel.attributes.items(), start=1):
        entry = f"MessageAttributes.entry.{number}"
        form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": told.kind, f"{entry}.Value.StringValue": told.value}
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return Call("POST", "/", headers | _traced(parcel.trace), urlencode(form).encode())


def _to_bus(_: str, parcel: Parcel) -> Call:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
    entry = json.loads(parcel.event)
    if parcel.trace:
        entry["TraceHeader"] = parcel.trace
    return _json_call("AWSEvents.PutEvents", "1.1", {"Entries": [entry]})


def _to_bucket(_: str, parcel: Parcel) -> Call:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    path = f"/{quote(parcel.arn.resource, safe='~')}/{quote(parcel.attributes['Key'].value, safe='/~')}"
    return Call("PUT", path, {"content-type": "application/json"} | _traced(parcel.trace), parcel.event)


def _json_call(target: str, version: str, members: dict[str, Any]) -> Call:
    headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
    return Call("POST", "/", headers, json.dumps(members).encode())


def _traced(trace: str) -> dict[str, str]:
    return {_TRACE: trace} if trace else {}


_CALLS: Final[dict[str, Callable[[str, Parcel], Call]]] = {
    "events": _to_bus,
    "s3": _to_bucket,
    "sns": _to_topic,
    "sqs": _to_queue,
}
