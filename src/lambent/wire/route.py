"""Which service, operation and protocol a request is meant for, found as AWS's own front ends find it.

The service is named by the credential scope, the X-Amz-Target header, the path of smithy-rpc-v2-cbor, the version in
a form or the host. Several services may share each of these names (`lambda` signs for four), so every candidate is
asked whether it knows the operation.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError, not_built
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
    """No operation takes this request; `errors` writes `error` as the client's `protocol` wants it."""

    def __init__(
        self, error: AwsError, errors: ErrorWriter, service: str, protocol: str, *, by_path: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.errors = errors
        self.service = service
        self.protocol = protocol
        self.by_path = by_path
        """Whether `service` is not built and only its model could tell the operation from the path."""


class Router:
    """Finds the operation of a request."""

    def __init__(self, models: Models, served: Iterable[str]) -> None:
        """`served` are the services that are built. `find` never reads the models of others: anybody may name one."""
        self._models = models
        self._foreign_matcher = lru_cache(limits.FOREIGN_MODELS_KEPT)(self._read_foreign)
        self._served = tuple(served)
        self._matchers: dict[str, Matcher] = {}
        self._known: dict[tuple[str, str, str], Route] = {}

    @property
    def remembered(self) -> int:
        """Paths whose operations are remembered."""
        return len(self._known)

    @staticmethod
    def wants_body(http: HttpRequest) -> bool:
        """Whether the operation is named in the body, so that the body must be read before `find`."""
        return http.method == "POST" and http.fields.get("content-type", "").startswith(form.CONTENT_TYPE)

    def find(self, http: HttpRequest, scope: str | None = None, body: bytes = b"") -> Route:
        """The operation of `http`; `scope` is the service in its signature's credential scope. Raises Unroutable."""
        if not scope or http.query or body or not _NAMING.isdisjoint(http.fields):
            return self._search(_Asked(http, scope, body if self.wants_body(http) else b""))
        key = (scope, http.method, http.path)
        route = self._known.get(key)
        if route is None:
            asked = _Asked(http, scope, b"")
            route = self._search(asked)
            if asked.by_path and len(http.path) <= limits.ROUTE_REMEMBERED_LENGTH:
                if len(self._known) >= limits.ROUTES_REMEMBERED:
                    del self._known[next(iter(self._known))]
                self._known[key] = route
        return route

    def foreign_operation(self, service: str, http: HttpRequest) -> str | None:
        """The REST operation of a service that is not built. It reads the model, which may take a tenth of a second."""
        return self._foreign_matcher(service).find(http)[0]

    def _read_foreign(self, service: str) -> Matcher:
        return Matcher(self._models.read(service).operations.values())

    def _search(self, asked: _Asked) -> Route:
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
        """The services that the request names among those that are built."""
        return (service for service in self._served if asked.names(self._models.head(service)))

    def _foreign(self, asked: _Asked) -> str | None:
        """The service that the request names and that is not built: the one whose target or version fits, if any."""
        if asked.scope:
            named = self._models.by_signing_name(asked.scope)
        elif asked.prefix:
            named = self._models.by_target(asked.prefix)
        elif asked.action:
            named = self._models.by_version(asked.fields.get("Version", ""))
        else:
            named = self._models.by_host(asked.host)
        foreign = [name for name in named if name not in self._served]
        return next((name for name in foreign if asked.fits(self._models.head(name))), None)

    def _find_in(self, service: str, asked: _Asked) -> Route | None:
        protocol = asked.protocol(self._models.protocols(service))
        if protocol is None:
            return None
        model = self._models.service(service)
        if protocol.startswith("rest"):
            if service not in self._matchers:
                self._matchers[service] = Matcher(model.operations.values())
            operation, certain = self._matchers[service].find(asked.http)
            asked.by_path = asked.by_path and certain
            return None if operation is None else Route(service, operation, protocol)
        if asked.prefix and asked.prefix != model.metadata.get("targetPrefix"):
            return None
        return Route(service, asked.operation, protocol) if asked.operation in model.operations else None

    def _unroutable(self, service: str | None, asked: _Asked) -> Unroutable:
        foreign = self._foreign(asked) if service is None or asked.prefix or asked.action else None
        if foreign is not None:
            spoken = self._models.protocols(foreign)
            protocol = asked.protocol(spoken) or spoken[0]
            operation = asked.operation if _OPERATION.fullmatch(asked.operation) else None
            errors = self._models.foreign_errors(protocol, foreign)
            by_path = operation is None and protocol.startswith("rest")
            return Unroutable(not_built(foreign, operation), errors, foreign, protocol, by_path=by_path)
        if service is None:
            protocol = asked.protocol(_EVERY_PROTOCOL) or "rest-json"
            return Unroutable(_unknown(asked, protocol), self._models.foreign_errors(protocol), "", protocol)
        spoken = self._models.protocols(service)
        protocol = asked.protocol(spoken) or spoken[0]
        return Unroutable(_unknown(asked, protocol), self._models.dialect(service, protocol).errors, service, protocol)


class _Asked:
    """What a request says about where it wants to go."""

    def __init__(self, http: HttpRequest, scope: str | None, body: bytes) -> None:
        self.http = http
        self.scope = scope
        self.by_path = True
        """Whether nothing but scope, method and path has been looked at."""
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

    def fits(self, head: Mapping[str, Any]) -> bool:
        """Whether the target or the version is that of the service with this metadata, where the request has one."""
        if self.prefix:
            return bool(self.prefix == head.get("targetPrefix"))
        return not self.action or bool(self.fields.get("Version") == head["apiVersion"])

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


_NAMING = frozenset({"smithy-protocol", "x-amz-target"})
_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)$")
_OPERATION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_EVERY_PROTOCOL = ("smithy-rpc-v2-cbor", "json", "query", "rest-json")
