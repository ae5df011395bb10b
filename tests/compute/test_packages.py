"""The guess whether a function wants the runtime's SDK, over packages with all that can stand where a file should."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from lambent.compute import packages
from lambent.compute.packages import sdk_wanted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compute.workshop import Workshop


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("import boto3", True), ("from botocore import config", True), ("import json", False)],
    ids=["boto3", "botocore", "neither"],
)
def test_a_source_that_names_the_sdk_wants_it(tmp_path: Path, source: str, wanted: bool) -> None:
    (tmp_path / "app.py").write_text(source)
    assert sdk_wanted(tmp_path, None) is wanted


def test_a_package_or_a_layer_that_brings_the_sdk_wants_none(tmp_path: Path) -> None:
    task, opt = tmp_path / "task", tmp_path / "opt"
    for folder in (task, opt / "python"):
        folder.mkdir(parents=True)
        (task / "app.py").write_text("import boto3")
        (folder / "boto3").mkdir()
        assert not sdk_wanted(task, opt)
        (folder / "boto3").rmdir()
    assert sdk_wanted(task, opt)


def test_what_is_no_file_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / "round.py").symlink_to("round.py")
    (tmp_path / "pkg.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    assert not sdk_wanted(tmp_path, None)
    (tmp_path / "app.py").write_text("import boto3")
    assert sdk_wanted(tmp_path, None)


def test_what_cannot_be_read_wants_none(tmp_path: Path) -> None:
    assert not sdk_wanted(tmp_path / "gone", None)


async def test_the_event_loop_does_not_read_packages_and_each_is_read_once(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def guess(task: Path, opt: Path | None) -> bool:
        threads.append(threading.get_ident())
        return sdk_wanted(task, opt)

    monkeypatch.setattr(packages, "sdk_wanted", guess)
    function = shop.function("def handler(event, context): return 1", timeout_s=20)
    assert await shop.result(function) == 1
    shop.engine.retire(function.arn)
    assert await shop.result(function) == 1
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
