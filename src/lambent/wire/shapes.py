"""A service model as typed values: its operations, and the shapes that their inputs, outputs and errors have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

Traits = Mapping[str, Any]


class Shape:
    """One type of the model, with the traits of the place that refers to it laid over its own.

    `kind` is the model's type name: structure, list, map, string, integer, long, float, double, boolean, blob,
    timestamp. A shape may contain itself, so what it refers to is resolved when asked for.
    """

    def __init__(self, name: str, traits: Traits, table: Mapping[str, Traits]) -> None:
        self.name = name
        self.traits = traits
        self.kind: str = traits["type"]
        self._table = table

    @cached_property
    def members(self) -> dict[str, Shape]:
        """The members of a structure by name."""
        return {name: self._refer(reference) for name, reference in self.traits.get("members", {}).items()}

    @cached_property
    def member(self) -> Shape:
        """The element of a list."""
        return self._refer(self.traits["member"])

    @cached_property
    def key(self) -> Shape:
        """The key of a map."""
        return self._refer(self.traits["key"])

    @cached_property
    def value(self) -> Shape:
        """The value of a map."""
        return self._refer(self.traits["value"])

    def has(self, trait: str) -> bool:
        """Whether `trait` is there and not false; an empty trait counts as there."""
        return self.traits.get(trait, False) is not False

    def wire_name(self, default: str) -> str:
        """The name on the wire, where it differs from `default`."""
        name: str = self.traits.get("locationName", default)
        return name

    def flat_name(self, default: str) -> str:
        """The name on the wire of each element of a flattened list that is the member `default`."""
        return self.wire_name(self.member.wire_name(default))

    @property
    def location(self) -> str | None:
        """Where a member travels outside the body: uri, querystring, header, headers, statusCode."""
        return self.traits.get("location")

    @property
    def error_code(self) -> str:
        """The code that the query protocols give an error shape; its name elsewhere."""
        code: str = self.traits.get("error", {}).get("code", self.name)
        return code

    @cached_property
    def payload(self) -> str | None:
        """The member that alone is the body."""
        return self.traits.get("payload")

    @cached_property
    def event_stream(self) -> str | None:
        """The member that is a stream of events."""
        return next((name for name, member in self.members.items() if member.has("eventstream")), None)

    @cached_property
    def body_members(self) -> dict[str, Shape]:
        """The members of an input that travel in the body."""
        return {name: member for name, member in self.members.items() if member.location is None}

    @cached_property
    def outside(self) -> dict[str, Shape]:
        """The members of an output that travel outside the body."""
        places = ("header", "headers", "statusCode")
        return {name: member for name, member in self.members.items() if member.location in places}

    @cached_property
    def open_ended(self) -> bool:
        """Whether values nest as deep as the sender likes: a shape contains itself, or is a free document."""
        return _open_ended(self, frozenset())

    def _refer(self, reference: Traits) -> Shape:
        name = reference["shape"]
        return Shape(name, {**self._table[name], **reference}, self._table)


def _open_ended(shape: Shape, above: frozenset[str]) -> bool:
    if shape.name in above or shape.has("document"):
        return True
    match shape.kind:
        case "structure":
            inner = list(shape.members.values())
        case "list":
            inner = [shape.member]
        case "map":
            inner = [shape.value]
        case _:
            return False
    return any(_open_ended(child, above | {shape.name}) for child in inner)


class Operation:
    """One operation of a service."""

    def __init__(self, service: ServiceModel, name: str, traits: Traits) -> None:
        self.service = service
        self.name = name
        self.wire_name: str = traits.get("name", name)
        self.traits = traits
        http = traits.get("http", {})
        self.http_method: str = http.get("method", "POST")
        self.uri: str = http.get("requestUri", "/")
        self.status: int = http.get("responseCode", 200)

    @cached_property
    def input(self) -> Shape:
        """The input; a structure without members where the operation takes none."""
        return self.service.refer(self.traits.get("input")) or EMPTY

    @cached_property
    def output(self) -> Shape | None:
        """The output, or None where there is none."""
        return self.service.refer(self.traits.get("output"))

    @property
    def unsigned(self) -> bool:
        """Whether the model lets this operation be called without a signature."""
        return self.traits.get("authtype") == "none" or "smithy.api#noAuth" in self.traits.get("auth", ())


class ServiceModel:
    """One service: its metadata, operations and errors."""

    def __init__(self, name: str, description: Traits) -> None:
        self.name = name
        self.metadata: Traits = description["metadata"]
        self._shapes: Mapping[str, Traits] = description.get("shapes", {})
        self.operations = {
            key: Operation(self, key, traits) for key, traits in description.get("operations", {}).items()
        }

    @property
    def query_compatible(self) -> bool:
        """Whether errors must also carry the code of the query protocol that the service once spoke."""
        return "awsQueryCompatible" in self.metadata

    @cached_property
    def errors(self) -> dict[str, Shape]:
        """The error shapes by name and by code."""
        shapes = [
            Shape(name, traits, self._shapes) for name, traits in self._shapes.items() if traits.get("exception", False)
        ]
        return {shape.error_code: shape for shape in shapes} | {shape.name: shape for shape in shapes}

    def refer(self, reference: Traits | None) -> Shape | None:
        """The shape that an operation refers to."""
        if reference is None:
            return None
        name = reference["shape"]
        return Shape(name, {**self._shapes[name], **reference}, self._shapes)


EMPTY = Shape("Unit", {"type": "structure", "members": {}}, {})
