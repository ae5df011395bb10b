"""The AWS SDK for JavaScript v3, unmodified, with nothing but environment variables set."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import RUNTIME, archive, aws_environment

if TYPE_CHECKING:
    from tests.conftest import Server

FOLDER = Path(__file__).parent / "node"
CODE = """
def handler(event, context):
    print("called with", sorted(event))
    if event.get("fail"):
        raise ValueError("asked to fail")
    return {"hello": event["name"]}
"""


@pytest.mark.slow
def test_the_node_sdk_sees_what_aws_would_answer(lambent: Server, tmp_path: Path) -> None:
    assert (FOLDER / "node_modules").is_dir(), "run scripts/setup-clients (make test-all does)"
    code = tmp_path / "code.zip"
    code.write_bytes(archive({"app.py": CODE}))
    done = subprocess.run(
        ["node", "session.mjs", str(code), RUNTIME],
        cwd=FOLDER,
        env=aws_environment(lambent.endpoint),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("tail").startswith("START RequestId: ")
    logged = seen.pop("logged")
    assert any("called with ['name']" in message for message in logged)
    assert any(message.startswith("REPORT RequestId: ") for message in logged)
    assert seen == {
        "state": "Pending",
        "payload": {"hello": "Zoë"},
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
        "errorType": "ValueError",
        "duplicate": True,
        "missing": True,
        "missingMessage": "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody",
        "missingType": "User",
        "missingStatus": 404,
        "account": "000000000000",
        "noRole": True,
        "assumed": "arn:aws:sts::000000000000:assumed-role/node/session",
    }
