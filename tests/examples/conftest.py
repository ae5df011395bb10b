"""One server with every example deployed by `lambent deploy`, as `make run` does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.cli import main
from tests.conftest import Server, serving, settings_for
from tests.examples.test_inputs import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = EXAMPLES.parent / ".cache"
"""What the tests download stays in the checkout."""


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has the examples."""
    with serving(settings_for(tmp_path_factory.mktemp("examples"))) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE))
        code = main.run(["deploy", str(EXAMPLES), "--endpoint", server.endpoint])
        assert code == 0
        yield server


def call(server: Server, name: str, event: Any) -> Any:
    """The answer of a function that must not fail."""
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload
