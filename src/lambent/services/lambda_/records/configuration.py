"""What a function and its versions run with: code and settings, as a configuration that never changes."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.kernel import limits
from lambent.kernel.objects import ObjectName  # noqa: TC001 msgspec reads it at run time

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


class Vpc(msgspec.Struct, frozen=True):
    """The VPC that a function asks to be connected to; of no subnets where it was given one that names nothing.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    dual_stack: bool = False
    """Whether IPv6 may be used."""


class FileSystem(msgspec.Struct, frozen=True):
    """A file system that a function asks for.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html
    """

    arn: str
    """Of an access point of EFS, or of a file system on S3."""
    path: str
    direct_read: str | None = None
    """Whether a file system on S3 is read past its cache."""


class CustomerRuntime(msgspec.Struct, frozen=True):
    """The customer-managed runtime that a function asks for.

    https://docs.aws.amazon.com/lambda/latest/dg/cmr-using.html
    """

    arn: str
    alias: str


class Image(msgspec.Struct, frozen=True):
    """The container image that a function is, and what it changes of the image's own settings.

    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
    """

    uri: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Code and settings of a function. The defaults are those of CreateFunction."""

    revision: str
    """Another for every accepted change, so that warm environments of the one before are recognised."""
    code_sha256: str
    """Hex digest of the zip, the blob's name; for an image that of the image."""
    code_size: int
    """Bytes of the zip; 0 for an image."""
    runtime: str
    """Empty for an image, as the handler is."""
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
    vpc: Vpc | None = None
    file_systems: tuple[FileSystem, ...] = ()
    key_arn: str | None = None
    """The KMS key that the caller wants the environment encrypted with."""
    image: Image | None = None
    """None for a function made of a zip."""
    source: ObjectName | None = None
    """The object that the package is referred to as; None for one that was copied."""
    source_key_arn: str | None = None
    """The KMS key that the caller wants the package encrypted with."""
    layers: tuple[UsedLayer, ...] = ()
    """In the order in which they are laid over one another."""
    tenancy: TenantIsolation | None = None
    """Whether each tenant has environments of its own. Decided when the function is created, for good."""
    durability: Durability | None = None
    """None for a function without durable executions. Which of both it is, is decided when it is created, for good."""
    instances: ManagedInstances | None = None
    """None for a function that Lambda itself finds room for. Decided when it is created, for good."""
    accelerator_gb: int | None = None
    """The least memory of each accelerator that it asks for; None where it asks for none."""
    customer_runtime: CustomerRuntime | None = None
    """Set where, and only where, the runtime is `custom`."""

    @property
    def packages(self) -> set[str]:
        """The digests of the zips that it needs."""
        if self.image is not None:
            return set()
        return {self.code_sha256, *(layer.sha256 for layer in self.layers)}

    @property
    def package_type(self) -> Literal["Zip", "Image"]:
        """What it is made of."""
        return "Zip" if self.image is None else "Image"

    @property
    def provider_arn(self) -> str:
        """The ARN of the capacity provider that it is on; empty where it is on none."""
        return "" if self.instances is None else self.instances.provider_arn

    @property
    def ahead(self) -> bool:
        """Whether published versions of it are initialised before anybody can invoke them."""
        return self.snapshots or self.instances is not None

    @property
    def snapshots(self) -> bool:
        """Whether published versions of it start from a snapshot."""
        return self.snap_start == "PublishedVersions"
