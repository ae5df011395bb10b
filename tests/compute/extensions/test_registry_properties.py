"""Whatever extensions do, and in whatever order: nobody is told too early, twice, or not at all."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.compute.runtime_api.api import Refusal
from tests.compute.extensions.test_registry import BOTH, INVOKE, Stage, Waiter, event

NAMES = ("outer1", "outer2", "inner1", "inner2")


class Play(RuleBasedStateMachine):
    """Two external and two internal extensions, of which each asks, leaves and asks again as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage("outer1", "outer2")
        self.identifiers: dict[str, str] = {}
        self.wants: dict[str, bool] = {}
        self.waiting: dict[str, Waiter] = {}
        self.owed: set[str] = set()
        self.number = 0
        self.expected = 0
        self.closed = False

    @property
    def settled(self) -> int:
        return self.stage.watcher.told.count(("settled",))

    @rule(name=st.sampled_from(NAMES), keen=st.booleans())
    def register(self, name: str, keen: bool) -> None:
        try:
            identifier = self.stage.register(name, (BOTH if "outer" in name else INVOKE) if keen else b"{}")
        except Refusal:
            assert name in self.identifiers or (self.closed and "inner" in name)
            return
        assert name not in self.identifiers
        self.identifiers[name] = identifier
        self.wants[name] = keen
        self.owed.add(name)

    @precondition(lambda self: self.identifiers)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.identifiers)))
        if name in self.waiting:
            return
        waiter = Waiter()
        self.stage.extensions.ask(self.identifiers[name], waiter)
        if waiter.got:
            return  # what it missed; it is busy now
        self.waiting[name] = waiter
        self.owed.discard(name)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.waiting)))
        self.stage.extensions.leave(self.waiting.pop(name))

    @precondition(lambda self: not self.closed and self.stage.extensions.registered)
    @rule()
    def runtime_is_ready(self) -> None:
        self.closed = True
        self.stage.extensions.close_registration()
        if self.owed:
            self.expected += 1

    @precondition(lambda self: self.closed and not self.owed)
    @rule()
    def invoke(self) -> None:
        self.number += 1
        told = {name for name, keen in self.wants.items() if keen}
        self.stage.extensions.invoke(event(self.number))
        self.owed |= told
        for name in told & set(self.waiting):
            assert self.waiting.pop(name).got[0]["requestId"] == str(self.number)
        if told:
            self.expected += 1

    @invariant()
    def is_settled_exactly_when_nobody_owes_a_request(self) -> None:
        assert self.stage.extensions.settled == (self.closed and not self.owed)

    @invariant()
    def is_told_so_exactly_once(self) -> None:
        pending = self.closed and bool(self.owed)
        assert self.settled == self.expected - pending


Play.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPlay = Play.TestCase
