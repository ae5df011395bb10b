"""The JSON of the Python client, where it takes a shorter way than the interpreter's own: it must say the same."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import lambent.compute.bootstraps

FILE = Path(lambent.compute.bootstraps.__file__).parent / "python" / "bootstrap.py"


def client() -> Any:
    """The client as a module: defined, and not run."""
    spec = importlib.util.spec_from_file_location("client_under_test", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLIENT = client()
FORMS = {"ascii": True, "text": False}
LONG = "a" * 2 * CLIENT.LONG
TEXTS = {
    "plain": LONG,
    "at the edge": LONG[: CLIENT.LONG],
    "not ascii": LONG + "\u00e9",
    "half a pair": LONG + "\ud800",
    "nothing but quotes": '"' * len(LONG),
}


@pytest.fixture(params=FORMS)
def coder(request: pytest.FixtureRequest) -> Any:
    """What a function's process decodes and encodes with."""
    return CLIENT.Json(FORMS[request.param])


@pytest.mark.parametrize("name", TEXTS)
def test_long_texts_are_written_as_json_writes_them(coder: Any, name: str) -> None:
    text = TEXTS[name]
    for value in (
        text,
        [text],
        {"body": text, "n": 1, "x": None, "deeper": {"body": text, "list": [text, 1.5]}},
        {text: text, "\u00e9\n": True},
        {1: text, None: 2},
        {"body": text, **{str(number): number for number in range(CLIENT.FIELDS)}},
    ):
        assert coder.encode(value) == json.dumps(value, ensure_ascii=coder.ascii_only)


def test_every_character_that_json_escapes_is_escaped_in_long_texts_too(coder: Any) -> None:
    for number in range(0x100):
        text = LONG + chr(number) + "b"
        assert coder.encode(text) == json.dumps(text, ensure_ascii=coder.ascii_only), number


@pytest.mark.parametrize("name", TEXTS)
def test_long_texts_are_read_as_json_reads_them(coder: Any, name: str) -> None:
    for space in ("", " ", "\n"):
        event = (space + json.dumps(TEXTS[name]) + space).encode()
        assert coder.decode(event) == TEXTS[name]


@pytest.mark.parametrize("end", ["\\\\", "\\n", '\\"', "\\u0041"])
def test_escapes_in_long_texts_are_read(coder: Any, end: str) -> None:
    event = f'"{LONG}{end}"'
    assert coder.decode(event.encode()) == json.loads(event)
