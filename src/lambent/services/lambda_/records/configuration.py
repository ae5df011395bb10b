"""What a function and its versions run with: code and settings, as a configuration that never changes."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.kernel import limits

Architecture = Literal["x86_64", "arm64"]
LogFormat = Literal["Text", "JSON"]
TenantIsolation = Literal["PER_TENANT"]


class Logging(msgspec.Struct, frozen=True):
    """Where a function logs and how; the levels are set for JSON only."""

    group: str
    format: LogFormat = "Text"
    application_level: str | None = None
    system_level: str | None = None


class UsedLayer(msgspec.Struct, frozen=True):
    """A layer version as a function uses it, also when the layer version itself is deleted."""

    arn: str
    sha256: str
    """Hex digest of the zip; the blob's name."""
    size: int
    """Bytes of the zip."""


class Durability(msgspec.Struct, frozen=True):
    """That a function's executions are durable, and for how long.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html
    """

    timeout_s: int
    """How long a durable execution may take in all, over however many invocations."""
    retention_days: int = limits.DURABLE_RETENTION_DAYS
    """How long its history is kept after its end."""
    key_arn: str | None = None
    """The KMS key that the caller wants its payloads encrypted with."""


class ManagedInstances(msgspec.Struct, frozen=True):
    """The capacity provider whose instances a function runs on, and how it shares them.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
    """

    provider_arn: str
    concurrency: int = limits.MANAGED_CONCURRENCY
    """Invocations at a time in one environment."""
    memory_per_vcpu: float = limits.MANAGED_MEMORY_GIB_PER_VCPU
    """GiB."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Code and settings of a function. The defaults are those of CreateFunction."""

    revision: str
    """Another for every accepted change, so that warm environments of the one before are recognised."""
    code_sha256: str
    """Hex digest of the zip; the blob's name."""
    code_size: int
    runtime: str
    handler: str
    role: str
    logging: Logging
    description: str = ""
    memory_mb: int = 128
    timeout_s: int = 3
    storage_mb: int = 512
    variables: dict[str, str] | None = None
    """None where the caller gave no environment, which AWS tells from an empty one."""
    architecture: Architecture = "x86_64"
    tracing: str = "PassThrough"
    snap_start: str = "None"
    dead_letter_arn: str | None = None
    empty_vpc: bool = False
    """Whether the caller gave a VpcConfig that names nothing, which AWS shows again."""
    layers: tuple[UsedLayer, ...] = ()
    """In the order in which they are laid over one another."""
    tenancy: TenantIsolation | None = None
    """Whether each tenant has environments of its own. Decided when the function is created, for good."""
    durability: Durability | None = None
    """None for a function without durable executions. Which of both it is, is decided when it is created, for good."""
    instances: ManagedInstances | None = None
    """None for a function that Lambda itself finds room for. Decided when it is created, for good."""

    @property
    def packages(self) -> set[str]:
        """The digests of the zips that it needs."""
        return {self.code_sha256, *(layer.sha256 for layer in self.layers)}

    @property
    def snapshots(self) -> bool:
        """Whether published versions of it start from a snapshot."""
        return self.snap_start == "PublishedVersions"
