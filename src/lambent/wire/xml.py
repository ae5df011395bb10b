"""XML bodies: read for rest-xml, written for rest-xml, query and ec2."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from lambent.kernel import limits
from lambent.wire.scalars import Unreadable, text_reader, text_writer

if TYPE_CHECKING:
    from lambent.wire.shapes import Shape

Read = Callable[[Element], Any]
Slots = list[tuple[str, str, Callable[[list[Element]], Any]]]
"""The tag of a member, its name, and the reader of the elements that have the tag."""
Attributes = list[tuple[str, str, Callable[[str], Any]]]
Write = Callable[[Any, Callable[[str], None]], None]
"""Writes a value as text, piece by piece, to the function given."""


class XmlFormat:
    """Compiles readers and writers of the XML bodies of rest-xml; structures are compiled once per service."""

    content_type = "application/xml"

    def __init__(self, namespace: str = "") -> None:
        self._namespace = namespace
        self._reader = Reader()
        self._writer = Writer(legacy=False)

    def reader(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[bytes], Any]:  # noqa: ARG002 of the seam
        """Reads a body that holds `members` of `shape`. Raises Unreadable."""
        read = self._reader.body(members)
        return lambda body: read(parse(body))

    def payload_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        """Reads a body that is one value of `shape`. Raises Unreadable."""
        read = self._reader.value(shape)
        return lambda body: read(parse(body))

    def writer(self, shape: Shape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """Writes a body that holds `members` of `shape`."""
        write = self._writer.body(shape, members, namespace=self._namespace)
        return lambda value: dump(write, value)

    def payload_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        """Writes a body that is one value of `shape`."""
        write = self._writer.element(shape, shape.wire_name(shape.name), namespace=self._namespace)
        return lambda value: dump(write, value)


def parse(body: bytes) -> Element:
    """The root element of an XML text. Raises Unreadable."""
    parser = DefusedXMLParser(target=_BoundedBuilder(), forbid_dtd=True)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Unreadable("The XML is not well-formed") from error
    return root


def dump(write: Write, value: Any) -> bytes:
    """The whole XML text of `value`."""
    pieces = [DECLARATION]
    write(value, pieces.append)
    return "".join(pieces).encode()


class _BoundedBuilder(TreeBuilder):
    """Builds elements no deeper than limits.NESTING_DEPTH."""

    _depth = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Element:
        self._depth += 1
        if self._depth > limits.NESTING_DEPTH:
            raise Unreadable(f"Nesting is deeper than {limits.NESTING_DEPTH} levels")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


class Reader:
    """Compiles shapes into functions from elements to an operation's input."""

    def __init__(self) -> None:
        self._structures: dict[str, Read] = {}

    def body(self, members: Mapping[str, Shape]) -> Read:
        """Reads an element that holds `members`."""
        slots: Slots = []
        attributes: Attributes = []
        self._fill(slots, attributes, members)
        return _structure_reader(slots, attributes)

    def value(self, shape: Shape) -> Read:
        """Reads an element that is the value of `shape`."""
        match shape.kind:
            case "structure":
                return self._known_structure(shape)
            case "list":
                return _list_reader(self.value(shape.member), shape.member.wire_name("member"))
            case "map":
                read_entries = self._entries(shape)
                return lambda element: read_entries(_named(element, "entry"))
            case _:
                convert = text_reader(shape, "iso8601")
                return lambda element: convert(element.text or "")

    def _known_structure(self, shape: Shape) -> Read:
        known = self._structures.get(shape.name)
        if known is None:
            slots: Slots = []
            attributes: Attributes = []
            known = self._structures[shape.name] = _structure_reader(slots, attributes)
            self._fill(slots, attributes, shape.members)
        return known

    def _fill(
        self,
        slots: Slots,
        attributes: Attributes,
        members: Mapping[str, Shape],
    ) -> None:
        for name, member in members.items():
            wire_name = member.wire_name(name)
            if member.has("xmlAttribute"):
                attributes.append((wire_name.rpartition(":")[2], name, text_reader(member, "iso8601")))
            elif member.kind == "list" and member.has("flattened"):
                slots.append((wire_name, name, _each(self.value(member.member))))
            elif member.kind == "map" and member.has("flattened"):
                slots.append((wire_name, name, self._entries(member)))
            else:
                slots.append((wire_name, name, _last(self.value(member))))

    def _entries(self, shape: Shape) -> Callable[[list[Element]], Any]:
        key_name, read_key = shape.key.wire_name("key"), self.value(shape.key)
        value_name, read_value = shape.value.wire_name("value"), self.value(shape.value)

        def read(entries: list[Element]) -> dict[str, Any]:
            found = {}
            for entry in entries:
                keys, values = _named(entry, key_name), _named(entry, value_name)
                if not keys:
                    raise Unreadable("Map entry has no key")
                found[read_key(keys[-1])] = read_value(values[-1]) if values else None
            return found

        return read


def _structure_reader(
    slots: Slots,
    attributes: Attributes,
) -> Read:
    def read(element: Element) -> dict[str, Any]:
        children: dict[str, list[Element]] = {}
        for child in element:
            children.setdefault(_local(child.tag), []).append(child)
        found = {name: convert(children[tag]) for tag, name, convert in slots if tag in children}
        if attributes:
            given = {_local(key): value for key, value in element.attrib.items()}
            found |= {name: convert(given[key]) for key, name, convert in attributes if key in given}
        return found

    return read


def _list_reader(convert: Read, tag: str) -> Read:
    return lambda element: [convert(child) for child in _named(element, tag)]


def _each(convert: Read) -> Callable[[list[Element]], Any]:
    return lambda elements: [convert(element) for element in elements]


def _last(convert: Read) -> Callable[[list[Element]], Any]:
    return lambda elements: convert(elements[-1])


def _named(element: Element, tag: str) -> list[Element]:
    return [child for child in element if _local(child.tag) == tag]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class Writer:
    """Compiles shapes into functions from an operation's output to XML text."""

    def __init__(self, *, legacy: bool) -> None:
        """The protocol query is `legacy`: it may name the elements of a flattened list after the list's member."""
        self._legacy = legacy
        self._structures: dict[str, Write] = {}

    def members(self, shape: Shape, members: Mapping[str, Shape]) -> Write:
        """Writes the elements of `members`, without an element around them."""
        table: dict[str, Write] = {}
        self._fill(table, members)
        return _members_writer(shape.name, table)

    def body(self, shape: Shape, members: Mapping[str, Shape], *, namespace: str) -> Write:
        """Writes the root element of `shape`, reduced to `members`."""
        tag = shape.wire_name(shape.name)
        return _wrapped(_opening(shape, tag, namespace), tag, self.members(shape, members), _attributes(shape))

    def element(self, shape: Shape, tag: str, *, namespace: str = "") -> Write:
        """Writes a value of `shape` as the element `tag`; `namespace` stands where the shape has none of its own."""
        opening = _opening(shape, tag, namespace)
        match shape.kind:
            case "structure":
                return _wrapped(opening, tag, self._known_structure(shape), _attributes(shape))
            case "list":
                return _wrapped(opening, tag, self._items(shape.member, shape.member.wire_name("member")))
            case "map":
                return _wrapped(opening, tag, self._entries(shape, "entry", ""))
            case _:
                convert = text_writer(shape, "iso8601")
                return lambda value, put: put(f"<{opening}>{text(convert(value))}</{tag}>")

    def _known_structure(self, shape: Shape) -> Write:
        known = self._structures.get(shape.name)
        if known is None:
            table: dict[str, Write] = {}
            known = self._structures[shape.name] = _members_writer(shape.name, table)
            self._fill(table, shape.members)
        return known

    def _fill(self, table: dict[str, Write], members: Mapping[str, Shape]) -> None:
        for name, member in members.items():
            tag = member.wire_name(name)
            if member.has("xmlAttribute"):
                table[name] = _nothing
            elif member.kind == "list" and member.has("flattened"):
                table[name] = self._items(member.member, member.flat_name(name) if self._legacy else tag)
            elif member.kind == "map" and member.has("flattened"):
                table[name] = self._entries(member, tag, _namespace(member))
            else:
                table[name] = self.element(member, tag)

    def _items(self, member: Shape, tag: str) -> Write:
        write_item = self.element(member, tag)

        def write(value: Any, put: Callable[[str], None]) -> None:
            for item in value:
                if item is not None:
                    write_item(item, put)

        return write

    def _entries(self, shape: Shape, tag: str, namespace: str) -> Write:
        write_key = self.element(shape.key, shape.key.wire_name("key"))
        write_value = self.element(shape.value, shape.value.wire_name("value"))

        def write(value: Any, put: Callable[[str], None]) -> None:
            for key, item in value.items():
                if item is not None:
                    put(f"<{tag}{namespace}>")
                    write_key(key, put)
                    write_value(item, put)
                    put(f"</{tag}>")

        return write


def _members_writer(structure: str, table: Mapping[str, Write]) -> Write:
    def write(value: Any, put: Callable[[str], None]) -> None:
        for name, item in value.items():
            if item is not None:
                try:
                    write_member = table[name]
                except KeyError:
                    raise ValueError(f"{structure} has no member {name}") from None
                write_member(item, put)

    return write


def _wrapped(
    opening: str, tag: str, write_inside: Write, attributes: list[tuple[str, str, Callable[[Any], str]]] | None = None
) -> Write:
    def write(value: Any, put: Callable[[str], None]) -> None:
        given = [
            f" {wire_name}={quoted(convert(value[name]))}"
            for wire_name, name, convert in attributes or ()
            if value.get(name) is not None
        ]
        put(f"<{opening}{''.join(given)}>")
        write_inside(value, put)
        put(f"</{tag}>")

    return write


def _attributes(shape: Shape) -> list[tuple[str, str, Callable[[Any], str]]]:
    return [
        (member.wire_name(name), name, text_writer(member, "iso8601"))
        for name, member in shape.members.items()
        if member.has("xmlAttribute")
    ]


def _nothing(_value: Any, _put: Callable[[str], None]) -> None:
    """An attribute has been written with its element's opening."""


def _opening(shape: Shape, tag: str, namespace: str) -> str:
    return tag + (_namespace(shape) or default_namespace(namespace))


def default_namespace(uri: str) -> str:
    """The attribute that puts an element and what it holds into a namespace; nothing where there is none."""
    return f" xmlns={quoted(uri)}" if uri else ""


def _namespace(shape: Shape) -> str:
    namespace = shape.traits.get("xmlNamespace")
    if not namespace:
        return ""
    if isinstance(namespace, str):
        return f" xmlns={quoted(namespace)}"
    prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
    return f" xmlns{prefix}={quoted(namespace['uri'])}"


def quoted(value: str) -> str:
    """`value` as the value of an attribute, with its quotes."""
    return '"' + text(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") + '"'


def text(value: str) -> str:
    """`value` as the text of an element; characters that XML cannot carry are replaced."""
    return html.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value), quote=False).replace("\r", "&#13;")


DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
