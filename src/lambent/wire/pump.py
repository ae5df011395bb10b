"""Streamed answers: from an iterator to a transport, no faster than the client takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable


async def pump(
    transport: asyncio.WriteTransport,
    writable: Callable[[], asyncio.Future[None] | None],
    body: AsyncIterator[bytes],
    length: int | None,
    *,
    chunked: bool,
) -> None:
    """Write `body`, in HTTP's chunks where `chunked`; `writable` gives what to wait for while the transport is full.

    Raises ConnectionResetError where the client has gone, ValueError where the body is not `length` bytes long.
    """
    sent = 0
    async for data in body:
        if not data:
            continue
        if transport.is_closing():
            raise ConnectionResetError
        sent += len(data)
        if length is not None and sent > length:
            break
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        full = writable()
        if full is not None:
            await full
    if length is not None and sent != length:
        raise ValueError(f"a body of {sent} bytes, {length} announced")
    if chunked:
        transport.write(b"0\r\n\r\n")
