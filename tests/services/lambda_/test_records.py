"""What the engine is given of a stored function and its versions."""

from __future__ import annotations

from typing import Any

import msgspec

from lambent.compute.function import FunctionVersion
from lambent.services.lambda_.records import Function, Version
from lambent.services.lambda_.records.configuration import Configuration, Logging, UsedLayer

HELD = Configuration(
    revision="one",
    code_sha256="ab" * 32,
    code_size=1,
    runtime="python3.13",
    handler="index.handler",
    role="arn:aws:iam::111111111111:role/r",
    logging=Logging("/aws/lambda/f", "JSON", "DEBUG", "WARN"),
    memory_mb=256,
    timeout_s=9,
    storage_mb=1024,
    variables={"A": "b"},
    architecture="arm64",
    tracing="Active",
    snap_start="PublishedVersions",
    layers=(UsedLayer("arn:1", "cd" * 32, 2), UsedLayer("arn:2", "ef" * 32, 3)),
)
PLACE: dict[str, Any] = {"account": "000000000000", "region": "us-east-1", "name": "f"}
LATEST = Function(**PLACE, configuration=HELD, revision_id="r", modified_ms=0)
FIRST = Version(
    **PLACE, number=1, configuration=HELD, source_description="", state="Active", revision_id="r", modified_ms=0
)


def test_the_engine_gets_all_that_an_environment_is_built_from() -> None:
    expected = FunctionVersion(
        **PLACE,
        version="1",
        revision="one",
        role="arn:aws:iam::000000000000:role/r",
        runtime="python3.13",
        handler="index.handler",
        code_sha256="ab" * 32,
        memory_mb=256,
        timeout_s=9,
        variables={"A": "b"},
        log_group="/aws/lambda/f",
        log_format="JSON",
        log_level="DEBUG",
        system_log_level="WARN",
        layers=("cd" * 32, "ef" * 32),
        ephemeral_mb=1024,
        snap_start=True,
        tracing=True,
        architecture="arm64",
    )
    assert FIRST.version() == expected
    assert LATEST.version() == msgspec.structs.replace(expected, version="$LATEST", snap_start=False)


def test_what_was_stored_before_there_were_versions_reads_on() -> None:
    record = msgspec.to_builtins(LATEST)
    del record["last_version"], record["configuration"]["layers"]
    old = msgspec.convert(record, Function)
    assert (old.last_version, old.configuration.layers) == (0, ())


def test_a_function_needs_its_packages_and_layers() -> None:
    assert FIRST.packages == LATEST.packages == {"ab" * 32, "cd" * 32, "ef" * 32}
    other = msgspec.structs.replace(HELD, code_sha256="12" * 32, layers=())
    updating = msgspec.structs.replace(LATEST, configuration=other, serving=HELD)
    assert updating.packages == LATEST.packages | {"12" * 32}
