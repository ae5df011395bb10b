"""Packages: the same files give the same bytes, and what Lambda would refuse is refused here."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from lambent.cli import package, project
from lambent.cli.failure import Failure
from lambent.cli.project import Wanted
from lambent.kernel import limits

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path) -> project.Project:
    return project.read(folder, Wanted())


def names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    for folder, order in (("a", ("x.py", "app.py")), ("b", ("app.py", "x.py"))):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(order):
            path = tmp_path / folder / name
            path.write_text(f"# {name}")
            os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    assert package.build(read(tmp_path / "a"), None) == package.build(read(tmp_path / "b"), None)


def test_a_changed_byte_gives_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("a")
    before = package.build(read(tmp_path), None)
    (tmp_path / "app.py").write_text("b")
    assert package.build(read(tmp_path), None) != before


def test_executables_stay_executable_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh")
    (tmp_path / "run").chmod(0o700)
    (tmp_path / "app.py").write_text("")
    (tmp_path / "app.py").chmod(0o600)
    archive = zipfile.ZipFile(io.BytesIO(package.build(read(tmp_path), None)))
    modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert modes == {"app.py": "0o100644", "run": "0o100755"}


def test_requirements_are_packaged_and_the_projects_own_files_win(tmp_path: Path) -> None:
    source, packages = tmp_path / "source", tmp_path / "packages"
    for folder in (source, packages / "lib" / "__pycache__"):
        folder.mkdir(parents=True)
    (source / "app.py").write_text("own")
    (packages / "app.py").write_text("theirs")
    (packages / "lib" / "code.py").write_text("x")
    (packages / "lib" / "__pycache__" / "code.pyc").write_bytes(b"x")
    data = package.build(read(source), packages)
    assert names(data) == ["app.py", "lib/code.py"]
    assert zipfile.ZipFile(io.BytesIO(data)).read("app.py") == b"own"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="nothing to package"):
        package.build(read(tmp_path), None)


def test_more_than_lambda_takes_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(limits.FUNCTION_UNZIPPED_BYTES + 1)
    with pytest.raises(Failure, match=r"the package has 250\.0 MB unzipped, and Lambda takes 250\.0 MB"):
        package.build(read(tmp_path), None)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 KB"), (347, "0.3 KB"), (102_400, "100.0 KB"), (5_242_880, "5.0 MB")]
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert package.megabytes(size) == text
