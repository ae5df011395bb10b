"""Whatever a runtime asks and says, and in whatever order: each event is answered once, and none is lost."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.compute.runtime_api.api import Refusal
from lambent.compute.runtime_api.runtime import Runtime, State
from tests.compute.runtime_api.harness import event


class Peer:
    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.cut = False

    def reply(self, data: bytes, more: bytes = b"") -> None:
        assert not self.cut
        self.got.append(more)

    def abort(self) -> None:
        assert not self.got
        self.cut = True


class Listener:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.told.append((name, *arguments))


class Play(RuleBasedStateMachine):
    """One environment that sends events and one runtime with several connections."""

    def __init__(self) -> None:
        super().__init__()
        self.listener = Listener()
        self.runtime = Runtime(self.listener)  # type: ignore[arg-type] # it hears anything
        self.sent = 0
        self.answered = 0
        self.waiting: Peer | None = None

    @property
    def outstanding(self) -> bool:
        return self.sent > self.answered

    @precondition(lambda self: not self.outstanding)
    @rule()
    def event(self) -> None:
        self.sent += 1
        self.runtime.event(event(self.sent, b"%d" % self.sent, request_id=f"id-{self.sent}"))
        self._arrives()

    @rule()
    def ask(self) -> None:
        peer, before = Peer(), self.runtime.state
        try:
            self.runtime.ask(peer)
        except Refusal as refused:
            assert (refused.status, before) == (403, State.RESPONDING)
            return
        if self.waiting is not None and before is State.READY:
            assert self.waiting.cut
        self.waiting = peer
        self._arrives()

    @precondition(lambda self: self.waiting is not None)
    @rule()
    def leave(self) -> None:
        self.runtime.leave(self.waiting)  # type: ignore[arg-type] # a peer as far as it is one here
        self.waiting = None

    @rule(behind=st.integers(0, 2))
    def answer(self, behind: int) -> None:
        before = self.runtime.state
        try:
            self.runtime.answer(b"id-%d" % (self.sent - behind), None, State.RESPONDING)
        except Refusal as refused:
            assert refused.status == (403 if behind == 0 and self.sent else 400)
            assert before is not State.RUNNING or behind
        else:
            assert (before, behind) == (State.RUNNING, 0)

    @precondition(lambda self: self.runtime.state is State.RESPONDING)
    @rule()
    def body_ends(self) -> None:
        self.runtime.sent(event(self.sent))
        self.answered += 1

    @invariant()
    def the_listener_hears_of_each_event_in_turn(self) -> None:
        waits = [sequence for name, *rest in self.listener.told if name == "waiting" for sequence in rest]
        assert waits == list(range(1, len(waits) + 1))
        assert len(waits) <= self.answered <= len(waits) + 1
        assert self.listener.told.count(("ready",)) <= 1

    def _arrives(self) -> None:
        """Who waits, or asks again, has the event that is outstanding."""
        if self.waiting is not None and self.outstanding:
            assert self.waiting.got == [b"%d" % self.sent]
            self.waiting = None


Play.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPlay = Play.TestCase
