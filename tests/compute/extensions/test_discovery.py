"""Which files are extensions, and which of them keep an environment from starting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.compute.extensions.discovery import discover, obstacle

if TYPE_CHECKING:
    from pathlib import Path


def put(opt: Path, *names: str, mode: int = 0o755) -> None:
    (opt / "extensions").mkdir(exist_ok=True)
    for name in names:
        (opt / "extensions" / name).write_bytes(b"#!/bin/sh\n")
        (opt / "extensions" / name).chmod(mode)


def test_no_folder_means_no_extensions(tmp_path: Path) -> None:
    assert (discover(tmp_path), obstacle(tmp_path)) == ([], None)


def test_every_file_is_an_extension_and_no_folder(tmp_path: Path) -> None:
    put(tmp_path, "watch", "agent", ".hidden")
    (tmp_path / "extensions" / "folder").mkdir()
    (tmp_path / "extensions" / "link").symlink_to("/opt/bin/agent")
    assert discover(tmp_path) == [".hidden", "agent", "link", "watch"]
    assert obstacle(tmp_path) is None


@pytest.mark.parametrize("target", ["/etc", "elsewhere"])
def test_a_link_in_place_of_the_folder_leads_nowhere(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "extensions").symlink_to(target)
    assert discover(tmp_path) == []


def test_a_file_that_is_not_executable_is_an_obstacle(tmp_path: Path) -> None:
    put(tmp_path, "a")
    put(tmp_path, "b", mode=0o644)
    assert obstacle(tmp_path) == ("b", "PermissionDenied")


def test_the_eleventh_extension_is_an_obstacle(tmp_path: Path) -> None:
    put(tmp_path, *(f"e{number:02}" for number in range(20)))
    assert len(discover(tmp_path)) == 11
    assert obstacle(tmp_path) == ("e10", "TooManyExtensions")
