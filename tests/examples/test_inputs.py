"""The events of the examples are made from the real files beside them."""

from __future__ import annotations

import base64
import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lambent.cli import project
from lambent.cli.project import Wanted

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("approval", "csv-report", "fastapi", "flask", "hello", "shell-runtime", "thumbnail")


def event(name: str) -> Any:
    return json.loads((EXAMPLES / name / "event.json").read_bytes())


def test_every_example_is_known_to_these_tests() -> None:
    assert tuple(folder.name for folder in project.find(EXAMPLES)) == NAMES


def test_the_thumbnail_event_holds_the_photo() -> None:
    assert base64.b64decode(event("thumbnail")["image"]) == (EXAMPLES / "thumbnail" / "rocket.jpg").read_bytes()


def test_the_csv_event_holds_the_file() -> None:
    packed = base64.b64decode(event("csv-report")["csv_gzip"])
    assert gzip.decompress(packed) == (EXAMPLES / "csv-report" / "seattle-weather.csv").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_its_page_and_packages_nothing_but_code(name: str) -> None:
    found = project.read(EXAMPLES / name, Wanted())
    code, handler = ("bootstrap",) * 2 if found.custom else ("lambda_function.py", "lambda_function.lambda_handler")
    assert (found.name, found.handler) == (name, handler)
    packaged = {path for path, _ in found.files()}
    assert packaged - {"requirements.txt"} == {code}
    text = (EXAMPLES / name / "README.md").read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    assert tomllib.loads((EXAMPLES / name / "function.toml").read_text("utf-8"))["description"]
