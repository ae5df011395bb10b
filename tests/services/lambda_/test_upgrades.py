"""What the first schema held is there after all that came later."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.records.configuration import Vpc
from lambent.services.lambda_.store import functions, storage, versions
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
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


async def test_functions_and_versions_of_the_first_schema_read_on(tmp_path: Path) -> None:
    scripts = {each.name: each.read_text() for each in (files("lambent.services.lambda_") / "schema").iterdir()}
    first = {name: script for name, script in scripts.items() if name < "0003"}
    store = await SqliteStore.open(tmp_path / "data", {"lambda_": write_schema(tmp_path / "first", first)})
    await store.write(insert)
    await store.close()
    store = await SqliteStore.open(tmp_path / "data", {"lambda_": write_schema(tmp_path / "all", scripts)})
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
