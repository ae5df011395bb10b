"""Errors on the wire: the status, type header and body that each protocol gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambent.wire import cbor, json, xml
from lambent.wire.encode import EC2_XML, REST_XML, XML, clean, header_writer, identity
from lambent.wire.http import HttpResponse
from lambent.wire.shapes import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.kernel.errors import AwsError
    from lambent.wire.http import Headers
    from lambent.wire.overlay import Overlay
    from lambent.wire.shapes import ServiceModel, Shape


class ErrorWriter:
    """Writes the errors of one service in one protocol."""

    def __init__(self, model: ServiceModel, protocol: str, overlay: Overlay) -> None:
        self._model = model
        self._protocol = protocol
        self._overlay = overlay
        self._known: dict[str, _KnownError] = {}

    def write(self, error: AwsError, request_id: str) -> HttpResponse:
        """The response that a client of the protocol reads as `error`."""
        shape = self._model.errors.get(error.code)
        known = self._known.get(error.code)
        if known is None:
            known = _KnownError(self._model, self._protocol, shape, error.code, self._overlay)
            if shape is not None:
                self._known[error.code] = known
        return _WRITERS[self._protocol](known, error, request_id)


class _KnownError:
    """What the model and the overlay say about one error."""

    def __init__(self, model: ServiceModel, protocol: str, shape: Shape | None, code: str, overlay: Overlay) -> None:
        self.service = model.name
        self.model = model
        self.shape = shape or EMPTY
        self.name = shape.name if shape else code
        self.code = shape.error_code if shape else code
        self._status = overlay.error_statuses.get(self.name) or _modelled_status(
            self.shape, former=model.query_compatible and protocol != "query"
        )
        self._typed = overlay.error_type and "Type" in self.shape.members
        self.message_member = "Message" if "Message" in self.shape.members else "message"
        self.members = {
            name: member
            for name, member in self.shape.members.items()
            if name not in self.shape.outside and name != self.message_member
        }
        self.write_headers = header_writer(self.shape.members)

    def status(self, error: AwsError) -> int:
        return error.status or self._status or 400

    def sender(self, error: AwsError) -> bool:
        return self.status(error) < 500

    def values(self, error: AwsError) -> dict[str, Any]:
        """The members besides the message that travel in the body."""
        given = {name: value for name, value in error.members.items() if self._in_body(name)}
        if self._typed:
            given = {"Type": "User" if self.sender(error) else "Service", **given}
        return {name: value for name, value in given.items() if value is not None}

    def headers(self, error: AwsError, request_id: str) -> Headers:
        return [*self.write_headers(error.members), *identity(self.service, request_id)]

    def _in_body(self, name: str) -> bool:
        return name not in self.shape.outside


def _modelled_status(shape: Shape, *, former: bool) -> int | None:
    """The status in the model; it is that of the `former` protocol where a service now speaks another one besides."""
    status: int | None = shape.traits.get("error", {}).get("httpStatusCode")
    if status is None or (former and status < 500):
        return 500 if shape.has("fault") else None
    return status


def _split(known: _KnownError, error: AwsError) -> tuple[dict[str, Any], dict[str, Any]]:
    """The members of the body that the shape has, and those that it has not."""
    values = known.values(error)
    return (
        {name: value for name, value in values.items() if name in known.members},
        {name: value for name, value in values.items() if name not in known.members},
    )


def _json(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    version = known.model.metadata.get("jsonVersion", "1.1")
    headers = [
        ("Content-Type", f"application/x-amz-json-{version}"),
        ("x-amzn-ErrorType", clean(known.name)),
        *_query_error(known, error),
        *known.headers(error, request_id),
    ]
    tree = {"__type": known.name, **_tree(known, error, json.JsonFormat())}
    return HttpResponse(known.status(error), headers, json.dump(tree))


def _cbor(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    headers = [
        ("Content-Type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        *_query_error(known, error),
        *known.headers(error, request_id),
    ]
    tree = {"__type": known.name, **_tree(known, error, cbor.CborFormat())}
    return HttpResponse(known.status(error), headers, cbor.dump(tree))


def _rest_json(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    headers = [
        ("Content-Type", "application/json"),
        ("x-amzn-ErrorType", clean(known.name)),
        *known.headers(error, request_id),
    ]
    return HttpResponse(known.status(error), headers, json.dump(_tree(known, error, json.JsonFormat())))


def _tree(known: _KnownError, error: AwsError, format_: json.JsonFormat | cbor.CborFormat) -> dict[str, Any]:
    modelled, others = _split(known, error)
    tree: dict[str, Any] = format_.tree_writer(known.shape, known.members)(modelled)
    message = {known.message_member: error.message} if error.message else {}
    return {**tree, **others, **message}


def _query_error(known: _KnownError, error: AwsError) -> Headers:
    """The header by which clients of a service that once spoke query still learn the old code."""
    if not known.model.query_compatible or known.code == known.name:
        return []
    fault = "Sender" if known.sender(error) else "Receiver"
    return [("x-amzn-query-error", clean(f"{known.code};{fault}"))]


def _query(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    return _xml(known, error, request_id, _error_response(known, error, request_id), XML)


def _error_response(known: _KnownError, error: AwsError, request_id: str) -> str:
    namespace = xml.default_namespace(known.model.metadata.get("xmlNamespace", ""))
    return (
        f"<ErrorResponse{namespace}><Error><Type>{_fault(known, error)}</Type>{_details(known, error)}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _ec2(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    body = (
        f"{xml.DECLARATION}<Response><Errors><Error>{_details(known, error)}</Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )
    return _xml(known, error, request_id, body, EC2_XML)


def _rest_xml(known: _KnownError, error: AwsError, request_id: str) -> HttpResponse:
    if known.service != "s3":
        return _xml(known, error, request_id, _error_response(known, error, request_id), REST_XML)
    host = dict(identity("s3", request_id))["x-amz-id-2"]
    body = (
        f"{xml.DECLARATION}<Error>{_details(known, error)}"
        f"<RequestId>{request_id}</RequestId><HostId>{host}</HostId></Error>"
    )
    return _xml(known, error, request_id, body, REST_XML)


def _xml(
    known: _KnownError, error: AwsError, request_id: str, body: str, content_type: tuple[str, str]
) -> HttpResponse:
    return HttpResponse(known.status(error), [content_type, *known.headers(error, request_id)], body.encode())


def _fault(known: _KnownError, error: AwsError) -> str:
    return "Sender" if known.sender(error) else "Receiver"


def _details(known: _KnownError, error: AwsError) -> str:
    modelled, others = _split(known, error)
    pieces = [f"<Code>{xml.text(known.code)}</Code>"]
    if error.message:
        pieces.append(f"<Message>{xml.text(error.message)}</Message>")
    xml.Writer(legacy=False).members(known.shape, known.members)(modelled, pieces.append)
    pieces.extend(f"<{name}>{xml.text(str(value))}</{name}>" for name, value in others.items())
    return "".join(pieces)


_WRITERS: Mapping[str, Callable[[_KnownError, AwsError, str], HttpResponse]] = {
    "json": _json,
    "smithy-rpc-v2-cbor": _cbor,
    "rest-json": _rest_json,
    "query": _query,
    "ec2": _ec2,
    "rest-xml": _rest_xml,
}
