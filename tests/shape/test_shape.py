"""The shape of the house: one home per operation, pages up to date, one word for one thing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "lambent"
MODULES = sorted(SOURCE.rglob("*.py"))


def test_every_operation_has_one_home_named_after_it(lambent: Server) -> None:
    for service in lambent.app.services:
        for operation in service.operations:
            definition = f"async def {operation.__name__}("
            modules = (SOURCE / "services").glob(f"{service.name}*/operations/*.py")
            homes = [path for path in modules if definition in path.read_text()]
            assert len(homes) == 1, (service.name, operation.__name__, homes)


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_every_public_function_is_documented() -> None:
    silent = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
            if public and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(SOURCE)}:{node.name}")
    assert not silent


def test_no_module_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(SOURCE)): lines for path in MODULES if (lines := len(path.read_text().splitlines())) > 700
    }
    assert not long


def test_the_status_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/status_pages.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_noted_of_operations_is_noted_of_some_that_there_are(lambent: Server) -> None:
    for service in lambent.app.services:
        names = {operation.__name__.title().replace("_", "") for operation in service.operations}
        assert service.notes.keys() <= names, service.name


def test_every_module_of_the_engine_and_of_lambda_has_its_place_in_the_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text()
    lambda_ = SOURCE / "services" / "lambda_"
    folders = [SOURCE / "compute", lambda_, *(lambda_ / name for name in ("access", "durable", "queue", "urls"))]
    modules = [path for folder in folders for path in folder.glob("*.py") if path.name != "__init__.py"]
    named = set(re.findall(r"`([a-z_]+)(?:\.py)?`", plan))
    assert [str(path.relative_to(SOURCE)) for path in modules if path.stem not in named] == []


def test_links_in_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_decision_records_have_one_form() -> None:
    for number, page in enumerate(sorted((ROOT / "docs" / "decisions").glob("*.md")), 1):
        text = page.read_text()
        assert text.startswith(f"# {number:04}: "), page.name
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        assert parts == ["Decision", "Why", "Alternatives", "Consequences"], page.name


def test_every_operation_says_what_it_does_and_where_that_is_written(lambent: Server) -> None:
    for service in lambent.app.services:
        for operation in service.operations:
            sentence, *_, source = (operation.__doc__ or "").strip().splitlines()
            name = operation.__name__.title().replace("_", "")
            assert sentence.endswith("."), (service.name, operation.__name__)
            assert re.fullmatch(rf"https://docs\.aws\.amazon\.com/\S+/API_{name}\.html", source.strip()), source


def test_what_is_left_for_later_is_written_nowhere_in_the_code() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    found = [str(path.relative_to(SOURCE)) for path in MODULES if pattern.search(path.read_text())]
    assert not found
