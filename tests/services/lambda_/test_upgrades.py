"""What the first schema held is there after all that came later."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.services.lambda_.records import Function, FunctionKey
from lambent.services.lambda_.records.configuration import Durability, Vpc
from lambent.services.lambda_.records.durable import Execution, Filter
from lambent.services.lambda_.rules import answers, durable_life
from lambent.services.lambda_.store import durable, functions, storage, versions
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lambent.store.api import Transaction

KEY = FunctionKey("000000000000", "us-east-1", "f")
PLACE = msgspec.to_builtins(KEY)
CONFIGURATION = {
    "revision": "one",
    "code_sha256": "ab" * 32,
    "code_size": 7,
    "runtime": "python3.13",
    "handler": "index.handler",
    "role": "arn:aws:iam::111111111111:role/r",
    "logging": {"group": "/aws/lambda/f", "format": "Text", "application_level": None, "system_level": None},
    "description": 'says "empty_vpc":true',
    "memory_mb": 128,
    "timeout_s": 3,
    "storage_mb": 512,
    "variables": None,
    "architecture": "x86_64",
    "tracing": "PassThrough",
    "snap_start": "None",
    "dead_letter_arn": None,
    "empty_vpc": True,
    "layers": [{"arn": "arn:1", "sha256": "cd" * 32, "size": 2}],
}
STATE = {"configuration": CONFIGURATION, "state": "Active", "revision_id": "r", "modified_ms": 5}
FUNCTION = PLACE | STATE | {"serving": CONFIGURATION, "update": None, "tags": {}, "last_version": 1}
VERSION = PLACE | STATE | {"number": 1, "source_description": "", "state_reason": None, "state_reason_code": None}
"""Records as they were written then."""
EXECUTION = Execution(
    id="e",
    account=KEY.account,
    region=KEY.region,
    function=KEY.name,
    version="1",
    name="n",
    durability=Durability(timeout_s=600, retention_days=1),
    result_bytes=100,
    started_ms=5,
    deadline_ms=600_005,
)


MANAGED = {
    "revision": "26c22f76-a878-49a0-8860-2444a2c3dce7",
    "code_sha256": "4c45993d25536c6b0ff76a83b9cf26997fc7d0b3f4363046ea26bbc37ede908f",
    "code_size": 143,
    "runtime": "python3.13",
    "handler": "index.handler",
    "role": "arn:aws:iam::000000000000:role/test",
    "logging": {
        "group": "/aws/lambda/managed",
        "format": "JSON",
        "application_level": "INFO",
        "system_level": "INFO",
    },
    "memory_mb": 2048,
    "instances": {
        "provider_arn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:mine",
        "concurrency": 16,
        "memory_per_vcpu": 2.0,
    },
}
"""What a server of November 2026 has stored, and the digest that it has answered with."""
MANAGED_DIGEST = "e1ba8096575083b5509c8ef0910b9e0ffb6babb8f0e8a737a8e9b242ad1ac243"


def insert(tx: Transaction) -> None:
    def text(record: dict[str, Any]) -> str:
        return json.dumps(record, separators=(",", ":"))

    tx.run(
        "INSERT INTO lambda_function (account, region, name, settled, record)"
        " VALUES (:account, :region, :name, 1, :record)",
        **PLACE,
        record=text(FUNCTION),
    )
    tx.run(
        "INSERT INTO lambda_version (account, region, name, number, pending, record)"
        " VALUES (:account, :region, :name, 1, 0, :record)",
        **PLACE,
        record=text(VERSION),
    )


async def upgraded(tmp_path: Path, before: str, work: Callable[[Transaction], None]) -> SqliteStore:
    """A store that was written by `work` when the schemas from `before` on were not there yet."""
    scripts = {each.name: each.read_text() for each in (files("lambent.services.lambda_") / "schema").iterdir()}
    first = {name: script for name, script in scripts.items() if name < before}
    store = await SqliteStore.open(tmp_path / "data", {"lambda_": write_schema(tmp_path / "first", first)})
    await store.write(work)
    await store.close()
    return await SqliteStore.open(tmp_path / "data", {"lambda_": write_schema(tmp_path / "all", scripts)})


async def test_functions_and_versions_of_the_first_schema_read_on(tmp_path: Path) -> None:
    store = await upgraded(tmp_path, "0003", insert)
    function = await store.read(lambda tx: functions.find(tx, KEY))
    version = await store.read(lambda tx: versions.find(tx, KEY, 1))
    stored = await store.read(lambda tx: storage.stored(tx, KEY.account, KEY.region))
    await store.close()
    assert function is not None
    assert version is not None
    for configuration in (function.configuration, function.serving, version.configuration):
        assert configuration is not None
        assert configuration.vpc == Vpc()
        assert configuration.description == CONFIGURATION["description"]
        assert configuration.packages == {"ab" * 32, "cd" * 32}
    assert function.recursive_loop == "Terminate"
    assert stored == 14


def test_a_configuration_has_the_digest_that_it_had() -> None:
    """A setting that Lambent has learned of since then, and that nobody has set, is no difference."""
    function = msgspec.convert(FUNCTION | {"configuration": MANAGED}, Function)
    assert answers.listed(function)["ConfigSha256"] == MANAGED_DIGEST


def insert_execution(tx: Transaction) -> None:
    begun = durable_life.begun(EXECUTION, "{}")
    tx.run(
        "INSERT INTO lambda_durable_execution"
        " (id, account, region, function, version, name, status, started_ms, due_ms, running, record)"
        " VALUES ('e', :account, :region, :function, '1', 'n', 'RUNNING', 5, 7, 0, :record)",
        account=KEY.account,
        region=KEY.region,
        function=KEY.name,
        record=msgspec.json.encode(begun.execution).decode(),
    )
    tx.run(
        "INSERT INTO lambda_durable_operation"
        " (execution, id, parent, ordinal, change, hidden, waiting, running, due_ms, size, record)"
        " VALUES ('e', 'e', NULL, 1, 1, 0, 0, 0, NULL, 2, :record)",
        record=msgspec.json.encode(begun.root).decode(),
    )
    tx.run(
        "INSERT INTO lambda_durable_event (execution, id, record) VALUES ('e', 1, :record)",
        record=msgspec.json.encode(begun.events[0]).decode(),
    )


async def test_executions_of_the_first_schema_go_on(tmp_path: Path) -> None:
    store = await upgraded(tmp_path, "0010", insert_execution)
    found = await store.read(lambda tx: durable.find_name(tx, KEY, "n"))
    listed = await store.read(lambda tx: durable.page(tx, KEY, Filter(), None, 5))
    due = await store.read(lambda tx: durable.due(tx, 7, 5))
    history, _ = await store.read(lambda tx: durable.history(tx, listed[0], None, 5, newest_first=False))
    await store.close()
    assert [found, *listed] == [durable_life.begun(EXECUTION, "{}").execution] * 2
    assert due == [EXECUTION.id]
    assert [event.type for event in history] == ["ExecutionStarted"]
