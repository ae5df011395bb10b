"""REST operations found by method, path and query: one tree of path segments per service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lambent.wire.decode import LABEL, pairs
from lambent.wire.scalars import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lambent.wire.http import HttpRequest
    from lambent.wire.shapes import Operation


class Matcher:
    """The operations of one service by what their URI templates ask for; the most specific template wins.

    A literal segment beats a segment with a label in it, that beats a label, and that beats a greedy label. Among
    operations of one path, those whose constants (`?uploads`) and required query members and headers are there win.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            self._root.add(operation)

    def find(self, http: HttpRequest) -> tuple[str | None, bool]:
        """The name of the operation that takes `http`, and whether any with this method and path would go there."""
        certain = True
        for node in self._root.ends(http.path.split("/")[1:], 0):
            candidates = node.operations.get(http.method)
            if not candidates:
                continue
            certain = certain and len(candidates) == 1 and not candidates[0].constants
            if (found := _best(candidates, http)) is not None:
                return found, certain
        return None, certain


class _Candidate:
    """An operation at the end of a path, with what it asks for besides the path."""

    def __init__(self, operation: Operation) -> None:
        self.name = operation.name
        self._current = not operation.traits.get("deprecated", False)
        query = operation.uri.partition("?")[2]
        self.constants = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
        required = [operation.input.members[name] for name in operation.input.traits.get("required", ())]
        names = zip(operation.input.traits.get("required", ()), required, strict=True)
        placed = [(member.location, member.wire_name(name)) for name, member in names]
        self._query = [name for location, name in placed if location == "querystring"]
        self._headers = [name.lower() for location, name in placed if location == "header"]

    def takes(self, query: dict[str, str]) -> bool:
        return all(
            constant[0] in query and (len(constant) == 1 or query[constant[0]] == constant[1])
            for constant in self.constants
        )

    def rank(self, http: HttpRequest, query: dict[str, str]) -> tuple[int, bool, int, bool]:
        missing = sum(name not in query for name in self._query)
        missing += sum(not http.header(name) for name in self._headers)
        wanted = len(self._query) + len(self._headers)
        return len(self.constants), missing == 0, wanted if missing == 0 else -missing, self._current


def _best(candidates: list[_Candidate], http: HttpRequest) -> str | None:
    if len(candidates) == 1 and not candidates[0].constants:
        return candidates[0].name
    try:
        query = dict(pairs(http.query))
    except Unreadable:
        query = {}
    able = [candidate for candidate in candidates if candidate.takes(query)]
    return max(able, key=lambda candidate: candidate.rank(http, query)).name if able else None


class _Node:
    """A place in the tree: what may follow, and the operations that end here by method."""

    __slots__ = ("greedy", "label", "literals", "mixed", "operations")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.mixed: dict[str, tuple[re.Pattern[str], _Node]] = {}
        self.label: _Node | None = None
        self.greedy: _Node | None = None
        self.operations: dict[str, list[_Candidate]] = {}

    def add(self, operation: Operation) -> None:
        node = self
        path = operation.uri.partition("?")[0].strip("/")
        for segment in path.split("/") if path else ():
            node = node._follow(segment)
        node.operations.setdefault(operation.http_method, []).append(_Candidate(operation))

    def _follow(self, segment: str) -> _Node:
        label = LABEL.fullmatch(segment)
        if label is None and "{" not in segment:
            return self.literals.setdefault(segment, _Node())
        if label is None:
            pattern = re.compile("(.+)".join(re.escape(piece) for piece in LABEL.split(segment)[::2]))
            return self.mixed.setdefault(pattern.pattern, (pattern, _Node()))[1]
        if label[1].endswith("+"):
            self.greedy = self.greedy or _Node()
            return self.greedy
        self.label = self.label or _Node()
        return self.label

    def ends(self, segments: list[str], at: int) -> Iterator[_Node]:
        """The nodes at which a path ends, the most specific first."""
        if at == len(segments) or (at == len(segments) - 1 and not segments[at]):
            yield self
            return
        segment = segments[at]
        literal = self.literals.get(unquote(segment) if "%" in segment else segment)
        if literal is not None:
            yield from literal.ends(segments, at + 1)
        for pattern, node in self.mixed.values():
            if pattern.fullmatch(segment):
                yield from node.ends(segments, at + 1)
        if self.label is not None and segment:
            yield from self.label.ends(segments, at + 1)
        if self.greedy is not None:
            for end in range(len(segments), at, -1):
                yield from self.greedy.ends(segments, end)
