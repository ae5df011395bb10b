"""What the log is told of an invocation: how long it took, what it produced, and whose failure it was."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.boot import Boot, Plan
from lambent.compute.function import Invocation, Outcome
from lambent.compute.progress import Progress, Running
from tests.compute.test_journal import Desk, function

if TYPE_CHECKING:
    from lambent.compute.telemetry.events import Status

RESULT = Outcome(payload=b"12345")
ERROR = Outcome(payload=b'{"errorMessage":"no"}', error="Unhandled")


class Telling:
    """One invocation, as it is told to a log in JSON with all its levels."""

    def __init__(self) -> None:
        self.desk = Desk(log_format="JSON", system_log_level="DEBUG")
        self.clock = self.desk.clock
        plan = Plan(
            function=function(),
            kind="on-demand",
            origin="init",
            cell=None,  # type: ignore[arg-type]
            household=None,  # type: ignore[arg-type]
            credentials=lambda _token: None,
            expires=0.0,
        )
        self.progress = Progress(plan, Boot("init", self.desk.journal, self.clock), self.desk.journal, self.clock)
        invocation = Invocation(request_id="r", payload=b"{}", invoked_arn="arn")
        now = self.clock.monotonic()
        self.running = Running(invocation, asyncio.get_running_loop().create_future(), now, now + 3)
        self.progress.start(self.running)

    def answer(self, outcome: Outcome, status: Status = "success") -> None:
        self.running.outcome, self.running.status = outcome, status
        self.running.ended = self.clock.monotonic()

    def records(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the runtime's end and of the report."""
        self.running.over = self.clock.monotonic()
        self.progress.over(self.running)
        self.progress.report(self.running, None, first=False)
        done, report = (json.loads(message)["record"] for message in self.desk.told.messages[-2:])
        return done, report


async def test_what_comes_after_the_answer_is_part_of_the_duration() -> None:
    telling = Telling()
    await telling.clock.advance(0.1)
    telling.answer(RESULT)
    await telling.clock.advance(0.02)
    telling.progress.runtime_done(telling.running)
    await telling.clock.advance(0.5)
    done, report = telling.records()
    assert done["metrics"] == {"durationMs": 120.0, "producedBytes": 5}
    assert [span["durationMs"] for span in done["spans"]] == [100.0, 0.0, 20.0]
    assert (report["metrics"]["durationMs"], report["metrics"]["billedDurationMs"]) == (620.0, 620)


async def test_at_the_end_of_its_time_an_invocation_has_taken_exactly_that() -> None:
    telling = Telling()
    await telling.clock.advance(3.002)
    telling.answer(ERROR, "timeout")
    done, report = telling.records()
    assert (done["status"], done["metrics"]) == ("timeout", {"durationMs": 3002.0, "producedBytes": 0})
    assert (report["metrics"]["durationMs"], report["metrics"]["billedDurationMs"]) == (3000.0, 3000)


@pytest.mark.parametrize("asks", [True, False])
async def test_an_error_is_no_product_of_the_function(asks: bool) -> None:
    telling = Telling()
    telling.answer(ERROR)
    if asks:
        telling.progress.runtime_done(telling.running)
    done, _ = telling.records()
    assert done["metrics"]["producedBytes"] == 0
    assert not done.get("spans")
