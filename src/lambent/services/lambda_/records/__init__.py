"""What the Lambda service stores: functions, their versions and aliases, layers and provisioned concurrency.

What belongs to other nouns has a module of its name.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.compute.function import FileSystem, FunctionVersion, Managed
from lambent.kernel import limits
from lambent.kernel.arn import Arn, arn
from lambent.services.lambda_.records.configuration import Configuration  # noqa: TC001 msgspec reads it at run time

LATEST = "$LATEST"

LATEST_PUBLISHED = "$LATEST.PUBLISHED"
"""The version of a function on managed instances that each publication may replace."""

LATEST_PUBLISHED_NUMBER = -1
"""What it has in place of a number, which its neighbours count from 1."""

CREATING = "The function is being created."
"""AWS's reason for everything that is not complete yet."""

State = Literal["Pending", "Active", "Failed"]


class FunctionKey(msgspec.Struct, frozen=True, order=True):
    """What names one function in the whole installation."""

    account: str
    region: str
    name: str

    def arn(self, qualifier: str | None = None) -> str:
        """The function's ARN, ending in `qualifier` where there is one."""
        suffix = f":{qualifier}" if qualifier else ""
        return arn("lambda", self.region, self.account, f"function:{self.name}{suffix}")


class RuntimeUpdates(msgspec.Struct, frozen=True):
    """When a function or a version comes to run with a newer runtime."""

    on: Literal["Auto", "FunctionUpdate", "Manual"] = "Auto"
    version_arn: str | None = None
    """The version of the runtime that it keeps; with Manual only."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it was last accepted."""

    account: str
    region: str
    name: str
    configuration: Configuration
    serving: Configuration | None = None
    """What invocations run until the accepted update is complete; None where it is `configuration`."""
    state: State = "Pending"
    update: Literal["InProgress", "Successful"] | None = None
    revision_id: str
    modified_ms: int
    """Milliseconds since the epoch."""
    tags: dict[str, str] = {}
    recursive_loop: Literal["Allow", "Terminate"] = "Terminate"
    """Whether invocations are let through that belong to a recursive loop."""
    runtime_updates: RuntimeUpdates = RuntimeUpdates()
    last_version: int = 0
    """The number that was last given to a version; none is given twice."""

    @property
    def label(self) -> str:
        """What its `Version` is called."""
        return LATEST

    @property
    def state_reason(self) -> str | None:
        """Why it is not active."""
        return CREATING if self.state == "Pending" else None

    @property
    def state_reason_code(self) -> str | None:
        """The same in one word."""
        return "Creating" if self.state == "Pending" else None

    @property
    def key(self) -> FunctionKey:
        """Its name in the whole installation."""
        return FunctionKey(self.account, self.region, self.name)

    @property
    def settled(self) -> bool:
        """Whether neither its creation nor an update is under way."""
        return self.state == "Active" and self.update != "InProgress"

    @property
    def packages(self) -> set[str]:
        """The digests of the zips that it needs."""
        return self.configuration.packages | (set() if self.serving is None else self.serving.packages)

    def version(self) -> FunctionVersion:
        """What the engine runs for `$LATEST` now."""
        return _runnable(self.key, LATEST, self.serving or self.configuration)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: a function as it was at one moment. Nothing but its state changes any more; what is
    published to `$LATEST.PUBLISHED` takes the place of what was there."""

    account: str
    region: str
    name: str
    number: int
    configuration: Configuration
    """With the description of the version."""
    source_description: str
    """The description that the function itself had."""
    state: State
    state_reason: str | None = None
    state_reason_code: str | None = None
    runtime_updates: RuntimeUpdates = RuntimeUpdates()
    revision_id: str
    modified_ms: int
    """Milliseconds since the epoch, when the function was last modified."""

    @property
    def key(self) -> FunctionKey:
        """The function that it is a version of."""
        return FunctionKey(self.account, self.region, self.name)

    @property
    def label(self) -> str:
        """What its `Version` is called."""
        return LATEST_PUBLISHED if self.number == LATEST_PUBLISHED_NUMBER else str(self.number)

    @property
    def update(self) -> Literal["InProgress", "Successful"] | None:
        """Its LastUpdateStatus: it is never updated, and AWS calls that successful."""
        return "Successful" if self.state == "Active" else None

    @property
    def packages(self) -> set[str]:
        """The digests of the zips that it needs."""
        return self.configuration.packages

    def version(self) -> FunctionVersion:
        """What the engine runs for it."""
        return _runnable(self.key, self.label, self.configuration)


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a version, or for two between which invocations are split."""

    account: str
    region: str
    function: str
    name: str
    version: str
    """`$LATEST` or a number."""
    description: str = ""
    weights: dict[str, float] = {}
    """At most one other version's number, with the share of invocations (0 to 1) that it gets."""
    revision_id: str

    @property
    def key(self) -> FunctionKey:
        """The function whose versions it names."""
        return FunctionKey(self.account, self.region, self.function)

    @property
    def targets(self) -> set[str]:
        """The versions that it points to."""
        return {self.version, *self.weights}


class Provision(msgspec.Struct, frozen=True, kw_only=True):
    """How many environments of a version, or of what an alias points to, are wanted ready at any time."""

    account: str
    region: str
    function: str
    qualifier: str
    """The number of a version or the name of an alias."""
    requested: int
    modified_ms: int
    """Milliseconds since the epoch."""

    @property
    def key(self) -> FunctionKey:
        """The function that it is for."""
        return FunctionKey(self.account, self.region, self.function)


class LayerKey(msgspec.Struct, frozen=True):
    """What names one layer in the whole installation."""

    account: str
    region: str
    name: str

    def arn(self, number: int | None = None) -> str:
        """The layer's ARN, or that of its version `number`."""
        suffix = "" if number is None else f":{number}"
        return arn("lambda", self.region, self.account, f"layer:{self.name}{suffix}")


class LayerVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A published layer version, which never changes."""

    account: str
    region: str
    name: str
    number: int
    sha256: str
    """Hex digest of the zip; the blob's name."""
    size: int
    """Bytes of the zip."""
    created_ms: int
    """Milliseconds since the epoch."""
    description: str = ""
    license: str | None = None
    runtimes: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None

    @property
    def key(self) -> LayerKey:
        """The layer that it is a version of."""
        return LayerKey(self.account, self.region, self.name)

    @property
    def arn(self) -> str:
        """The ARN of this version."""
        return self.key.arn(self.number)


def updating(function: Function, configuration: Configuration, revision_id: str, modified_ms: int) -> Function:
    """`function` once it has accepted `configuration`; the one before serves until it is settled. What was said of
    updates of its runtime holds for that runtime."""
    same = configuration.runtime == function.configuration.runtime
    return msgspec.structs.replace(
        function,
        runtime_updates=function.runtime_updates if same else RuntimeUpdates(),
        configuration=configuration,
        serving=function.configuration,
        update="InProgress",
        revision_id=revision_id,
        modified_ms=modified_ms,
    )


def settled(function: Function, revision_id: str) -> Function:
    """`function` once its creation or its update is complete."""
    return msgspec.structs.replace(function, serving=None, state="Active", update="Successful", revision_id=revision_id)


def activated(version: Version, revision_id: str) -> Version:
    """`version` once it can be invoked."""
    return msgspec.structs.replace(
        version, state="Active", state_reason=None, state_reason_code=None, revision_id=revision_id
    )


def failed(version: Version, reason: str, code: str, revision_id: str) -> Version:
    """`version` once it is known that it can never be invoked; `code` is one of AWS's StateReasonCodes."""
    return msgspec.structs.replace(
        version, state="Failed", state_reason=reason, state_reason_code=code, revision_id=revision_id
    )


def _own(role: str, account: str) -> str:
    """`role` as one of `account`: whatever a function was given in development, it acts in its own account."""
    return str(msgspec.structs.replace(Arn.parse(role), account=account))


def _runnable(key: FunctionKey, version: str, held: Configuration) -> FunctionVersion:
    return FunctionVersion(
        account=key.account,
        region=key.region,
        name=key.name,
        version=version,
        revision=held.revision,
        role=_own(held.role, key.account),
        runtime=held.runtime,
        handler=held.handler,
        code_sha256=held.code_sha256,
        memory_mb=held.memory_mb,
        timeout_s=held.timeout_s,
        variables=held.variables or {},
        log_group=held.logging.group,
        log_format=held.logging.format,
        log_level=held.logging.application_level or "INFO",
        system_log_level=held.logging.system_level or "INFO",
        layers=tuple(layer.sha256 for layer in held.layers),
        ephemeral_mb=held.storage_mb,
        snap_start=held.snapshots and version != LATEST,
        tracing=held.tracing == "Active",
        architecture=held.architecture,
        managed=_managed(held),
        per_tenant=held.tenancy == "PER_TENANT",
        file_systems=tuple(FileSystem(each.arn, each.path) for each in held.file_systems),
        durable=held.durability is not None,
    )


def _managed(held: Configuration) -> Managed | None:
    if held.instances is None:
        return None
    vcpus = held.memory_mb / limits.KIB / held.instances.memory_per_vcpu
    return Managed(provider=held.instances.provider_arn, concurrency=held.instances.concurrency, vcpus=max(1.0, vcpus))
