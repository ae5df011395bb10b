"""AWS's own Python client, unmodified, at this Runtime API."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.compute.runtime_api.harness import Bench, event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric is not installed"
)

CODE = """
import json

def hello(event, context):
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "client": context.client_context.custom if context.client_context else None,
        "identity": context.identity.cognito_identity_id,
        "tenant": context.tenant_id,
        "left": context.get_remaining_time_in_millis() == 0,
    }

def fail(event, context):
    raise ValueError("no " + event)

def repeat(event, context):
    return "x" * event

def echo(event, context):
    return event
"""


@pytest.fixture
def client(bench: Bench, tmp_path: Path) -> Callable[[str], AbstractAsyncContextManager[asyncio.subprocess.Process]]:
    """Starts a runtime with a handler of CODE; it is killed at the end."""
    (tmp_path / "index.py").write_text(CODE)
    host, port = bench.address

    @contextlib.asynccontextmanager
    async def start(handler: str) -> AsyncIterator[asyncio.subprocess.Process]:
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "AWS_LAMBDA_FUNCTION_NAME": "greeter",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "awslambdaric", handler, env=variables, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    return start


async def invoke(bench: Bench, sequence: int, payload: Any, **members: Any) -> tuple[Any, ...]:
    """Hand an event to a runtime that waits; what the environment hears of it."""
    body = json.dumps(payload).encode()
    names = {"request_id": f"id-{sequence}", "invocation_id": f"nonce-{sequence}"}
    bench.runtime.event(event(sequence, body, **names, **members))
    return await bench.environment.hears()


async def test_events_and_their_context_arrive(bench: Bench, client: Any) -> None:
    async with client("index.hello"):
        assert await bench.environment.hears() == ("ready",)
        members = {
            "client_context": b'{"custom": {"k": "v"}}',
            "cognito_identity": b'{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}',
            "tenant_id": "blue",
        }
        told, sequence, answer = await invoke(bench, 1, {"name": "café ☕"}, **members)
        assert (told, sequence) == ("answered", 1)
        assert json.loads(answer) == {
            "event": {"name": "café ☕"},
            "id": "id-1",
            "arn": "arn:aws:lambda:us-east-1:123456789012:function:greeter",
            "client": {"k": "v"},
            "identity": "who",
            "tenant": "blue",
            "left": True,
        }
        assert await bench.environment.hears() == ("waiting", 1)


async def test_one_runtime_serves_many_events(bench: Bench, client: Any) -> None:
    async with client("index.echo"):
        assert await bench.environment.hears() == ("ready",)
        for sequence, payload in enumerate((1, "two", None, [3], "ü" * 1000), 1):
            told = await invoke(bench, sequence, payload)
            assert (told[:2], json.loads(told[2])) == (("answered", sequence), payload)
            assert await bench.environment.hears() == ("waiting", sequence)


async def test_a_handler_s_error_arrives_with_its_trace(bench: Bench, client: Any) -> None:
    async with client("index.fail"):
        await bench.environment.hears()
        told, _, body, kind = await invoke(bench, 1, "luck")
        error = json.loads(body)
        assert (told, kind) == ("failed", "Runtime.Unknown")
        assert (error["errorMessage"], error["errorType"], error["requestId"]) == ("no luck", "ValueError", "id-1")
        assert "index.py" in error["stackTrace"][-1]
        assert await bench.environment.hears() == ("waiting", 1)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [("missing.handler", "Runtime.ImportModuleError"), ("index.missing", "Runtime.HandlerNotFound")],
)
async def test_a_handler_that_cannot_be_loaded_is_an_init_error(
    bench: Bench, client: Any, handler: str, kind: str
) -> None:
    async with client(handler) as process:
        told, body, type_of_it = await bench.environment.hears()
        assert (told, type_of_it, json.loads(body)["errorType"]) == ("init_failed", kind, kind)
        await process.communicate()
        assert process.returncode == 1


async def test_the_largest_payloads_pass_and_one_that_is_larger_ends_the_client(bench: Bench, client: Any) -> None:
    async with client("index.repeat"):
        await bench.environment.hears()
        told, _, body = await invoke(bench, 1, limits.INVOKE_PAYLOAD_BYTES - 2)
        assert (told, len(body)) == ("answered", limits.INVOKE_PAYLOAD_BYTES)
        assert await bench.environment.hears() == ("waiting", 1)
        assert await invoke(bench, 2, limits.INVOKE_PAYLOAD_BYTES - 1) == ("too_large", 2)


async def test_the_largest_event_arrives(bench: Bench, client: Any) -> None:
    async with client("index.echo"):
        await bench.environment.hears()
        payload = "y" * (limits.INVOKE_REQUEST_BYTES - 2)
        told, _, body = await invoke(bench, 1, payload)
        assert (told, json.loads(body) == payload) == ("answered", True)
