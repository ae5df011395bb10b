"""The channel: what a guest sends, and a guest that does not read."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from lambent.compute.channel import Channel, pair
from lambent.kernel import limits

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

SECRET = b"0123456789abcdef"
LARGE_BYTES = 4 * limits.MIB
"""More than the kernel holds of a channel."""


class Guest:
    """The guest's end by hand, and what the server's end tells."""

    def __init__(self) -> None:
        ours, self.end = pair()
        self.end.settimeout(10)
        self.told: asyncio.Queue[tuple[bytes, int, bytes] | None] = asyncio.Queue()
        self.channel = Channel(ours, SECRET, self, limits.INVOKE_PAYLOAD_BYTES)
        assert self.end.recv(100) == SECRET

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        self.told.put_nowait((kind, sequence, body))

    def hung_up(self) -> None:
        self.told.put_nowait(None)

    def say(self, kind: bytes, body: bytes = b"") -> None:
        self.end.send(SECRET + kind + (1).to_bytes(4, "big") + body)

    async def hears(self) -> tuple[bytes, int, bytes] | None:
        async with asyncio.timeout(10):
            return await self.told.get()


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    guest = Guest()
    yield guest
    guest.channel.close()
    guest.end.close()


async def read(end: socket.socket, size: int) -> bytes:
    """A message of `size` bytes."""
    data = b""
    while len(data) < size:
        data += await asyncio.to_thread(end.recv, limits.CHANNEL_PACKET_BYTES)
    return data


async def test_a_large_event_follows_as_the_guest_reads(guest: Guest) -> None:
    guest.channel.event(1, b"head", bytes(LARGE_BYTES))
    assert (await read(guest.end, LARGE_BYTES + 14)).endswith(bytes(LARGE_BYTES))
    guest.say(b"R", b"done")
    assert await guest.hears() == (b"R", 1, b"done")
    guest.channel.event(2, b"", b"small")
    assert guest.end.recv(100).endswith(b"small")


async def test_a_guest_that_answers_without_reading_is_hung_up_on(guest: Guest) -> None:
    guest.channel.event(1, b"", bytes(LARGE_BYTES))
    guest.say(b"R", b"made up")
    assert await guest.hears() == (b"R", 1, b"made up")
    guest.channel.event(2, b"", bytes(LARGE_BYTES))
    assert guest.told.empty(), "who sends an event does not expect to be told within"
    assert await guest.hears() is None
    guest.channel.event(3, b"", b"harmless")


async def test_what_a_guest_says_last_is_heard_though_it_has_left_something_unread(guest: Guest) -> None:
    guest.channel.event(1, b"", b"unread")
    guest.say(b"R", b"first")
    guest.say(b"R", b"last")
    guest.end.close()
    assert await guest.hears() == (b"R", 1, b"first")
    assert await guest.hears() == (b"R", 1, b"last")
    assert await guest.hears() is None


async def test_the_parts_of_a_message_are_joined(guest: Guest) -> None:
    full = bytes(limits.CHANNEL_PACKET_BYTES - 21)
    for _ in range(3):
        guest.say(b"r", full)
        guest.channel.drain()
    guest.say(b"R", b"end")
    assert await guest.hears() == (b"R", 1, full * 3 + b"end")


async def test_parts_of_next_to_nothing_are_too_large_together(guest: Guest) -> None:
    tracemalloc.start()
    for number in range(20_000):
        guest.say(b"r", b"x" * (number % 3))
        guest.channel.drain()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 256 * limits.KIB
    guest.say(b"R", b"end")
    assert await guest.hears() == (b"B", 1, b"")
    guest.say(b"R", b"next")
    assert await guest.hears() == (b"R", 1, b"next")
