"""Answers of function URLs that are passed on while the function writes them.

A stream of the content type `application/vnd.awslambda.http-integration-response` begins with a JSON object of status,
headers and cookies and eight NUL bytes; any other is the body as it comes.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.body import BodyBroken
from lambent.kernel.doors import Reply
from lambent.services.lambda_.rules import url_answers
from lambent.services.lambda_.rules.url_answers import Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.compute.streaming import Stream


async def opened(stream: Stream) -> Reply:
    """The answer, once so much of it is here that its status is known. Raises Malformed where the function failed
    before that, or began with something else than it said."""
    try:
        if stream.content_type == url_answers.PRELUDE:
            return await _with_prelude(stream)
        first = await anext(stream, b"")
        _check(stream, first)
        return Reply(200, [("Content-Type", stream.content_type)], _Body(stream, first))
    except BaseException:
        stream.cancel()
        raise


async def _with_prelude(stream: Stream) -> Reply:
    data = bytearray()
    while (end := data.find(url_answers.SEPARATOR)) < 0 and len(data) <= limits.URL_PRELUDE_BYTES:
        chunk = await anext(stream, b"")
        _check(stream, chunk)
        if not chunk:
            break
        data += chunk
    if not 0 <= end <= limits.URL_PRELUDE_BYTES:
        raise Malformed("the prelude has no end")
    reply = url_answers.begun(bytes(data[:end]))
    reply.body = _Body(stream, bytes(data[end + len(url_answers.SEPARATOR) :]))
    return reply


def _check(stream: Stream, chunk: bytes) -> None:
    if not chunk and stream.error_type is not None:
        raise Malformed(stream.error_type)


class _Body:
    """The rest of a stream; the function is told when nobody wants it any more, even if nobody ever did."""

    def __init__(self, stream: Stream, first: bytes) -> None:
        self._stream = stream
        self._first = first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            if self._stream.error_type is not None:
                raise BodyBroken(f"the function failed half-way: {self._stream.error_type}") from None
            raise

    async def aclose(self) -> None:
        """Read no more. Harmless at the end of the stream."""
        self._stream.cancel()
