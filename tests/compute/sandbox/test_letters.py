"""Packets to a process that is slow, stopped or gone."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox.descriptors import received
from lambent.compute.sandbox.letters import Letters
from lambent.kernel import limits
from tests.compute.conftest import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]
MANY = 2_000
"""More than the kernel holds for somebody who does not read."""


@pytest.fixture
def pair() -> Iterator[Pair]:
    before = open_files()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs
    assert open_files() - before == set(), "descriptors are left open"


async def test_what_is_not_read_at_once_arrives_in_order_with_its_descriptors(pair: Pair) -> None:
    ours, theirs = pair
    letters = Letters(ours)
    for number in range(MANY):
        reading, writing = os.pipe()
        os.write(writing, b"%d" % number)
        letters.send(b"a%d" % number, [reading] if number % 2 else ())
        os.close(reading)
        os.close(writing)
    for number in range(MANY):
        packet, descriptors, _ = await asyncio.to_thread(received, theirs, 1)
        assert packet == b"a%d" % number
        assert [os.read(each, 10) for each in descriptors] == ([b"%d" % number] if number % 2 else [])
        for each in descriptors:
            os.close(each)
    letters.send(b"at once")
    theirs.setblocking(False)
    assert theirs.recv(10) == b"at once"
    letters.close()


async def test_who_never_reads_is_not_written_to_for_ever(pair: Pair) -> None:
    letters = Letters(pair[0])
    with pytest.raises(OSError, match="does not read what it is told"):
        for _ in range(limits.CELL_PACKETS_UNSENT + MANY):
            letters.send(b"packet")
    letters.close()
    letters.close()


async def test_what_is_for_somebody_who_has_gone_is_dropped(pair: Pair) -> None:
    ours, theirs = pair
    letters = Letters(ours)
    for _ in range(MANY):
        letters.send(b"packet", [ours.fileno()])
    theirs.close()
    before = len(open_files())
    for _ in range(3):  # the loop looks round, and the socket is ready
        await asyncio.sleep(0)
    assert len(open_files()) < before
    with pytest.raises(BrokenPipeError):
        letters.send(b"packet")
    letters.close()
