"""A call: one operation of one service, asked for by a known principal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from lambent.kernel.authority import Principal

P = TypeVar("P")

Request = dict[str, Any]
"""An operation's input by the names of its botocore model: str, int, float, bool, bytes, datetime, list, dict; a
member that the model streams is a `Body`. A member that the caller left out is absent."""

Response = dict[str, Any]
"""An operation's output in the same types. None means left out. A streamed member may be bytes or an async
iterator of bytes; an event stream is an async iterator of one-member dicts. The `aclose` of such an iterator, where it
has one, is called in the end, be it read or not: the client may have gone."""


class Call(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """What an operation knows besides its request. `parts` is the service's own equipment, typed per service."""

    parts: P
    operation: str
    account: str
    region: str
    principal: Principal
    request_id: str
    endpoint: str
    """The base URL that the client used, `http://127.0.0.1:4566`: links in answers start with it."""
    trace: str = ""
    """The X-Amzn-Trace-Id header as the client sent it; empty where it sent none."""
