"""From requests to configurations: what a new function has, and what an update leaves of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import tenancy
from lambent.services.lambda_.records.configuration import Configuration, Durability, Logging, ManagedInstances
from lambent.services.lambda_.rules import runtimes, variables

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.configuration import UsedLayer
    from lambent.store.blobs import Blob


def new(request: Request, name: str, revision: str, package: Blob, layers: tuple[UsedLayer, ...]) -> Configuration:
    """The configuration that a CreateFunction request asks for; `check_new` has passed it."""
    blank = Configuration(
        revision=revision,
        code_sha256=package.digest,
        code_size=package.size,
        runtime=request["Runtime"],
        handler=request["Handler"],
        role=request["Role"],
        logging=Logging(group=f"/aws/lambda/{name}"),
        architecture=request.get("Architectures", ["x86_64"])[0],
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
    return msgspec.structs.replace(old, revision=revision, layers=kept, **_changes(old, request))


def check_new(request: Request) -> None:
    """Raise AWS's errors for a CreateFunction request that its model allows."""
    if not request.get("Runtime") or not request.get("Handler"):
        raise errors.invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    tags = request.get("Tags", {})
    if len(tags) > limits.TAGS:
        raise errors.invalid("Number of tags exceeds resource tag limit.")
    if any(tag.lower().startswith("aws:") for tag in tags):
        raise errors.invalid("aws: prefixed tag key names are not allowed for external use.")
    check(request, request["Runtime"])
    if "TenancyConfig" in request and _snaps(request):
        raise tenancy.with_snapshots()
    if "DurableConfig" in request and "ExecutionTimeout" not in request["DurableConfig"]:
        raise errors.durable_without_timeout()


def check_update(request: Request, held: Configuration) -> None:
    """Raise AWS's errors for an UpdateFunctionConfiguration request of a function with the configuration `held`."""
    check(request, request.get("Runtime", held.runtime), held.snap_start, held.storage_mb)
    if held.tenancy is not None and _snaps(request):
        raise tenancy.with_snapshots()
    if "CapacityProviderConfig" in request and held.instances is None:
        raise errors.not_managed()
    if "DurableConfig" in request and held.durability is None:
        raise errors.not_durable()


def check(request: Request, runtime: str, snap_start: str = "None", storage_mb: int = 0) -> None:
    """Raise AWS's errors for members that create and update share; `runtime` is the one that will hold, the others
    hold where the request does not say otherwise."""
    if "Runtime" in request:
        runtimes.check(request["Runtime"])
    for member, value, limit in (
        ("MemorySize", request.get("MemorySize", 0), limits.FUNCTION_MEMORY_MB),
        ("Timeout", request.get("Timeout", 0), limits.FUNCTION_TIMEOUT_S),
        ("EphemeralStorage", request.get("EphemeralStorage", {}).get("Size", 0), limits.FUNCTION_STORAGE_MB),
    ):
        if value > limit:
            raise errors.above(member, limit)
    variables.check(request.get("Environment", {}).get("Variables", {}))
    apply_on = request["SnapStart"].get("ApplyOn", "None") if "SnapStart" in request else snap_start
    runtimes.check_snap_start(runtime, apply_on)
    storage = request.get("EphemeralStorage", {}).get("Size", storage_mb)
    if apply_on != "None" and storage > limits.FUNCTION_SNAPSHOT_STORAGE_MB:
        raise errors.storage_with_snapshots()


def _snaps(request: Request) -> bool:
    return bool(request.get("SnapStart", {}).get("ApplyOn", "None") != "None")


def _changes(old: Configuration, request: Request) -> dict[str, Any]:
    changes = {field: request[member] for member, field in _PLAIN.items() if member in request}
    if "Environment" in request:
        changes["variables"] = request["Environment"].get("Variables", {})
    if "EphemeralStorage" in request:
        changes["storage_mb"] = request["EphemeralStorage"]["Size"]
    if "TracingConfig" in request:
        changes["tracing"] = request["TracingConfig"].get("Mode", old.tracing)
    if "SnapStart" in request:
        changes["snap_start"] = request["SnapStart"].get("ApplyOn", "None")
    if "DeadLetterConfig" in request:
        changes["dead_letter_arn"] = request["DeadLetterConfig"].get("TargetArn") or None
    if "VpcConfig" in request:
        changes["empty_vpc"] = True
    if "LoggingConfig" in request:
        changes["logging"] = _logging(old.logging, request["LoggingConfig"])
    if "DurableConfig" in request:
        changes["durability"] = _durability(old.durability, request["DurableConfig"])
    if "CapacityProviderConfig" in request:
        changes["instances"] = _instances(request["CapacityProviderConfig"])
    return changes


_PLAIN = {
    "Description": "description",
    "Handler": "handler",
    "MemorySize": "memory_mb",
    "Role": "role",
    "Runtime": "runtime",
    "Timeout": "timeout_s",
}


_JSON = {"LogFormat": "JSON"}


def _durability(old: Durability | None, wanted: dict[str, Any]) -> Durability:
    """What is absent stays as it was; at the creation it is the default."""
    before = old or Durability(timeout_s=wanted.get("ExecutionTimeout", 0))
    return Durability(
        timeout_s=wanted.get("ExecutionTimeout", before.timeout_s),
        retention_days=wanted.get("RetentionPeriodInDays", before.retention_days),
        key_arn=wanted.get("KMSKeyArn", before.key_arn) or None,
    )


def _instances(wanted: dict[str, Any]) -> ManagedInstances:
    """What is absent is the default, also in an update."""
    own = wanted["LambdaManagedInstancesCapacityProviderConfig"]
    return ManagedInstances(
        own["CapacityProviderArn"],
        own.get("PerExecutionEnvironmentMaxConcurrency", limits.MANAGED_CONCURRENCY),
        own.get("ExecutionEnvironmentMemoryGiBPerVCpu", limits.MANAGED_MEMORY_GIB_PER_VCPU),
    )


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
