"""Which service, operation and protocol a request is meant for, found as AWS's own front ends find it.

The service is named by the credential scope, the X-Amz-Target header, the path of smithy-rpc-v2-cbor, the version in
a form or the host. Several services may share each of these names (`lambda` signs for four), so every candidate is
asked whether it knows the operation.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel.errors import AwsError
from lambent.wire import form
from lambent.wire.matcher import Matcher
from lambent.wire.scalars import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lambent.wire.errors import ErrorWriter
    from lambent.wire.http import HttpRequest
    from lambent.wire.models import Models


class Route(msgspec.Struct, frozen=True):
    """Where a request goes."""

    service: str
    operation: str
    protocol: str


class Unroutable(Exception):
    """No operation takes this request; `errors` writes `error` as the client's protocol wants it."""

    def __init__(self, error: AwsError, errors: ErrorWriter) -> None:
        super().__init__(str(error))
        self.error = error
        self.errors = errors


class Router:
    """Finds the operation of a request."""

    def __init__(self, models: Models, served: Iterable[str]) -> None:
        """`served` are the services that are built: they are asked first, without a look at other models."""
        self._models = models
        self._served = tuple(served)
        self._matchers: dict[str, Matcher] = {}

    @staticmethod
    def wants_body(http: HttpRequest) -> bool:
        """Whether the operation is named in the body, so that the body must be read before `find`."""
        return http.method == "POST" and http.header("content-type").startswith(form.CONTENT_TYPE)

    def find(self, http: HttpRequest, scope: str | None = None, body: bytes = b"") -> Route:
        """The operation of `http`; `scope` is the service in its signature's credential scope. Raises Unroutable."""
        asked = _Asked(http, scope, body if self.wants_body(http) else b"")
        named: str | None = None
        for service in self._named(asked):
            named = named or service
            if (found := self._find_in(service, asked)) is not None:
                return found
        if not asked.scope:
            for service in self._served:
                if (found := self._find_in(service, asked)) is not None:
                    return found
        raise self._unroutable(named, asked)

    def _named(self, asked: _Asked) -> Iterator[str]:
        """The services that the request names, those that are built first; one may come twice."""
        for service in self._served:
            if asked.names(self._models.head(service)):
                yield service
        if asked.scope:
            yield from self._models.by_signing_name(asked.scope)
        elif asked.prefix:
            yield from self._models.by_target(asked.prefix)
        elif asked.action:
            yield from self._models.by_version(asked.fields.get("Version", ""))
        else:
            yield from self._models.by_host(asked.host)

    def _find_in(self, service: str, asked: _Asked) -> Route | None:
        protocol = asked.protocol(self._models.protocols(service))
        if protocol is None:
            return None
        model = self._models.service(service)
        if protocol.startswith("rest"):
            if service not in self._matchers:
                self._matchers[service] = Matcher(model.operations.values())
            operation = self._matchers[service].find(asked.http)
            return None if operation is None else Route(service, operation, protocol)
        if asked.prefix and asked.prefix != model.metadata.get("targetPrefix"):
            return None
        return Route(service, asked.operation, protocol) if asked.operation in model.operations else None

    def _unroutable(self, service: str | None, asked: _Asked) -> Unroutable:
        if service is None:
            protocol = asked.protocol(_EVERY_PROTOCOL) or "rest-json"
            return Unroutable(_unknown(asked, protocol), self._models.foreign_errors(protocol))
        spoken = self._models.protocols(service)
        protocol = asked.protocol(spoken) or spoken[0]
        return Unroutable(_unknown(asked, protocol), self._models.dialect(service, protocol).errors)


class _Asked:
    """What a request says about where it wants to go."""

    def __init__(self, http: HttpRequest, scope: str | None, body: bytes) -> None:
        self.http = http
        self.scope = scope
        self.prefix, self.operation = "", ""
        self._cbor = _CBOR_PATH.search(http.path) if http.header("smithy-protocol") == "rpc-v2-cbor" else None
        self._target = http.header("x-amz-target")
        self.fields: Mapping[str, str] = {}
        if self._cbor:
            self.prefix, self.operation = self._cbor.groups()
        elif self._target:
            self.prefix, _, self.operation = self._target.rpartition(".")
        else:
            self.fields = _fields(http, body)
            self.operation = self.action

    @property
    def action(self) -> str:
        """The operation that a form names."""
        return self.fields.get("Action", "")

    @cached_property
    def host(self) -> str:
        """The first label of the host name: `lambda` in lambda.us-east-1.amazonaws.com."""
        return self.http.header("host").partition(":")[0].partition(".")[0]

    def names(self, head: Mapping[str, Any]) -> bool:
        """Whether the request names the service with this metadata."""
        if self.scope:
            return bool(self.scope == head.get("signingName", head["endpointPrefix"]))
        if self.prefix:
            return bool(self.prefix == head.get("targetPrefix"))
        if self.action:
            return bool(self.fields.get("Version") == head["apiVersion"])
        return bool(self.host == head["endpointPrefix"])

    def protocol(self, spoken: Iterable[str]) -> str | None:
        """The protocol of the request among those that a service speaks."""
        if self._cbor:
            wanted: tuple[str, ...] = ("smithy-rpc-v2-cbor",)
        elif self._target:
            wanted = ("json",)
        elif self.action:
            wanted = ("query", "ec2", "rest-json", "rest-xml")
        else:
            wanted = ("rest-json", "rest-xml")
        return next((protocol for protocol in wanted if protocol in spoken), None)


def _fields(http: HttpRequest, body: bytes) -> Mapping[str, str]:
    """The form in body and query; empty where there is none that can be read, and then there is no action in it."""
    if not body and "Action=" not in http.query:
        return {}
    try:
        return {**form.parse(http.query), **form.parse(body)}
    except Unreadable:
        return {}


def _unknown(asked: _Asked, protocol: str) -> AwsError:
    """AWS's error for an operation that does not exist."""
    match protocol:
        case "query" | "ec2" if not asked.action:
            return AwsError("MissingAction", "The request is missing an action or a required parameter.", status=400)
        case "query":
            version = asked.fields.get("Version", "")
            return AwsError(
                "InvalidAction", f"Could not find operation {asked.action} for version {version}", status=400
            )
        case "ec2":
            return AwsError(
                "InvalidAction", f"The action {asked.action} is not valid for this web service.", status=400
            )
        case "json":
            return AwsError("UnknownOperationException", f"The operation {asked.operation} is unknown.", status=400)
        case _:
            wanted = f"{asked.http.method} {asked.http.path}"
            return AwsError("UnknownOperationException", f"No operation answers {wanted[:200]}.", status=404)


_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)$")
_EVERY_PROTOCOL = ("smithy-rpc-v2-cbor", "json", "query", "rest-json")
