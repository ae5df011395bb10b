"""From requests to configurations: what a new function has, and what an update leaves of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.errors import configuration as errors
from lambent.services.lambda_.records.configuration import (
    Configuration,
    CustomerRuntime,
    Durability,
    FileSystem,
    Image,
    Logging,
    ManagedInstances,
    Vpc,
)
from lambent.services.lambda_.rules import runtimes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.configuration import UsedLayer
    from lambent.services.lambda_.records.packages import Package


def new(request: Request, name: str, layers: tuple[UsedLayer, ...]) -> Configuration:
    """The configuration that a CreateFunction request asks for, without its package; `checks.check_new` has passed the
    request."""
    blank = Configuration(
        revision="",
        code_sha256="",
        code_size=0,
        runtime=request.get("Runtime", ""),
        handler=request.get("Handler", ""),
        role=request["Role"],
        logging=Logging(group=f"/aws/lambda/{name}"),
        architecture=request.get("Architectures", ["x86_64"])[0],
        image=Image(request["Code"]["ImageUri"]) if "ImageUri" in request["Code"] else None,
        layers=layers,
        tenancy=request["TenancyConfig"]["TenantIsolationMode"] if "TenancyConfig" in request else None,
    )
    if "CapacityProviderConfig" in request:
        blank = msgspec.structs.replace(
            blank, memory_mb=limits.MANAGED_MEMORY_MB, logging=_logging(blank.logging, _JSON)
        )
    return msgspec.structs.replace(blank, **_changes(blank, request))


def changed(old: Configuration, request: Request, revision: str, layers: tuple[UsedLayer, ...] | None) -> Configuration:
    """What an UpdateFunctionConfiguration request makes of `old`. A member that is absent stays as it was; one
    that is given replaces the old one whole, except LoggingConfig and DurableConfig, which are merged. `layers` are
    those that it names; None where it says nothing of layers."""
    kept = old.layers if layers is None else layers
    own = old.customer_runtime if request.get("Runtime", old.runtime) == runtimes.CUSTOM else None
    return msgspec.structs.replace(
        old, **{"revision": revision, "layers": kept, "customer_runtime": own} | _changes(old, request)
    )


def repackaged(old: Configuration, package: Package, revision: str) -> Configuration:
    """`old` with another package."""
    image = None
    if package.image is not None:
        image = msgspec.structs.replace(old.image, uri=package.image) if old.image else Image(package.image)
    return msgspec.structs.replace(
        old,
        revision=revision,
        code_sha256=package.digest,
        code_size=package.size,
        image=image,
        source=package.source,
        source_key_arn=package.key_arn,
    )


def _changes(old: Configuration, request: Request) -> dict[str, Any]:
    plain = {field: request[member] for member, field in _PLAIN.items() if member in request}
    return plain | {
        field: build(old, request[member]) for member, (field, build) in _BUILT.items() if member in request
    }


_PLAIN = {
    "Description": "description",
    "Handler": "handler",
    "MemorySize": "memory_mb",
    "Role": "role",
    "Runtime": "runtime",
    "Timeout": "timeout_s",
}


def _durability(old: Configuration, wanted: dict[str, Any]) -> Durability:
    """What is absent stays as it was; at the creation it is the default."""
    before = old.durability or Durability(timeout_s=wanted.get("ExecutionTimeout", 0))
    return Durability(
        timeout_s=wanted.get("ExecutionTimeout", before.timeout_s),
        retention_days=wanted.get("RetentionPeriodInDays", before.retention_days),
        key_arn=wanted.get("KMSKeyArn", before.key_arn) or None,
    )


def _instances(old: Configuration, wanted: dict[str, Any]) -> ManagedInstances:  # noqa: ARG001 as its neighbours
    """What is absent is the default, also in an update."""
    own = wanted["LambdaManagedInstancesCapacityProviderConfig"]
    return ManagedInstances(
        own["CapacityProviderArn"],
        own.get("PerExecutionEnvironmentMaxConcurrency", limits.MANAGED_CONCURRENCY),
        own.get("ExecutionEnvironmentMemoryGiBPerVCpu", limits.MANAGED_MEMORY_GIB_PER_VCPU),
    )


def _vpc(wanted: dict[str, Any]) -> Vpc:
    return Vpc(
        tuple(wanted.get("SubnetIds", ())),
        tuple(wanted.get("SecurityGroupIds", ())),
        wanted.get("Ipv6AllowedForDualStack", False),
    )


def _file_systems(wanted: list[dict[str, Any]]) -> tuple[FileSystem, ...]:
    return tuple(
        FileSystem(one["Arn"], one["LocalMountPath"], one.get("S3FilesConfig", {}).get("DirectS3Read"))
        for one in wanted
    )


def _image(old: Configuration, wanted: dict[str, Any]) -> Image | None:
    """What is absent is what the image itself says."""
    if old.image is None:
        return None
    return Image(
        old.image.uri,
        tuple(wanted.get("EntryPoint", ())),
        tuple(wanted.get("Command", ())),
        wanted.get("WorkingDirectory", ""),
    )


_JSON = {"LogFormat": "JSON"}


def _logging(old: Logging, wanted: dict[str, str]) -> Logging:
    log_format = wanted.get("LogFormat", old.format)
    group = wanted.get("LogGroup", old.group)
    levels = [wanted.get("ApplicationLogLevel"), wanted.get("SystemLogLevel")]
    if log_format == "JSON":
        application, system = levels
        return Logging(
            group,
            "JSON",
            application or old.application_level or "INFO",
            system or old.system_level or "INFO",
        )
    if any(levels):
        raise errors.levels_without_json()
    return Logging(group, "Text")


_BUILT: dict[str, tuple[str, Callable[[Configuration, Any], object]]] = {
    "AcceleratorConfig": ("accelerator_gb", lambda _, given: given["AcceleratorMemorySize"]),
    "CapacityProviderConfig": ("instances", _instances),
    "DeadLetterConfig": ("dead_letter_arn", lambda old, given: given.get("TargetArn", old.dead_letter_arn) or None),
    "DurableConfig": ("durability", _durability),
    "Environment": ("variables", lambda _, given: given.get("Variables", {})),
    "EphemeralStorage": ("storage_mb", lambda _, given: given["Size"]),
    "FileSystemConfigs": ("file_systems", lambda _, given: _file_systems(given)),
    "ImageConfig": ("image", _image),
    "KMSKeyArn": ("key_arn", lambda _, given: given or None),
    "LoggingConfig": ("logging", lambda old, given: _logging(old.logging, given)),
    "RuntimeConfig": (
        "customer_runtime",
        lambda _, given: CustomerRuntime(given["RuntimeArn"], given["RuntimeAlias"]),
    ),
    "SnapStart": ("snap_start", lambda _, given: given.get("ApplyOn", "None")),
    "TracingConfig": ("tracing", lambda old, given: given.get("Mode", old.tracing)),
    "VpcConfig": ("vpc", lambda _, given: _vpc(given)),
}
"""Members that become fields of another form: the name, and what makes it of the old configuration and the member."""
