"""The functions that a run deploys, and the calls that it makes of them."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from benchmarks.client import request_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD = b'{"name":"you"}'
HELLO = "def handler(event, context):\n    return {'hello': event['name']}\n"
ROLE = "arn:aws:iam::000000000000:role/benchmark"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
SETTLE_S = 60
WHOLE_CORE_MB = 1769
"""What gives a function one core: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


def client(endpoint: str, service: str = "lambda") -> Any:
    """A boto3 client that never repeats a call."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of `files`, all of them executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as output:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            output.writestr(entry, content)
    return buffer.getvalue()


def create(functions: Any, name: str, code: str | bytes = HELLO, **members: Any) -> None:
    """Deploy a function, a module's source or a whole archive, and wait until it is active. It may use one core, lest
    its share of one be what is measured. Raises ClientError."""
    zipped = archive({"app.py": code}) if isinstance(code, str) else code
    request = {"FunctionName": name, "Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE}
    size = {"MemorySize": WHOLE_CORE_MB, "Timeout": 60}
    functions.create_function(**request | size | {"Code": {"ZipFile": zipped}} | members)
    waiter = functions.get_waiter("function_active_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": int(SETTLE_S / 0.02)})


def call(
    endpoint: str, name: str, payload: bytes = PAYLOAD, *, qualifier: str = "", signed: bool = True, kind: str = ""
) -> bytes:
    """An Invoke as it goes over the wire, of the InvocationType `kind`; without a signature for servers that want
    none."""
    query = f"?Qualifier={qualifier}" if qualifier else ""
    url = f"{endpoint}/2015-03-31/functions/{name}/invocations{query}"
    headers = {"X-Amz-Invocation-Type": kind} if kind else {}
    return request_bytes(url, payload, headers, signed_for="lambda" if signed else "")


def rest() -> None:
    """Let a server that has just been busy come to rest, as one that waits for its first call has."""
    time.sleep(0.05)
