"""What the engine is asked to run and what it answers: a function version, an invocation, an outcome."""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.kernel import limits
from lambent.kernel.arn import arn

if TYPE_CHECKING:
    from lambent.compute.streaming import Stream


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """How a version on managed instances shares its environments.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
    """

    provider: str
    """The ARN of its capacity provider."""
    concurrency: int
    """Invocations at a time in one environment."""
    vcpus: float
    """What one environment takes of the provider's."""


class FileSystem(msgspec.Struct, frozen=True):
    """A file system that environments of a version are to have.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html
    """

    arn: str
    """Of the access point."""
    path: str
    """Where the function finds it: a name in `/mnt`."""


class FunctionVersion(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An immutable snapshot of everything an environment is built from."""

    account: str
    region: str
    name: str
    version: str
    """`$LATEST` or a number."""
    revision: str
    """Changes whenever code or configuration change; environments of another revision are retired."""
    role: str
    runtime: str
    handler: str
    code_sha256: str
    """Hex digest of the zip; the blob's name."""
    memory_mb: int
    timeout_s: int
    variables: dict[str, str]
    log_group: str
    log_format: Literal["Text", "JSON"] = "Text"
    log_level: str = "INFO"
    """The application log level; it counts where the format is JSON."""
    system_log_level: str = "INFO"
    """The system log level; it counts where the format is JSON."""
    layers: tuple[str, ...] = ()
    """Hex digests of the layers' zips, in order."""
    ephemeral_mb: int = 512
    """The size of `/tmp`."""
    snap_start: bool = False
    """Whether published versions start from a snapshot."""
    tracing: bool = False
    """Whether X-Ray is to sample actively."""
    architecture: str = "x86_64"
    managed: Managed | None = None
    """Set for a version whose environments run several invocations at a time."""
    per_tenant: bool = False
    """Whether invocations name a tenant, and no environment ever serves two of them."""
    file_systems: tuple[FileSystem, ...] = ()
    durable: bool = False
    """Whether its invocations belong to durable executions."""

    @cached_property
    def arn(self) -> str:
        """The unqualified ARN of the function. Every invocation asks for it."""
        return arn("lambda", self.region, self.account, f"function:{self.name}")

    @property
    def logging_configured(self) -> bool:
        """Whether its log is in JSON or in a group of another name: then others may share the group, and AWS names the
        function in the streams and the format in the variables.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
        """
        return self.log_format == "JSON" or self.log_group != f"/aws/lambda/{self.name}"


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one function version."""

    request_id: str
    payload: bytes
    """JSON, checked."""
    invoked_arn: str
    """The ARN as the caller named it, qualifier included."""
    client_context: bytes | None = None
    """JSON, decoded from base64."""
    trace_id: str | None = None
    tail: bool = False
    """Whether the last 4 KiB of the log are wanted with the outcome."""
    cognito_identity: bytes | None = None
    """JSON with `cognitoIdentityId` and `cognitoIdentityPoolId`."""
    tenant_id: str | None = None
    """Whose environments it may run in; set where, and only where, the version is `per_tenant`."""
    streaming: bool = False
    """Whether the caller takes the answer as a stream while the function still writes it."""
    patient: bool = False
    """Whether it can as well run later: then nothing is started for it while the machine's memory is exhausted."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an invocation."""

    payload: bytes
    error: Literal["Unhandled"] | None = None
    """Set where the function failed; the payload is then AWS's error JSON."""
    log_tail: bytes | None = None
    stream: Stream | None = None
    """The answer of a function that streams, to a caller who takes streams; how it ends is the stream's to say, and the
    other members say nothing."""


@lru_cache(limits.RUNTIME_ARNS_CACHED)
def runtime_version_arn(region: str, runtime: str) -> str:
    """The ARN of the version of `runtime` that runs here: one for each runtime, the same on every machine."""
    return arn("lambda", region, "", f"runtime:{hashlib.sha256(runtime.encode()).hexdigest()}")
