"""What a checkpoint costs does not grow with what the execution has done before."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.durable import pages
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.configuration import Durability
from lambent.services.lambda_.records.durable import Execution, Filter
from lambent.services.lambda_.rules import durable_life, durable_updates
from lambent.services.lambda_.store import durable, durable_remains
from lambent.store.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.store.api import Row, Transaction

NOW_MS = 1_700_000_000_000
KEY = FunctionKey("000000000000", "us-east-1", "f")
SMALL, LARGE = 60, 2_940
"""Operations that an execution has behind it; each has three events or more."""
STEP = {"Type": "STEP", "Action": "START"}


class Counted:
    """A transaction that counts the instructions which its statements take, and keeps their plans where it is told."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self.instructions = 0
        self.plans: list[str] = []
        self.planning = False

    def one(self, sql: str, **values: Any) -> Row | None:
        found = self.all(sql, **values)
        return found[0] if found else None

    def all(self, sql: str, **values: Any) -> list[Row]:
        self._plan(sql, values)
        return cast("list[Row]", self._connection.execute(sql, values).fetchall())

    def run(self, sql: str, **values: Any) -> int:
        self._plan(sql, values)
        return self._connection.execute(sql, values).rowcount

    def _plan(self, sql: str, values: dict[str, Any]) -> None:
        if self.planning:
            steps = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            self.plans += [f"{step[3]}: {sql}" for step in steps]

    def cost(self, work: Callable[[], object]) -> int:
        """How many instructions `work` takes."""
        before = self.instructions
        self._connection.set_progress_handler(self._count, 1)
        work()
        self._connection.set_progress_handler(None, 1)
        return self.instructions - before

    def _count(self) -> int:
        self.instructions += 1
        return 0


@pytest.fixture
def counted() -> Counted:
    counted = Counted()
    migrate(cast("Transaction", counted), {"lambda_": files("lambent.services.lambda_") / "schema"})
    return counted


def begin(tx: Transaction, name: str) -> Execution:
    execution = Execution(
        id=name,
        account=KEY.account,
        region=KEY.region,
        function=KEY.name,
        version="1",
        name=name,
        durability=Durability(timeout_s=600, retention_days=1),
        result_bytes=limits.DURABLE_EVENT_BYTES,
        started_ms=NOW_MS,
        deadline_ms=NOW_MS + 600_000,
    )
    durable.insert(tx, durable_life.begun(execution, "{}"))
    return execution


def checkpoint(tx: Transaction, execution_id: str, *updates: durable_updates.Update) -> None:
    """What the operation does in its transaction."""
    execution = durable.find(tx, execution_id)
    assert execution is not None
    draft = durable.draft(tx, execution, NOW_MS, durable_updates.named(list(updates)))
    durable_updates.apply(draft, list(updates), {}, _no_call)
    durable_life.fire(draft)
    seen = draft.execution.seen
    durable_life.inform(draft)
    durable.save(tx, draft)
    pages.state(tx, draft.execution, 0, limits.DURABLE_LISTED_MOST, least=1, seen=seen)


def fill(tx: Transaction, execution_id: str, steps: int) -> None:
    """Let it have done that many steps, each at the second attempt, a tenth of them within contexts."""
    for number in range(0, steps, 10):
        context = {"Id": f"c{number}", "Type": "CONTEXT"}
        inner = [{"Id": f"{number}-{at}", "Type": "STEP"} for at in range(9)]
        again = {"Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 0}}
        checkpoint(tx, execution_id, context | {"Action": "START"})
        checkpoint(tx, execution_id, *({"ParentId": context["Id"]} | step | again for step in inner))
        checkpoint(tx, execution_id, *(step | {"Action": "START"} for step in inner))
        checkpoint(tx, execution_id, *(step | {"Action": "SUCCEED", "Payload": "1" * 50} for step in inner))
        if number % 100 == 0:
            checkpoint(tx, execution_id, context | {"Action": "SUCCEED"})


@pytest.mark.parametrize("kind", ["step", "wait", "context"])
def test_a_checkpoint_costs_the_same_at_the_end_as_at_the_start(counted: Counted, kind: str) -> None:
    tx = cast("Transaction", counted)
    updates: dict[str, list[durable_updates.Update]] = {
        "step": [{"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": "1"}],
        "wait": [{"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 60}}],
        "context": [{"Id": "x", "Type": "CONTEXT", "Action": action} for action in ("START", "SUCCEED")],
    }
    costs = []
    for name, steps in (("small", SMALL), ("large", LARGE)):
        begin(tx, name)
        fill(tx, name, steps)
        costs.append(counted.cost(lambda name=name: checkpoint(tx, name, *updates[kind])))
    held = durable.find(tx, "large")
    assert held is not None
    assert (held.operations, held.events) > (LARGE, 3 * LARGE)
    assert costs[1] < 1.5 * costs[0], costs


def test_an_invocation_is_told_no_more_slowly_for_what_is_hidden(counted: Counted) -> None:
    tx = cast("Transaction", counted)
    costs = []
    for name, steps in (("small", SMALL), ("large", LARGE)):
        execution = begin(tx, name)
        checkpoint(tx, name, {"Id": "all", "Type": "CONTEXT", "Action": "START"})
        for number in range(0, steps, 100):
            made = ({"Id": f"{number}-{at}", "ParentId": "all", **STEP} for at in range(100))
            checkpoint(tx, name, *made)
        checkpoint(tx, name, {"Id": "all", "Type": "CONTEXT", "Action": "SUCCEED"})
        costs.append(counted.cost(lambda execution=execution: pages.state(tx, execution, 0, 1000)))
    assert costs[1] < 1.5 * costs[0], costs


def test_a_context_hides_what_is_not_hidden_yet(counted: Counted) -> None:
    """What lies in a context within it has been hidden with that one: it is not gone through again."""
    tx = cast("Transaction", counted)
    costs = []
    for name, inner in (("small", 10), ("large", 1_000)):
        begin(tx, name)
        for context in ("outer", "inner"):
            checkpoint(tx, name, {"Id": context, "Type": "CONTEXT", "Action": "START", **_within(context)})
        made = ({"Id": f"s{at}", "ParentId": "inner", **STEP} for at in range(inner))
        checkpoint(tx, name, *made)
        checkpoint(tx, name, {"Id": "inner", "Type": "CONTEXT", "Action": "SUCCEED"})
        end = {"Id": "outer", "Type": "CONTEXT", "Action": "SUCCEED"}
        costs.append(counted.cost(lambda name=name, end=end: checkpoint(tx, name, end)))
    assert costs[1] < 1.5 * costs[0], costs


def test_every_question_is_answered_by_an_index(counted: Counted) -> None:
    """None goes through a table, of whatever size, and none sorts more than what a page asks for."""
    tx = cast("Transaction", counted)
    execution = begin(tx, "e")
    fill(tx, "e", SMALL)
    counted.planning = True
    draft: Draft = durable.draft(tx, execution, NOW_MS, ["c0"])
    assert draft.root
    durable.find_name(tx, KEY, "e")
    durable.changed_ids(tx, "e", 5)
    durable.waits(tx, "e")
    durable.save(tx, draft)
    durable.due(tx, NOW_MS, 10)
    durable.next_due(tx)
    durable.running(tx)
    durable.calling(tx)
    for wanted in (Filter(), Filter(statuses=("RUNNING", "FAILED")), Filter(name="e"), Filter(after_ms=1, version="1")):
        durable.page(tx, KEY, wanted, (NOW_MS, "e"), 10)
    durable.history(tx, execution, 5, 10, newest_first=True)
    pages.state(tx, execution, 0, 10)
    durable_remains.abandon(tx, KEY)
    durable_remains.remove(tx, durable_remains.touched(tx))
    assert [plan for plan in counted.plans if plan.startswith("SCAN") and "USING" not in plan] == []
    assert [plan for plan in counted.plans if "TEMP B-TREE" in plan and "ORDER BY" not in plan] == []


def _within(context: str) -> dict[str, str]:
    return {"ParentId": "outer"} if context == "inner" else {}


def _no_call(operation: object, update: durable_updates.Update) -> None:
    raise AssertionError(f"{operation} is not called by {update}")
