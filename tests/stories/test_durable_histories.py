"""The histories of durable executions, event by event, against those that AWS's conformance tests expect of AWS.

The scenarios are those of github.com/aws/aws-durable-execution-conformance-tests (Apache-2.0), which runs each against
Lambda with every official SDK; `recorded/durable_histories.json` has what its requirements say of the events, of
September 2026, and `workflows/conformance.py` does what they ask of a function. In the data, `of` and `within` name
operations, `name` is as it is or, from a `$` on, the same wherever it comes again, `says` holds members of the details,
`*` stands for anything, and what stands under `=` is all that there is. Events that are not named are not compared.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.lambda_.durables import DAY_S, real_now, stage, with_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.lambda_.durables import Stage

HERE = Path(__file__).parent
CASES = json.loads((HERE / "recorded" / "durable_histories.json").read_text())


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with the function of the scenarios, and those that it calls."""
    with stage(tmp_path_factory.mktemp("stage"), real_now(), puppets=False) as staged:
        tenants = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}
        for name, module, members in (
            ("conformance", "conformance", {}),
            ("echo", "echoing", {}),
            ("failing", "failing", {}),
            ("tenants", "echoing", tenants),
        ):
            code = {"ZipFile": with_sdk((HERE / "workflows" / f"{module}.py").read_text())}
            staged.create_again(name, timeout_s=DAY_S, Code=code, Timeout=30, **members)
        yield staged


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_what_happens_is_told_as_aws_tells_it(on: Stage, case: dict[str, Any]) -> None:
    arn = on.begin("conformance", {"case": case["case"], "event": case["event"]})
    for act in case["acts"]:
        on.rests(arn)
        _do(on, arn, act)
    held = on.ended(arn)
    on.rests(arn)
    assert held["Status"] == case["status"], held
    if "result" in case:
        assert json.loads(held["Result"]) == case["result"]
    _compare({event["EventId"]: event for event in on.history(arn)}, case["history"])


def _do(on: Stage, arn: str, act: dict[str, Any]) -> None:
    client = on.client
    match act:
        case {"pass": seconds}:
            on.pass_time(seconds)
        case {"beat": number}:
            client.send_durable_execution_callback_heartbeat(CallbackId=on.callback(arn, number))
        case {"succeed": number}:
            client.send_durable_execution_callback_success(CallbackId=on.callback(arn, number), Result=b'"yes"')
        case {"fail": number, "error": error}:
            error = {"Error": error} if error else {}
            client.send_durable_execution_callback_failure(CallbackId=on.callback(arn, number), **error)


def _compare(events: dict[int, dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    known: dict[str, Any] = {}
    for one in expected:
        event = events[one["id"]]
        shown = {"type": event["EventType"], "sub": event.get("SubType"), "says": event[f"{event['EventType']}Details"]}
        for member, said in (("of", "Id"), ("within", "ParentId"), ("name", "Name")):
            shown[member] = event.get(said)
        for member in ("of", "within", "name"):
            variable = str(one.get(member, ""))
            if variable and (member != "name" or variable.startswith("$")):
                assert known.setdefault(variable, shown[member]) == shown[member] is not None, (one, event)
                shown[member] = one[member]
        assert _like(shown, {member: value for member, value in one.items() if member != "id"}), (one, event)
    assert len({*known.values()}) == len(known)


def _like(found: Any, wanted: Any) -> bool:
    if wanted == "*":
        return found is not None
    if isinstance(wanted, dict) and "=" in wanted:
        return bool(found == wanted["="])
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_like(found.get(name), value) for name, value in wanted.items())
    return bool(found == wanted)
