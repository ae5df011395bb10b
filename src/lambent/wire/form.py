"""Form bodies, `Filters.member.1.Name=x`, for the protocols query and ec2: read only, both answer in XML."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from lambent.kernel import limits
from lambent.wire.scalars import Unreadable, text_reader

if TYPE_CHECKING:
    from lambent.wire.shapes import Shape

CONTENT_TYPE = "application/x-www-form-urlencoded"
Node = dict[str, Any]
"""The keys of a form split at their dots: each name leads to the node below it, or under "" to its value."""
Read = Callable[[Node], Any]


def parse(text: bytes | str) -> dict[str, str]:
    """The fields of a form. Raises Unreadable."""
    try:
        decoded = text.decode("ascii") if isinstance(text, bytes) else text
        return dict(parse_qsl(decoded, keep_blank_values=True, errors="strict", max_num_fields=limits.FORM_FIELDS))
    except ValueError as error:
        raise Unreadable("The query string contains a syntax error.") from error


def reader(shape: Shape, *, ec2: bool) -> Callable[[dict[str, str]], dict[str, Any]]:
    """Reads the fields of a form into the structure `shape`. Raises Unreadable."""
    read = _Reader(ec2=ec2).structure(shape)
    return lambda fields: read(_tree(fields))


class _Reader:
    def __init__(self, *, ec2: bool) -> None:
        self._ec2 = ec2
        self._structures: dict[str, Read] = {}

    def structure(self, shape: Shape) -> Read:
        known = self._structures.get(shape.name)
        if known is None:
            slots: dict[str, tuple[str, Read]] = {}
            known = self._structures[shape.name] = _structure(slots)
            for name, member in shape.members.items():
                slots[self._name(name, member)] = (name, self._value(member))
        return known

    def _name(self, name: str, member: Shape) -> str:
        if self._ec2:
            wire_name = member.wire_name(name)
            return member.traits.get("queryName") or wire_name[:1].upper() + wire_name[1:]
        if member.kind == "list" and member.has("flattened"):
            return member.flat_name(name)
        return member.wire_name(name)

    def _value(self, shape: Shape) -> Read:
        match shape.kind:
            case "structure":
                return self.structure(shape)
            case "list":
                flat = self._ec2 or shape.has("flattened")
                return _list(self._value(shape.member), None if flat else shape.member.wire_name("member"))
            case "map":
                return _map(
                    self._value(shape.key),
                    shape.key.wire_name("key"),
                    self._value(shape.value),
                    shape.value.wire_name("value"),
                    None if shape.has("flattened") else "entry",
                )
            case _:
                return _scalar(text_reader(shape, "iso8601"))


def _tree(fields: dict[str, str]) -> Node:
    root: Node = {}
    nodes = 0
    for key, value in fields.items():
        names = key.split(".", limits.NESTING_DEPTH)
        if len(names) > limits.NESTING_DEPTH:
            raise Unreadable(f"Nesting is deeper than {limits.NESTING_DEPTH} levels")
        node = root
        for name in names:
            below = node.get(name or " ")
            if below is None:
                nodes += 1
                if nodes > limits.FORM_NODES:
                    raise Unreadable(f"The form has more than {limits.FORM_NODES} names")
                below = node[name or " "] = {}
            node = below
        node[""] = value
    return root


def _structure(slots: dict[str, tuple[str, Read]]) -> Read:
    def read(node: Node) -> dict[str, Any]:
        found = {}
        for key, below in node.items():
            if (slot := slots.get(key)) is not None:
                name, convert = slot
                found[name] = convert(below)
        return found

    return read


def _list(convert: Read, wrapper: str | None) -> Read:
    def read(node: Node) -> list[Any]:
        return [convert(item) for item in _numbered(node, wrapper)]

    return read


def _map(key: Read, key_name: str, value: Read, value_name: str, wrapper: str | None) -> Read:
    def read(node: Node) -> dict[str, Any]:
        found = {}
        for entry in _numbered(node, wrapper):
            if key_name not in entry:
                raise Unreadable("Map entry has no key")
            found[key(entry[key_name])] = value(entry[value_name]) if value_name in entry else None
        return found

    return read


def _numbered(node: Node, wrapper: str | None) -> list[Node]:
    """The elements `1`, `2` and so on of a list in the order of their numbers; an empty list is sent as ``."""
    if wrapper is not None:
        node = node.get(wrapper, {})
    numbers = sorted(
        (int(name), name)
        for name in node
        if name.isascii() and name.isdigit() and len(name) <= limits.FORM_INDEX_DIGITS
    )
    return [node[name] for _, name in numbers]


def _scalar(convert: Callable[[str], Any]) -> Read:
    def read(node: Node) -> Any:
        if "" not in node:
            raise Unreadable("Unexpected complex element termination")
        return convert(node[""])

    return read
