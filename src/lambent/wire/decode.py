"""Requests: an operation's input gathered from path, query, headers and body, as its protocol lays it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

from lambent.kernel import limits
from lambent.kernel.body import Body, WholeBody
from lambent.wire import form, json
from lambent.wire.scalars import Unreadable, read_base64, text_reader

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.wire.http import HttpRequest
    from lambent.wire.shapes import Operation, Shape

ReadRequest = Callable[["HttpRequest", "bytes | Body"], "Request"]
"""Raises Unreadable."""
Bind = Callable[["HttpRequest", "Request"], None]
"""Reads what a request carries outside its body."""


class Format(Protocol):
    """How bodies are read."""

    def reader(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[bytes], Any]:
        """Reads a body that holds `members` of `shape`."""

    def payload_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        """Reads a body that is one value of `shape`."""


def request_reader(operation: Operation, protocol: str, format_: Format | None) -> ReadRequest:
    """Compiles how `operation` is read in `protocol`; the form protocols need no `format_`."""
    if protocol in ("query", "ec2"):
        return _form(operation.input, ec2=protocol == "ec2")
    assert format_ is not None
    if protocol.startswith("rest"):
        return _rest(operation, format_)
    return _whole(operation.input, format_)


def streams(shape: Shape) -> bool:
    """Whether a member of the input is the raw body."""
    payload = shape.payload
    if payload is None:
        return False
    member = shape.members[payload]
    return member.has("eventstream") or (member.kind == "blob" and member.has("streaming"))


def _form(shape: Shape, *, ec2: bool) -> ReadRequest:
    read = form.reader(shape, ec2=ec2)

    def read_request(http: HttpRequest, body: bytes | Body) -> Request:
        return read({**form.parse(http.query), **form.parse(_whole_body(body))})

    return read_request


def _whole(shape: Shape, format_: Format) -> ReadRequest:
    read = format_.reader(shape, shape.members)

    def read_request(_http: HttpRequest, body: bytes | Body) -> Request:
        request: Request = read(_whole_body(body)) if body else {}
        return request

    return read_request


def _rest(operation: Operation, format_: Format) -> ReadRequest:
    shape = operation.input
    binds = [
        bind
        for bind in (_labels(operation), _query(operation), _headers(shape), _body_headers(shape))
        if bind is not None
    ]
    read_body = _rest_body(shape, format_)

    def read_request(http: HttpRequest, body: bytes | Body) -> Request:
        request = read_body(body)
        for bind in binds:
            bind(http, request)
        return request

    return read_request


def _rest_body(shape: Shape, format_: Format) -> Callable[[bytes | Body], Request]:
    payload = shape.payload
    if payload is None:
        members = shape.body_members
        if not members:
            return lambda _body: {}
        read = format_.reader(shape, members)
        return lambda body: read(_whole_body(body)) if body else {}
    member = shape.members[payload]
    if streams(shape):
        return lambda body: {payload: WholeBody(body) if isinstance(body, bytes) else body}
    if member.kind == "blob":
        return lambda body: {payload: body} if body else {}
    if member.kind == "string":
        return lambda body: {payload: _utf8(body)} if body else {}
    read_payload = format_.payload_reader(member)
    return lambda body: {payload: read_payload(_whole_body(body))} if body else {}


def _whole_body(body: bytes | Body) -> bytes:
    assert isinstance(body, bytes), "only an operation that streams its input is given a Body"
    return body


def _utf8(body: bytes | Body) -> str:
    try:
        return _whole_body(body).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("The body is not UTF-8") from error


def _labels(operation: Operation) -> Bind | None:
    members = {
        member.wire_name(name): (name, text_reader(member, "iso8601"))
        for name, member in operation.input.members.items()
        if member.location == "uri"
    }
    if not members:
        return None
    pattern = re.compile(template_pattern(operation.uri))
    readers = [members.get(label.rstrip("+")) for label in LABEL.findall(operation.uri)]

    def read_path(path: str) -> Request:
        found = pattern.fullmatch(path)
        if found is None:
            raise Unreadable("The path does not belong to this operation")
        values = zip(readers, found.groups(), strict=True)
        return {reader[0]: reader[1](_unquote(raw)) for reader, raw in values if reader is not None}

    read_known_path = lru_cache(limits.ROUTES_REMEMBERED)(read_path)

    def bind(http: HttpRequest, request: Request) -> None:
        path = http.path
        request.update((read_known_path if len(path) <= limits.ROUTE_REMEMBERED_LENGTH else read_path)(path))

    return bind


def template_pattern(uri: str) -> str:
    """The regular expression of the path in a URI template; one slash more or less at its end does not matter."""
    path = uri.partition("?")[0]
    pieces = LABEL.split(path)
    pattern = "".join(
        re.escape(piece) if number % 2 == 0 else ("(.+)" if piece.endswith("+") else "([^/]+)")
        for number, piece in enumerate(pieces)
    )
    if path.endswith("+}"):
        return pattern
    return f"{pattern.removesuffix('/')}/?"


def _unquote(raw: str) -> str:
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError as error:
        raise Unreadable("The path is not UTF-8") from error


def _query(operation: Operation) -> Bind | None:
    single: dict[str, tuple[str, Callable[[str], Any]]] = {}
    many: dict[str, tuple[str, Callable[[str], Any]]] = {}
    rest: tuple[str, bool] | None = None
    for name, member in operation.input.members.items():
        if member.location != "querystring":
            continue
        if member.kind == "map":
            rest = name, member.value.kind == "list"
        elif member.kind == "list":
            many[member.wire_name(name)] = name, text_reader(member.member, "iso8601")
        else:
            single[member.wire_name(name)] = name, text_reader(member, "iso8601")
    if not single and not many and rest is None:
        return None
    constants = {pair.partition("=")[0] for pair in operation.uri.partition("?")[2].split("&")}

    def bind(http: HttpRequest, request: Request) -> None:
        others: dict[str, list[str]] = {}
        for key, value in pairs(http.query):
            if key in single:
                name, read = single[key]
                request[name] = read(value)
            elif key in many:
                name, read = many[key]
                request.setdefault(name, []).append(read(value))
            if rest is not None and key not in constants:
                others.setdefault(key, []).append(value)
        if rest is not None and others:
            name, lists = rest
            request[name] = others if lists else {key: values[0] for key, values in others.items()}

    return bind


def pairs(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string. Raises Unreadable."""
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=limits.FORM_FIELDS)
    except ValueError as error:
        raise Unreadable("The query string contains a syntax error.") from error


def _headers(shape: Shape) -> Bind | None:
    readers = [
        (member.wire_name(name).lower(), name, _header_reader(member))
        for name, member in shape.members.items()
        if member.location == "header"
    ]
    if not readers:
        return None

    def bind(http: HttpRequest, request: Request) -> None:
        fields = http.fields
        for header, name, read in readers:
            if header in fields:
                request[name] = read(fields[header])

    return bind


def _header_reader(shape: Shape) -> Callable[[str], Any]:
    if shape.has("jsonvalue"):
        return lambda value: json.parse(read_base64(value))
    if shape.kind != "list":
        return text_reader(shape, "rfc822")
    read = text_reader(shape.member, "rfc822")
    if shape.member.kind == "timestamp" and shape.member.traits.get("timestampFormat", "rfc822") == "rfc822":
        return lambda value: [read(item) for item in _dates(value)]
    return lambda value: [read(item) for item in split_list(value)]


def split_list(value: str) -> list[str]:
    """The items of a header that is a list, with the quotes around an item removed."""
    items = []
    for quoted, plain in _ITEM.findall(value):
        items.append(_ESCAPED.sub(r"\1", quoted) if quoted else plain.strip())
    return [item for item in items if item]


def _dates(value: str) -> list[str]:
    """The dates of a header that is a list of them: each holds a comma of its own."""
    parts = [part for part in value.split(",") if part]
    return [f"{day},{rest}" for day, rest in zip(parts[::2], parts[1::2], strict=False)]


def _body_headers(shape: Shape) -> Bind | None:
    prefixes = [
        (member.wire_name(name).lower(), name) for name, member in shape.members.items() if member.location == "headers"
    ]
    if not prefixes:
        return None

    def bind(http: HttpRequest, request: Request) -> None:
        for prefix, name in prefixes:
            found = {key[len(prefix) :]: http.header(key) for key, _ in http.headers if key.startswith(prefix)}
            if found:
                request[name] = found

    return bind


LABEL = re.compile(r"\{([^{}]+)\}")
_ITEM = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)|([^,]+)')
_ESCAPED = re.compile(r"\\(.)")
