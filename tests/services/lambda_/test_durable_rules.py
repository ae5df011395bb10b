"""The rules of durable executions by themselves: what may be checkpointed, and what time does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.records.configuration import Durability
from lambent.services.lambda_.records.durable import Execution, Operation
from lambent.services.lambda_.rules import durable_answers, durable_ids, durable_life, durable_updates
from lambent.services.lambda_.rules.durable_drafts import Draft

NOW_MS = 1_700_000_000_000
START = {"Action": "START"}


def begun(**members: Any) -> Draft:
    """An execution that has just begun."""
    execution = Execution(
        id="e",
        account="000000000000",
        region="us-east-1",
        function="f",
        version="1",
        name="n",
        durability=Durability(timeout_s=600),
        result_bytes=100,
        started_ms=NOW_MS,
        deadline_ms=NOW_MS + 600_000,
        **members,
    )
    return durable_life.begun(execution, "{}")


def later(draft: Draft, seconds: float) -> Draft:
    """The execution as a transaction finds it that many seconds after the one before."""
    return Draft(draft.execution, draft.operations, draft.now_ms + int(seconds * 1000))


def update(kind: str, action: str = "START", name: str = "o", **members: Any) -> dict[str, Any]:
    """One OperationUpdate."""
    options = {"WAIT": {"WaitOptions": {"WaitSeconds": 10}}, "CHAINED_INVOKE": {"ChainedInvokeOptions": {}}}
    return {
        "Id": name,
        "Type": kind,
        "Action": action,
        **(options.get(kind, {}) if action == "START" else {}),
        **members,
    }


def apply(draft: Draft, *updates: dict[str, Any]) -> None:
    """Checkpoint; calls begin nothing."""
    durable_updates.apply(draft, list(updates), {"o": "callback id"}, lambda operation, update: None)


RETRY = update("STEP", "RETRY", StepOptions={"NextAttemptDelaySeconds": 1})


@pytest.mark.parametrize(
    ("before", "updates", "message"),
    [
        ((), (update("EXECUTION", "SUCCEED"), update("EXECUTION", "FAIL")), "Cannot checkpoint multiple EXECUTION"),
        ((), (update("EXECUTION", "SUCCEED"), update("STEP")), "EXECUTION checkpoint must be the last update."),
        ((), (update("EXECUTION", "START"),), "Invalid action for the given operation type."),
        ((), (update("STEP"), update("STEP")), "Cannot checkpoint multiple operations with the same ID."),
        ((), (update("WAIT"), update("WAIT", "CANCEL")), "Cannot checkpoint multiple operations with the same ID."),
        ((), (update("CALLBACK", "SUCCEED"),), "Invalid action for the given operation type."),
        ((), (update("CHAINED_INVOKE", "CANCEL"),), "Invalid action for the given operation type."),
        ((), (update("STEP", ParentId="none"),), "Invalid parent operation id."),
        ((update("STEP", name="p"),), (update("STEP", ParentId="p"),), "Invalid parent operation id."),
        ((), ({"Id": "o", "Type": "WAIT", **START},), "Update for WAIT operation requires WaitOptions."),
        ((), ({"Id": "o", "Type": "CHAINED_INVOKE", **START},), "requires ChainedInvokeOptions."),
        ((), (update("STEP", "SUCCEED", Error={}),), "Cannot provide an Error for SUCCEED action."),
        ((), (update("CONTEXT", "FAIL", Payload=""),), "Cannot provide a Payload for FAIL action."),
        ((), (RETRY | {"Payload": "", "Error": {}},), "Cannot provide both error and payload to RETRY a STEP."),
        ((), (update("STEP", "RETRY"),), "Invalid StepOptions for the given action."),
        (
            (),
            (update("STEP", StepOptions={"NextAttemptDelaySeconds": 1}),),
            "Invalid StepOptions for the given action.",
        ),
        ((update("STEP"),), (update("WAIT"),), "Inconsistent operation type."),
        ((update("STEP", Name="a"),), (update("STEP", "SUCCEED", Name="b"),), "Inconsistent operation name."),
        ((update("STEP", SubType="a"),), (update("STEP", "SUCCEED", SubType="b"),), "Inconsistent operation subtype."),
        (
            (update("CONTEXT", name="c"), update("STEP")),
            (update("STEP", "SUCCEED", ParentId="c"),),
            "Inconsistent parent operation id.",
        ),
        ((update("STEP"),), (update("STEP"),), "Invalid current STEP state to start."),
        ((RETRY,), (update("STEP"),), "Invalid current STEP state to start."),
        ((RETRY,), (update("STEP", "SUCCEED"),), "Invalid current STEP state to close."),
        ((RETRY,), (RETRY,), "Invalid current STEP state to re-attempt."),
        ((update("STEP", "FAIL"),), (RETRY,), "Invalid current STEP state to re-attempt."),
        ((), (update("CONTEXT", "SUCCEED"),), "Invalid current CONTEXT state to close."),
        ((update("CONTEXT"),), (update("CONTEXT"),), "Cannot start a CONTEXT that already exist."),
        ((update("WAIT"),), (update("WAIT"),), "Cannot start a WAIT that already exist."),
        ((update("CALLBACK"),), (update("CALLBACK"),), "Cannot start a CALLBACK that already exist."),
        ((update("CHAINED_INVOKE"),), (update("CHAINED_INVOKE"),), "Cannot start a CHAINED_INVOKE that already exist."),
        ((), (update("WAIT", "CANCEL"),), "Cannot cancel a WAIT that does not exist or has already completed."),
        (
            (),
            (update("STEP", "SUCCEED", Payload="a" * 1_048_577),),
            "STEP output payload size must be less than or equal to 1048576 bytes.",
        ),
        (
            (),
            (update("CHAINED_INVOKE", Payload="a" * 1_048_577),),
            "CHAINED_INVOKE input payload size must be less than or equal to 1048576 bytes.",
        ),
        (
            (),
            (update("EXECUTION", "SUCCEED", Payload="a" * 101),),
            "Execution output payload size must be less than or equal to 100 bytes.",
        ),
        (
            (),
            (update("STEP", "FAIL", Error={"ErrorData": "a" * (1_048_577 - len('{"ErrorData":""}'))}),),
            "Error object size must be less than or equal to 1048576 bytes.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(before: Any, updates: Any, message: str) -> None:
    draft = begun()
    for each in before:
        apply(draft, each)
    with pytest.raises(AwsError) as caught:
        apply(draft, *updates)
    assert caught.value.code == "InvalidParameterValueException"
    assert message in caught.value.message


def test_a_wait_that_is_over_cannot_be_cancelled() -> None:
    draft = begun()
    apply(draft, update("WAIT"))
    draft = later(draft, 10)
    durable_life.fire(draft)
    with pytest.raises(AwsError, match="already completed"):
        apply(draft, update("WAIT", "CANCEL"))


def test_what_time_does_is_done_once() -> None:
    draft = begun()
    apply(draft, update("WAIT"), RETRY | {"Id": "s"})
    draft = later(draft, 10)
    durable_life.fire(draft)
    assert [held.status for held in draft.operations] == ["STARTED", "SUCCEEDED", "READY"]
    assert [event.type for event in draft.events] == ["WaitSucceeded"]
    again = later(draft, 1)
    durable_life.fire(again)
    assert (again.events, again.changed) == ([], [])


def test_an_execution_is_due_at_the_first_of_its_moments() -> None:
    draft = begun(wanted=False)
    assert durable_life.due_ms(draft.execution, None) == NOW_MS + 600_000
    assert durable_life.due_ms(draft.execution, NOW_MS + 5) == NOW_MS + 5
    draft.edit(wanted=True)
    assert durable_life.due_ms(draft.execution, NOW_MS + 5) == NOW_MS
    draft.edit(retry_ms=NOW_MS + 3)
    assert durable_life.due_ms(draft.execution, NOW_MS + 5) == NOW_MS + 3
    draft.edit(invocation="one")
    assert durable_life.due_ms(draft.execution, None) == NOW_MS + 600_000
    draft.close("SUCCEEDED")
    days = draft.execution.durability.retention_days
    assert durable_life.due_ms(draft.execution, None) == NOW_MS + days * 24 * 3600 * 1000
    draft.edit(deleting=True)
    assert durable_life.due_ms(draft.execution, None) == NOW_MS


def test_a_pause_that_stops_the_timeout_does_not_stop_it_for_ever() -> None:
    draft = begun()
    durable_life.pause(draft, None, stops_timeout=True)
    assert durable_life.expires_ms(draft.execution) == NOW_MS + limits.DURABLE_LIFE_S * 1000
    draft = later(draft, limits.DURABLE_LIFE_S)
    durable_life.fire(draft)
    assert draft.execution.ending == "TIMED_OUT"


def test_pauses_between_attempts_grow_to_a_most() -> None:
    pauses = [durable_life.pause_ms(attempt) for attempt in range(1, 100)]
    assert pauses[:4] == [1000, 2000, 4000, 8000]
    assert pauses == sorted(pauses)
    assert pauses[-1] == limits.DURABLE_RETRY_MAX_S * 1000


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (
            b'{"errorMessage": "m", "errorType": "T", "stackTrace": ["a", 1]}',
            {"ErrorMessage": "m", "ErrorType": "T", "StackTrace": ["a", "1"]},
        ),
        (b'{"errorMessage": null}', {"ErrorMessage": "", "ErrorType": "Unhandled"}),
        (b"not json", {"ErrorMessage": "not json", "ErrorType": "Unhandled"}),
        (b"[]", {"ErrorMessage": "[]", "ErrorType": "Unhandled"}),
        (b"\xff", {"ErrorMessage": "\ufffd", "ErrorType": "Unhandled"}),
    ],
    ids=["whole", "empty", "text", "list", "bytes"],
)
def test_an_error_is_read_whatever_the_function_has_written(payload: bytes, error: dict[str, Any]) -> None:
    assert durable_answers.error(payload, "Unhandled") == error


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"PENDING"',
        b'{"Status": 1}',
        b'{"Status": "SUCCEEDED", "Result": 1}',
        b'{"Status": "FAILED", "Error": "why"}',
        b'{"Status": "FAILED", "Error": {"ErrorMessage": 1}}',
        b'{"Status": "FAILED", "Error": {"StackTrace": [1]}}',
        b"\xff",
    ],
)
def test_what_is_no_answer_has_no_status(payload: bytes) -> None:
    assert durable_answers.answer(payload) == durable_life.Answer()


def test_of_an_error_that_is_returned_only_what_aws_knows_is_kept() -> None:
    payload = b'{"Status": "FAILED", "Error": {"ErrorMessage": "m", "ErrorType": null, "StackTrace": [], "Other": 1}}'
    assert durable_answers.answer(payload).error == {"ErrorMessage": "m", "StackTrace": []}
    assert durable_answers.answer(b'{"Status": "FAILED", "Error": {}}').error == {}


@given(some.text())
def test_no_text_passes_for_a_token_or_a_callback_id(text: str) -> None:
    assert durable_ids.token(text) is None
    assert durable_ids.callback(text) is None


NAMES = some.sampled_from(["a", "b", "c"])
UPDATES = some.one_of(
    some.builds(
        lambda kind, action, name, parent: update(kind, action, name) | ({"ParentId": parent} if parent else {}),
        some.sampled_from(["CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]),
        some.sampled_from(["START", "SUCCEED", "FAIL", "CANCEL"]),
        NAMES,
        some.none() | NAMES,
    ),
    some.builds(lambda name: RETRY | {"Id": name}, NAMES),
    some.just(update("EXECUTION", "SUCCEED", "end")),
)


@given(some.lists(some.tuples(some.lists(UPDATES, max_size=4), some.integers(0, 15)), max_size=8))
def test_whatever_is_checkpointed_the_execution_stays_in_order(rounds: list[tuple[list[Any], int]]) -> None:
    draft = begun()
    for updates, seconds in rounds:
        trial = later(draft, seconds)
        try:
            durable_updates.apply(trial, updates, dict.fromkeys("abc", "id"), lambda operation, update: None)
        except AwsError as refusal:
            assert refusal.code == "InvalidParameterValueException"
            continue
        durable_life.fire(trial)
        events = draft.execution.events
        assert [event.id for event in trial.events] == [*range(events + 1, trial.execution.events + 1)]
        draft = trial
        if not draft.open:
            break
    operations = draft.operations
    assert [held.ordinal for held in operations] == list(range(1, len(operations) + 1))
    assert draft.execution.operations == len(operations)
    assert max(held.change for held in operations) <= draft.execution.changes
    assert len({held.change for held in operations}) == len(operations)
    for held in operations:
        assert (held.ended_ms is None) == held.open
        if draft.open and held.due_ms is not None and held.type != "CHAINED_INVOKE":
            assert held.due_ms > draft.now_ms
        assert msgspec.json.decode(msgspec.json.encode(held), type=Operation) == held
