"""Durable executions that nobody sees any more are removed, a few rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.durable import sweeping
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.store import durable_remains
from tests.services.lambda_.calls import refused
from tests.services.lambda_.durables import DAY_S, real_now, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lambent.store.api import Transaction
    from tests.services.lambda_.durables import Stage


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=True) as staged:
        yield staged


@pytest.fixture
def on(shared: Stage) -> Stage:
    return shared.other()


@pytest.mark.parametrize("rows", [1, 5])
def test_executions_that_have_much_to_remove_go_bit_by_bit(
    on: Stage, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DURABLE_REMOVED", rows)
    function = on.create()
    arns = [_complete(on, function) for _ in range(3)]
    on.pass_time(15 * DAY_S)
    assert on.client.list_durable_executions_by_function(FunctionName=function)["DurableExecutions"] == []
    assert all(on.gone(arn) for arn in arns)
    on.swept()


def test_a_name_is_free_as_soon_as_its_function_is_deleted(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_remains, "touched", lambda _: [])
    monkeypatch.setattr(durable_remains, "remove", lambda _, executions: executions.clear())
    monkeypatch.setattr(limits, "DURABLE_REMOVED", 1)
    function = on.create()
    old = on.begin(function, DurableExecutionName="one")
    on.turn().suspends()
    on.client.delete_function(FunctionName=function)
    on.create_again(function)
    assert on.client.list_durable_executions_by_function(FunctionName=function)["DurableExecutions"] == []
    new = on.begin(function, DurableExecutionName="one")
    assert new != old
    refused(on.client, "ResourceNotFoundException", on.client.get_durable_execution, DurableExecutionArn=old)
    on.turn().returns("SUCCEEDED")
    monkeypatch.undo()
    on.swept()
    assert on.ended(new)["Status"] == "SUCCEEDED"


def test_what_a_killed_server_has_not_removed_the_next_one_removes(tmp_path: Path) -> None:
    with stage(tmp_path, real_now(), puppets=True) as on:
        function = on.create()
        arns = [_complete(on, function) for _ in range(2)]

        def half(tx: Transaction) -> None:
            durable_remains.abandon(tx, FunctionKey(on.account, "us-east-1", function))
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(limits, "DURABLE_REMOVED", 1)
                sweeping.sweep(tx, on.parts.now_ms())

        on.server.run(lambda: on.parts.store.write(half))
        assert all(on.gone(arn) for arn in arns)
        assert on.rows()
    with stage(tmp_path, real_now(), puppets=True) as on:
        on.swept()


def _complete(on: Stage, function: str) -> str:
    """The ARN of an execution that has ended after a few operations."""
    arn = on.begin(function)
    turn = on.turn()
    on.checkpoint(turn, *({"Id": name, "Type": "STEP", "Action": "SUCCEED", "Payload": "1"} for name in "abc"))
    turn.returns("SUCCEEDED")
    on.ended(arn)
    return arn
