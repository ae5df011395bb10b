"""The benchmarks' own sums: what counts as kept, and what is read out of the calls of a crowd."""

from __future__ import annotations

import socket
import threading

import pytest

from benchmarks.burst import Call, beside, most_at_once
from benchmarks.client import Connection, request_bytes
from benchmarks.table import Row, missing


@pytest.mark.parametrize(
    ("ratio", "must", "aim", "verdict"),
    [
        (5.9, "<= 6x", "<= 4x", "yes"),
        (4.0, "<= 6x", "<= 4x", "aim"),
        (6.1, "<= 6x", "", "NO"),
        (0.19, ">= 0.2x", "", "NO"),
        (0.2, ">= 0.2x", "", "yes"),
        (0.4, "<= 1%", "<= 0.3%", "yes"),
        (0.0, "== 0", "== 0", "aim"),
        (1.0, "== 0", "== 0", "NO"),
        (None, "<= 1x", "", "-"),
    ],
)
def test_a_promise_is_kept_by_its_bound_and_its_aim(ratio: float | None, must: str, aim: str, verdict: str) -> None:
    assert Row(1, "metric", "1 ms", "2 ms", ratio, must, aim).verdict() == verdict


def test_a_ratio_is_shown_in_the_unit_of_its_bound() -> None:
    assert Row(1, "", "", "", 0.5, "<= 6x").shown() == "0.50x"
    assert Row(1, "", "", "", 0.5, "<= 1%").shown() == "0.50%"
    row = missing(3, "metric", "An error occurred (501): not built", "<= 1x")
    assert (row.shown(), row.value, row.baseline) == ("-", "not built", "not built")


def test_handlers_that_ran_at_once_are_counted() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([(0, 2), (1, 3), (2, 4)]) == 2
    assert most_at_once([(0, 9), (1, 9), (2, 9)]) == 3


def test_what_may_have_been_in_hand_while_a_call_was_refused_is_counted() -> None:
    refused = Call(429, 5, 6, None)
    running = [Call(200, 0, 5, (1, 4)), Call(200, 6, 9, (7, 8)), Call(200, 0, 4, (1, 3)), Call(200, 7, 9, (7, 8))]
    assert beside(refused, [refused, Call(429, 5, 6, None), *running]) == 2


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=["length", "chunked", "empty"],
)
def test_an_answer_is_read_however_it_is_framed_and_cut(answer: bytes, body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        request = request_bytes(f"{endpoint}/f?a=b", b"event", signed_for="lambda")

        def serve() -> None:
            with listener.accept()[0] as connection:
                received = b""
                while not received.endswith(b"event"):
                    received += connection.recv(65536)
                assert received.startswith(b"POST /f?a=b HTTP/1.1\r\n")
                for at in range(len(answer)):
                    connection.sendall(answer[at : at + 1])

        server = threading.Thread(target=serve)
        server.start()
        with Connection(endpoint) as client:
            assert client.exchange(request) == (int(answer[9:12]), body)
        server.join()
