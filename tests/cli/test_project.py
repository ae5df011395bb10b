"""Projects: handlers are found, names and settings checked, files chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.cli import project
from lambent.cli.failure import Exit, Failure
from lambent.cli.project import Wanted

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = "def handler(event, context):\n    return event\n"


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"lambda_function.py": "def lambda_handler(event, context): ..."}, "lambda_function.lambda_handler"),
        ({"app.py": HANDLER}, "app.handler"),
        ({"index.py": "async def handler(event, context): ..."}, "index.handler"),
        ({"main.py": "handler = make()"}, "main.handler"),
        ({"app.py": "from inner import run as handler"}, "app.handler"),
        ({"app.py": "x = 1", "main.py": HANDLER}, "main.handler"),
        ({"app.py": HANDLER, "lambda_function.py": "def lambda_handler(e, c): ..."}, "lambda_function.lambda_handler"),
        ({"app.py": HANDLER, "function.toml": 'handler = "src.other.run"'}, "src.other.run"),
    ],
)
def test_the_handler_is_found_in_the_code(tmp_path: Path, files: dict[str, str], handler: str) -> None:
    assert project.read(make(tmp_path, files), Wanted()).handler == handler


def program(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bootstrap").write_text("#!/bin/sh\n")
    (folder / "bootstrap").chmod(mode)
    return folder


def test_a_folder_with_a_program_and_no_handler_brings_its_own_runtime(tmp_path: Path) -> None:
    found = project.read(program(tmp_path), Wanted())
    assert (found.custom, found.handler, found.pinned_runtime) == (True, "bootstrap", None)
    assert project.find(tmp_path) == [tmp_path]


def test_a_module_with_a_handler_or_a_python_runtime_makes_it_a_python_function(tmp_path: Path) -> None:
    make(program(tmp_path), {"app.py": HANDLER})
    found = project.read(tmp_path, Wanted())
    assert (found.custom, found.handler) == (False, "app.handler")
    assert project.read(tmp_path, Wanted(runtime="provided.al2023")).custom


def test_a_layer_may_bring_the_program_and_a_handler_is_whatever_it_takes(tmp_path: Path) -> None:
    found = project.read(tmp_path, Wanted(runtime="provided.al2", handler="src/greet.js"))
    assert (found.custom, found.handler) == (True, "src/greet.js")


def test_a_program_that_cannot_be_executed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        project.read(program(tmp_path, 0o644), Wanted())
    assert "bootstrap cannot be executed: chmod +x" in str(caught.value)
    assert caught.value.code == Exit.USAGE


def test_a_single_file_is_a_function_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, {"greet.py": HANDLER, "other.py": HANDLER})
    found = project.read(tmp_path / "greet.py", Wanted())
    assert (found.name, found.handler) == ("greet", "greet.handler")
    assert [name for name, _ in found.files()] == ["greet.py"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"util.py": HANDLER}, "no handler found: no function called lambda_handler or handler in lambda_function.py"),
        ({"app.py": "class Outer:\n    def handler(self): ..."}, "no handler found"),
        ({"app.py": "def handler(:"}, "app.py: not valid Python"),
    ],
)
def test_a_missing_handler_is_explained(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    with pytest.raises(Failure) as caught:
        _ = project.read(make(tmp_path, files), Wanted()).handler
    assert expected in str(caught.value)
    assert caught.value.code == Exit.USAGE


def test_flags_win_over_the_functions_file_and_variables_add_up(tmp_path: Path) -> None:
    text = 'name = "one"\nmemory = 256\ntimeout = 5\nexclude = ["a"]\n[variables]\nA = "1"\nB = "2"\n'
    make(tmp_path, {"app.py": HANDLER, "function.toml": text})
    wanted = project.read(tmp_path, Wanted(memory=512, variables={"B": "3"}, exclude=("b",))).wanted
    assert wanted == Wanted(name="one", memory=512, timeout=5, variables={"A": "1", "B": "3"}, exclude=("a", "b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory = 64", "memory: 64 is not allowed; it takes megabytes from 128 to 10240"),
        ('timeout = "5"', "timeout: '5' is not allowed; it takes seconds from 1 to 900"),
        ("memmory = 128", "nothing is called memmory; there are name, handler"),
        ("memory 128", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_functions_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    make(tmp_path, {"app.py": HANDLER, "function.toml": text})
    with pytest.raises(Failure) as caught:
        project.read(tmp_path, Wanted())
    assert str(caught.value).startswith(f"{tmp_path / 'function.toml'}: ")
    assert expected in str(caught.value)


def test_a_name_that_lambda_does_not_take_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "my function", {"app.py": HANDLER})
    with pytest.raises(Failure, match="'my function' cannot be a function's name"):
        _ = project.read(tmp_path / "my function", Wanted()).name
    assert project.read(tmp_path / "my function", Wanted(name="mine")).name == "mine"


@pytest.mark.parametrize(
    ("files", "runtime"),
    [
        ({}, None),
        ({".python-version": "3.12.1\n"}, "python3.12"),
        ({".python-version": "3.12", "function.toml": 'runtime = "python3.10"'}, "python3.10"),
        ({".python-version": "pypy3.10"}, None),
    ],
)
def test_a_runtime_can_be_pinned(tmp_path: Path, files: dict[str, str], runtime: str | None) -> None:
    make(tmp_path, {"app.py": HANDLER} | files)
    assert project.read(tmp_path, Wanted()).pinned_runtime == runtime


def test_files_come_sorted_and_without_what_never_runs(tmp_path: Path) -> None:
    kept = ["app.py", "data/b.json", "data/c.json", "z.txt"]
    dropped = [".git/config", "__pycache__/app.pyc", "lib/__pycache__/x.pyc", ".venv/bin/python", "function.toml"]
    make(tmp_path, dict.fromkeys([*reversed(kept), *dropped], ""))
    assert [name for name, _ in project.read(tmp_path, Wanted()).files()] == kept


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("*.md", ["app.py", "data/a.csv", "data/deep/a.csv"]),
        ("data", ["app.py", "docs/x.md"]),
        ("data/deep/", ["app.py", "data/a.csv", "docs/x.md"]),
        ("a.csv", ["app.py", "docs/x.md"]),
        ("data/a.csv", ["app.py", "data/deep/a.csv", "docs/x.md"]),
    ],
)
def test_patterns_keep_files_out(tmp_path: Path, pattern: str, kept: list[str]) -> None:
    make(tmp_path, dict.fromkeys(["app.py", "data/a.csv", "data/deep/a.csv", "docs/x.md"], ""))
    assert [name for name, _ in project.read(tmp_path, Wanted(exclude=(pattern,))).files()] == kept


def test_a_link_to_a_folder_is_refused_rather_than_followed_for_ever(tmp_path: Path) -> None:
    make(tmp_path, {"app.py": HANDLER})
    (tmp_path / "self").symlink_to(tmp_path)
    with pytest.raises(Failure, match="self is a link to a folder"):
        list(project.read(tmp_path, Wanted()).files())
    assert [name for name, _ in project.read(tmp_path, Wanted(exclude=("self",))).files()] == ["app.py"]


def test_a_folder_of_functions_gives_each_of_them(tmp_path: Path) -> None:
    make(tmp_path, {"one/app.py": HANDLER, "two/function.toml": "", "docs/readme.md": "", "top.txt": ""})
    assert project.find(tmp_path) == [tmp_path / "one", tmp_path / "two"]
    assert project.find(tmp_path / "one") == [tmp_path / "one"]


@pytest.mark.parametrize("name", ["none", "text.txt"])
def test_what_is_no_function_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("")
    with pytest.raises(Failure) as caught:
        project.read(tmp_path / name, Wanted())
    assert caught.value.code == Exit.USAGE
