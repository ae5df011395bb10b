"""Bodies that parse into dicts, lists and single values (JSON, CBOR): compiled readers and writers of shapes.

A shape is compiled once into closures, so that reading a request never looks at the model again. Reading drops
members that the model does not know and members that are null, as AWS does; writing refuses unknown members, which
are a bug of the operation that answered them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.wire.scalars import Unreadable

if TYPE_CHECKING:
    from lambent.wire.shapes import Shape

Convert = Callable[[Any], Any]
Conversion = tuple[type | None, Convert]
"""The Python type whose values pass as they are, and the conversion for all others."""
Slots = dict[str, tuple[str, type | None, Convert]]


class _Compiler(ABC):
    def __init__(self, scalar: Callable[[Shape], Conversion]) -> None:
        """`scalar` is the conversion of a shape that holds a single value."""
        self._scalar = scalar
        self._structures: dict[str, Convert] = {}

    def body(self, shape: Shape, members: Mapping[str, Shape]) -> Convert:
        """The conversion of the structure `shape` reduced to `members`."""
        slots: Slots = {}
        self._fill(slots, members)
        return self._structure(shape.name, slots)

    def value(self, shape: Shape) -> Convert:
        """The conversion of `shape`."""
        return self._conversion(shape)[1]

    def _conversion(self, shape: Shape) -> Conversion:
        if shape.has("document"):
            return None, _same
        match shape.kind:
            case "structure":
                return None, self._known_structure(shape)
            case "list":
                return None, self._list(*self._conversion(shape.member))
            case "map":
                return None, self._map(*self._conversion(shape.value))
            case _:
                return self._scalar(shape)

    def _known_structure(self, shape: Shape) -> Convert:
        known = self._structures.get(shape.name)
        if known is None:
            # The slots are filled after the closure exists, so that a structure can contain itself.
            slots: Slots = {}
            known = self._structures[shape.name] = self._structure(shape.name, slots)
            self._fill(slots, shape.members)
        return known

    @abstractmethod
    def _fill(self, slots: Slots, members: Mapping[str, Shape]) -> None: ...

    @abstractmethod
    def _structure(self, name: str, slots: Slots) -> Convert: ...

    @abstractmethod
    def _list(self, exact: type | None, convert: Convert) -> Convert: ...

    @abstractmethod
    def _map(self, exact: type | None, convert: Convert) -> Convert: ...


class Reader(_Compiler):
    """Compiles shapes into functions from parsed trees to an operation's input."""

    def _fill(self, slots: Slots, members: Mapping[str, Shape]) -> None:
        for name, member in members.items():
            slots[member.wire_name(name)] = (name, *self._conversion(member))

    def _structure(self, name: str, slots: Slots) -> Convert:  # noqa: ARG002 only a writer names it
        def read(value: Any) -> Any:
            if type(value) is not dict:
                raise Unreadable(_unexpected(value))
            found = {}
            for key, item in value.items():
                if item is not None and (slot := slots.get(key)) is not None:
                    name, exact, convert = slot
                    found[name] = item if type(item) is exact else convert(item)
            return found

        return read

    def _list(self, exact: type | None, convert: Convert) -> Convert:
        def read(value: Any) -> Any:
            if type(value) is not list:
                raise Unreadable(_unexpected(value))
            return [item if item is None or type(item) is exact else convert(item) for item in value]

        return read

    def _map(self, exact: type | None, convert: Convert) -> Convert:
        def read(value: Any) -> Any:
            if type(value) is not dict or not all(type(key) is str for key in value):
                raise Unreadable(_unexpected(value))
            return {key: item if item is None or type(item) is exact else convert(item) for key, item in value.items()}

        return read


class Writer(_Compiler):
    """Compiles shapes into functions from an operation's output to trees."""

    def _fill(self, slots: Slots, members: Mapping[str, Shape]) -> None:
        for name, member in members.items():
            slots[name] = (member.wire_name(name), *self._conversion(member))

    def _structure(self, name: str, slots: Slots) -> Convert:
        def write(value: Any) -> Any:
            tree = {}
            for key, item in value.items():
                if item is not None:
                    try:
                        wire_name, exact, convert = slots[key]
                    except KeyError:
                        raise ValueError(f"{name} has no member {key}") from None
                    tree[wire_name] = item if type(item) is exact else convert(item)
            return tree

        return write

    def _list(self, exact: type | None, convert: Convert) -> Convert:
        return lambda value: [item if item is None or type(item) is exact else convert(item) for item in value]

    def _map(self, exact: type | None, convert: Convert) -> Convert:
        return lambda value: {
            key: item if item is None or type(item) is exact else convert(item) for key, item in value.items()
        }


def check_depth(tree: Any) -> None:
    """Raise Unreadable where `tree` nests deeper than limits.NESTING_DEPTH."""
    level = [tree]
    for _ in range(limits.NESTING_DEPTH + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise Unreadable(f"Nesting is deeper than {limits.NESTING_DEPTH} levels")


def _children(node: Any) -> list[Any]:
    if type(node) is dict:
        return [child for child in node.values() if type(child) in _CONTAINERS]
    if type(node) is list:
        return [child for child in node if type(child) in _CONTAINERS]
    return []


def _unexpected(value: Any) -> str:
    """AWS's words for a value of the wrong kind where a structure, list or map belongs."""
    if type(value) is dict:
        return "Start of structure or map found where not expected"
    if type(value) is list:
        return "Start of list found where not expected"
    return "Unexpected field type"


def token(value: Any) -> str:
    """AWS's name for the kind of a parsed value: `NUMBER_VALUE`."""
    if value is True:
        return "TRUE_VALUE"
    if value is False:
        return "FALSE_VALUE"
    return _TOKENS.get(type(value), "Unknown value")


def unconvertible(value: Any, kind: str) -> Unreadable:
    """The error for a value that is not of `kind`, in AWS's words."""
    if type(value) in _CONTAINERS:
        return Unreadable(_unexpected(value))
    return Unreadable(f"{token(value)} cannot be converted to {kind.capitalize()}")


def _same(value: Any) -> Any:
    return value


_CONTAINERS = (dict, list)
_TOKENS = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", bytes: "BINARY_VALUE"}
