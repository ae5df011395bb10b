"""A runtime that takes several events at a time: each worker asks and answers for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.kernel.clock import settle
from tests.compute.runtime_api.harness import RUNTIME, Bench, Guest, event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEXT = f"{RUNTIME}/invocation/next"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench(workers=2)
    yield bench
    await bench.close()


async def asking(bench: Bench, first: bool = False) -> Guest:
    """A worker that waits for an event."""
    guest = await bench.guest()
    await guest.send("GET", NEXT)
    if first:
        assert await bench.environment.hears() == ("ready",)
    return guest


def give(bench: Bench, sequence: int) -> None:
    bench.workers.event(event(sequence, request_id=f"id-{sequence}", invocation_id=f"nonce-{sequence}"))


async def taken(guest: Guest) -> str:
    return (await guest.answer()).headers["lambda-runtime-aws-request-id"]


async def test_the_first_worker_that_asks_makes_it_ready_and_no_other() -> None:
    bench = Bench(workers=2)
    first = await asking(bench, first=True)
    second = await asking(bench)
    give(bench, 1)
    give(bench, 2)
    assert {await taken(first), await taken(second)} == {"id-1", "id-2"}
    assert bench.environment.told.empty()
    await bench.close()


async def test_answers_come_in_any_order(bench: Bench) -> None:
    first = await asking(bench, first=True)
    give(bench, 1)
    assert await taken(first) == "id-1"
    second = await asking(bench)
    give(bench, 2)
    assert await taken(second) == "id-2"
    for guest, sequence in ((second, 2), (first, 1)):
        answer = await guest.call("POST", f"{RUNTIME}/invocation/id-{sequence}/response", b"%d" % sequence)
        assert answer.status == 202
        assert await bench.environment.hears() == ("answered", sequence, b"%d" % sequence)
        assert await bench.environment.hears() == ("waiting", sequence)


async def test_an_event_waits_for_the_next_worker_that_asks(bench: Bench) -> None:
    first = await asking(bench, first=True)
    for sequence in (1, 2):
        give(bench, sequence)
    assert await taken(first) == "id-1"
    await first.call("POST", f"{RUNTIME}/invocation/id-1/error", b"{}", Lambda_Runtime_Function_Error_Type="Mine")
    assert await bench.environment.hears() == ("failed", 1, b"{}", "Runtime.Unknown")
    await first.send("GET", NEXT)
    assert await taken(first) == "id-2"


async def test_an_event_that_nobody_has_can_be_taken_back(bench: Bench) -> None:
    first = await asking(bench, first=True)
    for sequence in (1, 2):
        give(bench, sequence)
    assert await taken(first) == "id-1"
    assert bench.workers.withdraw(2)
    assert not bench.workers.withdraw(1), "a worker has it"
    second = await asking(bench)
    give(bench, 3)
    assert await taken(second) == "id-3"


async def test_no_more_workers_wait_than_there_are(bench: Bench) -> None:
    await asking(bench, first=True)
    await asking(bench)
    third = await bench.guest()
    status, kind, _ = (await third.call("GET", NEXT)).error
    assert (status, kind) == (429, "Runtime.TooManyIdleRuntimes")


async def test_the_place_of_a_worker_that_has_gone_is_free(bench: Bench) -> None:
    first = await asking(bench, first=True)
    gone = await asking(bench)
    gone.writer.close()
    await gone.writer.wait_closed()
    await settle()
    third = await asking(bench)
    for sequence in (1, 2):
        give(bench, sequence)
    assert {await taken(first), await taken(third)} == {"id-1", "id-2"}


@pytest.mark.parametrize("name", ["id-1", "nobody"])
async def test_each_event_is_answered_once_and_by_its_own_id(bench: Bench, name: str) -> None:
    first = await asking(bench, first=True)
    give(bench, 1)
    assert await taken(first) == "id-1"
    await first.call("POST", f"{RUNTIME}/invocation/id-1/response", b"1")
    answer = await first.call("POST", f"{RUNTIME}/invocation/{name}/response", b"2")
    assert answer.error[:2] == (400, "InvalidRequestID")


async def test_an_answer_with_another_ones_nonce_is_refused(bench: Bench) -> None:
    first = await asking(bench, first=True)
    give(bench, 1)
    assert await taken(first) == "id-1"
    path = f"{RUNTIME}/invocation/id-1/response"
    assert (await first.call("POST", path, b"1", Lambda_Runtime_Invocation_Id="nonce-2")).status == 400
    assert (await first.call("POST", path, b"1", Lambda_Runtime_Invocation_Id="nonce-1")).status == 202


@pytest.mark.parametrize("named", [True, False], ids=["by-nonce", "in-order"])
async def test_an_event_that_is_repeated_while_somebody_is_still_at_it_is_another(bench: Bench, named: bool) -> None:
    first, second = await asking(bench, first=True), await asking(bench)
    for sequence in (1, 2):
        bench.workers.event(event(sequence, request_id="id", invocation_id=f"nonce-{sequence}"))
    assert [await taken(first), await taken(second)] == ["id", "id"]
    for guest, sequence in ((second, 2), (first, 1)) if named else ((first, 1), (second, 2)):
        nonce = {"Lambda_Runtime_Invocation_Id": f"nonce-{sequence}"} if named else {}
        assert (await guest.call("POST", f"{RUNTIME}/invocation/id/response", b"1", **nonce)).status == 202
        assert await bench.environment.hears() == ("answered", sequence, b"1")
        assert await bench.environment.hears() == ("waiting", sequence)
    assert (await first.call("POST", f"{RUNTIME}/invocation/id/response", b"1")).status == 400


async def test_a_worker_that_cannot_start_speaks_for_all_until_one_has_asked(bench: Bench) -> None:
    guest = await bench.guest()
    assert (await guest.call("POST", f"{RUNTIME}/init/error", b"{}")).status == 202
    assert await bench.environment.hears() == ("init_failed", b"{}", "Runtime.Unknown")
    assert (await guest.call("POST", f"{RUNTIME}/init/error", b"{}")).status == 403
    assert (await guest.call("GET", NEXT)).status == 403


async def test_a_worker_that_cannot_start_later_is_its_own_affair(bench: Bench) -> None:
    await asking(bench, first=True)
    guest = await bench.guest()
    assert (await guest.call("POST", f"{RUNTIME}/init/error", b"{}")).status == 403
    assert bench.environment.told.empty()
