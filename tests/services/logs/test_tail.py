"""Following a log group the way `aws logs tail --follow` does: it sees every event once, soon, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.services.logs.helpers import now_ms
from tests.services.logs.test_events import tell

if TYPE_CHECKING:
    from tests.conftest import Server


class Tail:
    """One follower: it polls from the newest time that it has seen and leaves out what it has shown already."""

    def __init__(self, logs: Any, **ask: Any) -> None:
        self._logs = logs
        self._ask = {"logGroupName": "/aws/lambda/f", "interleaved": True} | ask
        self._shown: dict[int, set[str]] = {}

    def poll(self) -> list[str]:
        """The messages that are new, from as many pages as there are."""
        new = []
        while True:
            answer = self._logs.filter_log_events(**self._ask)
            for event in answer["events"]:
                shown = self._shown.setdefault(event["timestamp"], set())
                if event["eventId"] not in shown:
                    shown.add(event["eventId"])
                    new.append(event["message"])
            if self._shown:
                newest = max(self._shown)
                self._shown = {newest: self._shown[newest]}
            if "nextToken" not in answer:
                self._ask.pop("nextToken", None)
                self._ask["startTime"] = max(self._shown, default=self._ask["startTime"])
                return new
            self._ask["nextToken"] = answer["nextToken"]


def test_a_follower_sees_every_event_once(lambent: Server) -> None:
    start = now_ms()
    tell(lambent, "/aws/lambda/f", "before", (start - 700_000, "long ago"))
    tail = Tail(lambent.client("logs"), startTime=start - 600_000)
    assert tail.poll() == []
    seen, expected = [], []
    for turn in range(12):
        for name in ("one", "two"):
            # Events of the same millisecond as the newest ones arrive between two polls, too.
            events = [(start + turn // 3, f"{turn} {name} {number}") for number in range(3)]
            tell(lambent, "/aws/lambda/f", name, *events)
            expected += [message for _, message in events]
        seen += tail.poll()
        assert seen == expected
    assert tail.poll() == []


def test_a_follower_with_a_pattern_and_small_pages_sees_what_matches(lambent: Server) -> None:
    start = now_ms()
    tail = Tail(lambent.client("logs"), startTime=start, filterPattern="ERROR", limit=2, logStreamNamePrefix="a")
    seen = []
    for turn in range(5):
        for name in ("a", "b"):
            tell(lambent, "/aws/lambda/f", name, *((start + turn, f"ERROR {turn}.{number}") for number in range(3)))
            tell(lambent, "/aws/lambda/f", name, (start + turn, "fine"))
        seen += tail.poll()
    assert seen == [f"ERROR {turn}.{number}" for turn in range(5) for number in range(3)]
