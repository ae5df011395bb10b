"""Descriptors that come from cells."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox.descriptors import received

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_what_has_come_is_no_other_programs(pair: Pair) -> None:
    ours, theirs = pair
    socket.send_fds(theirs, [b"M"], [0, 1])
    packet, descriptors, lost = received(ours, 2)
    assert (packet, len(descriptors), lost) == (b"M", 2, False)
    assert not any(os.get_inheritable(each) for each in descriptors)
    for each in descriptors:
        os.close(each)


def test_descriptors_that_there_was_no_room_for_are_told(pair: Pair) -> None:
    ours, theirs = pair
    socket.send_fds(theirs, [b"M"], [0] * 6)
    _, descriptors, lost = received(ours, 1)
    assert lost
    for each in descriptors:
        os.close(each)


def test_nothing_is_no_packet(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        received(pair[0], 1)


def test_the_end_is_an_empty_packet(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    assert received(ours, 1) == (b"", [], False)
