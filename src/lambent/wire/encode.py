"""Answers: an operation's output laid out in status, headers and body, as its protocol wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lambent.wire import json, xml
from lambent.wire.eventstream import CONTENT_TYPE as EVENT_STREAM
from lambent.wire.eventstream import EventWriter, initial_response
from lambent.wire.heads import BODYLESS
from lambent.wire.http import HttpResponse
from lambent.wire.scalars import text_writer, write_base64

if TYPE_CHECKING:
    from lambent.kernel.call import Response
    from lambent.wire.http import Headers
    from lambent.wire.overlay import Overlay
    from lambent.wire.shapes import Operation, Shape

WriteResponse = Callable[["Response", str], HttpResponse]
"""From the output and the request id."""


class Format(Protocol):
    """How bodies are written."""

    content_type: str

    def writer(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """Writes a body that holds `members` of `shape`."""

    def payload_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        """Writes a body that is one value of `shape`."""


def response_writer(operation: Operation, protocol: str, format_: Format | None, overlay: Overlay) -> WriteResponse:
    """Compiles how the output of `operation` is written in `protocol`; query and ec2 need no `format_`."""
    if protocol == "query":
        return _query(operation)
    if protocol == "ec2":
        return _ec2(operation)
    assert format_ is not None
    if protocol.startswith("rest"):
        return _rest(operation, format_, overlay)
    return _whole(operation, format_, protocol)


def identity(service: str, request_id: str) -> Headers:
    """The headers that name a request."""
    if service == "s3":
        return [("x-amz-request-id", request_id), ("x-amz-id-2", write_base64(request_id * 2))]
    return [("x-amzn-RequestId", request_id)]


def _whole(operation: Operation, format_: Format, protocol: str) -> WriteResponse:
    service, shape = operation.service.name, operation.output
    extra = [("smithy-protocol", "rpc-v2-cbor")] if protocol == "smithy-rpc-v2-cbor" else []
    if shape is not None and shape.event_stream is not None:
        return _event_stream(service, shape, shape.event_stream, format_, extra)
    write = None if shape is None else format_.writer(shape, shape.members)

    def write_response(output: Response, request_id: str) -> HttpResponse:
        headers = [("Content-Type", format_.content_type), *extra, *identity(service, request_id)]
        return HttpResponse(200, headers, b"" if write is None else write(output))

    return write_response


def _event_stream(service: str, shape: Shape, stream: str, format_: Format, extra: Headers) -> WriteResponse:
    """The RPC protocols send the other members of the output as the first event."""
    events = EventWriter(shape.members[stream], format_)
    write_first = format_.writer(shape, {name: member for name, member in shape.members.items() if name != stream})

    def write_response(output: Response, request_id: str) -> HttpResponse:
        others = {name: value for name, value in output.items() if name != stream}
        first = initial_response(write_first(others), format_.content_type)
        headers = [("Content-Type", EVENT_STREAM), *extra, *identity(service, request_id)]
        return HttpResponse(200, headers, events.frames(output[stream], first))

    return write_response


def _query(operation: Operation) -> WriteResponse:
    service, shape = operation.service, operation.output
    root = f"{operation.wire_name}Response"
    opening = f"<{root}{xml.default_namespace(service.metadata.get('xmlNamespace', ''))}>"
    result = "" if shape is None else shape.traits.get("resultWrapper", f"{operation.wire_name}Result")
    write = None if shape is None else xml.Writer(legacy=True).members(shape, shape.members)

    def write_response(output: Response, request_id: str) -> HttpResponse:
        pieces = [opening]
        if write is not None:
            pieces.append(f"<{result}>")
            write(output, pieces.append)
            pieces.append(f"</{result}>")
        pieces.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{root}>")
        return HttpResponse(200, [XML, *identity(service.name, request_id)], "".join(pieces).encode())

    return write_response


def _ec2(operation: Operation) -> WriteResponse:
    service, shape = operation.service, operation.output
    root = f"{operation.wire_name}Response"
    namespace = service.metadata.get("xmlNamespace", "").rstrip("/") + "/"
    opening = f"{xml.DECLARATION}<{root}{xml.default_namespace(namespace)}>"
    write = None if shape is None else xml.Writer(legacy=False).members(shape, shape.members)

    def write_response(output: Response, request_id: str) -> HttpResponse:
        pieces = [opening, f"<requestId>{request_id}</requestId>"]
        if write is not None:
            write(output, pieces.append)
        pieces.append(f"</{root}>")
        return HttpResponse(200, [EC2_XML, *identity(service.name, request_id)], "".join(pieces).encode())

    return write_response


def _rest(operation: Operation, format_: Format, overlay: Overlay) -> WriteResponse:
    service, shape = operation.service.name, operation.output
    status = overlay.statuses.get(operation.name, operation.status)
    if shape is None:
        return lambda _output, request_id: HttpResponse(status, identity(service, request_id))
    outside = shape.outside
    status_member = next((name for name, member in outside.items() if member.location == "statusCode"), None)
    write_headers = header_writer(outside)
    write_body, content_type = _rest_body(shape, format_)
    content_type = overlay.payload_types.get(operation.name, content_type)
    names_its_type = any(
        member.location == "headers" or member.wire_name(name).lower() == "content-type"
        for name, member in outside.items()
    )

    def write_response(output: Response, request_id: str) -> HttpResponse:
        code = status if status_member is None else output.get(status_member) or status
        headers = write_headers(output)
        headers += identity(service, request_id)
        body = write_body(output) if code not in BODYLESS else b""
        typed = names_its_type and any(name.lower() == "content-type" for name, _ in headers)
        if typed and content_type == EVENT_STREAM:
            headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
            typed = False
        if body and content_type and not typed:
            headers.append(("Content-Type", content_type))
        return HttpResponse(code, headers, body)

    return write_response


def _rest_body(shape: Shape, format_: Format) -> tuple[Callable[[Response], bytes | AsyncIterator[bytes]], str]:
    payload = shape.payload
    if payload is None:
        outside = shape.outside
        members = {name: member for name, member in shape.members.items() if name not in outside}
        if not members and not isinstance(format_, json.JsonFormat):
            return lambda _output: b"", ""
        write = format_.writer(shape, members)

        def write_body(output: Response) -> bytes:
            return write({name: value for name, value in output.items() if name not in outside and value is not None})

        return write_body, format_.content_type
    member = shape.members[payload]
    if member.has("eventstream"):
        events = EventWriter(member, format_)
        return lambda output: events.frames(output[payload]), EVENT_STREAM
    if member.kind == "blob":
        return lambda output: output.get(payload) or b"", "application/octet-stream"
    if member.kind == "string":
        return lambda output: (output.get(payload) or "").encode(), "text/plain"
    write_payload = format_.payload_writer(member)
    return lambda output: b"" if output.get(payload) is None else write_payload(output[payload]), format_.content_type


def header_writer(members: Mapping[str, Shape]) -> Callable[[Mapping[str, Any]], Headers]:
    """Writes those of `members` that travel in headers."""
    single = [
        (name, member.wire_name(name), _header_text(member))
        for name, member in members.items()
        if member.location == "header"
    ]
    prefixed = [(name, member.wire_name("")) for name, member in members.items() if member.location == "headers"]

    def write(values: Mapping[str, Any]) -> Headers:
        headers = [
            (header, clean(convert(value)))
            for name, header, convert in single
            if (value := values.get(name)) is not None
        ]
        for name, prefix in prefixed:
            headers.extend((prefix + key, clean(value)) for key, value in (values.get(name) or {}).items())
        return headers

    return write


def clean(value: str) -> str:
    """A header's value with the characters removed that would end it."""
    return value.translate(_CONTROL)


def _header_text(shape: Shape) -> Callable[[Any], str]:
    if shape.has("jsonvalue"):
        return lambda value: write_base64(json.dump(value))
    if shape.kind != "list":
        return text_writer(shape, "rfc822")
    convert = text_writer(shape.member, "rfc822")
    quoted = shape.member.kind == "string"
    return lambda value: ", ".join(_item(convert(item)) if quoted else convert(item) for item in value)


def _item(text: str) -> str:
    if '"' in text or "," in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text


XML = ("Content-Type", "text/xml")
REST_XML = ("Content-Type", "application/xml")
EC2_XML = ("Content-Type", "text/xml;charset=UTF-8")
_CONTROL = {code: " " for code in (*range(32), 127) if code != 9}
