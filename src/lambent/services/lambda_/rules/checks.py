"""What creations and updates of functions are refused for, as far as the model allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.services.lambda_.errors import configuration as errors
from lambent.services.lambda_.errors import packages as package_errors
from lambent.services.lambda_.errors import tenancy
from lambent.services.lambda_.rules import runtimes, tags, variables

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.configuration import Configuration

_ZIP_ONLY = ("Runtime", "Handler", "Layers")
_IMAGE_ONLY = ("ImageConfig",)


def check_new(request: Request) -> None:
    """Raise AWS's errors for a CreateFunction request."""
    package_type = request.get("PackageType", "Zip")
    _check_package(request, package_type)
    check_code(request["Code"], package_type, "creating")
    tags.check(request.get("Tags", {}))
    _check(request, request.get("Runtime") or package_type, managed="CapacityProviderConfig" in request)
    _check_places(request.get("VpcConfig", {}).get("SubnetIds"), request.get("FileSystemConfigs"))
    if "TenancyConfig" in request and _snaps(request):
        raise tenancy.with_snapshots()
    if "DurableConfig" in request and "ExecutionTimeout" not in request["DurableConfig"]:
        raise errors.durable_without_timeout()


def check_update(request: Request, held: Configuration) -> None:
    """Raise AWS's errors for an UpdateFunctionConfiguration request of a function with the configuration `held`."""
    package_type = held.package_type
    _check_members(request, package_type)
    runtime = request.get("Runtime", held.runtime) or package_type
    managed = held.instances is not None
    _check(request, runtime, managed=managed, snap_start=held.snap_start, storage_mb=held.storage_mb)
    subnets = request["VpcConfig"].get("SubnetIds") if "VpcConfig" in request else held.vpc and held.vpc.subnets
    _check_places(subnets, request.get("FileSystemConfigs", held.file_systems))
    if held.tenancy is not None and _snaps(request):
        raise tenancy.with_snapshots()
    if "CapacityProviderConfig" in request and held.instances is None:
        raise errors.not_managed()
    if "DurableConfig" in request and held.durability is None:
        raise errors.not_durable()


def check_code(code: dict[str, Any], package_type: str, doing: str) -> None:
    """Raise AWS's errors where `code`, the members that name it, is not of `package_type`; `doing` is `creating` or
    `updating`."""
    if package_type == "Image" and ("ImageUri" not in code or "ZipFile" in code or "S3Bucket" in code):
        raise package_errors.image_needed(doing)
    if package_type == "Zip" and "ImageUri" in code:
        raise package_errors.zip_needed(doing)


def _check_package(request: Request, package_type: str) -> None:
    """That the members fit the package type, and that what it needs is there."""
    _check_members(request, package_type)
    if package_type == "Image":
        return
    if not request.get("Runtime") or not request.get("Handler"):
        raise errors.no_runtime_or_handler()


def _check_members(request: Request, package_type: str) -> None:
    foreign = [member for member in (_ZIP_ONLY if package_type == "Image" else _IMAGE_ONLY) if request.get(member)]
    if foreign:
        raise errors.foreign_members(foreign, package_type)


def _check(request: Request, runtime: str, *, managed: bool, snap_start: str = "None", storage_mb: int = 0) -> None:
    """What creations and updates share; `runtime` is the one that will hold, `managed` says whether it is on managed
    instances, the others hold where the request does not say otherwise."""
    if "Runtime" in request:
        runtimes.check(request["Runtime"])
    if not managed:
        _check_sizes(request)
    variables.check(request.get("Environment", {}).get("Variables", {}))
    vpc = request.get("VpcConfig", {})
    if bool(vpc.get("SubnetIds")) != bool(vpc.get("SecurityGroupIds")):
        raise errors.half_a_vpc()
    apply_on = request["SnapStart"].get("ApplyOn", "None") if "SnapStart" in request else snap_start
    runtimes.check_snap_start(runtime, apply_on)
    storage = request.get("EphemeralStorage", {}).get("Size", storage_mb)
    if apply_on != "None" and storage > limits.FUNCTION_SNAPSHOT_STORAGE_MB:
        raise errors.storage_with_snapshots()


def _snaps(request: Request) -> bool:
    return bool(request.get("SnapStart", {}).get("ApplyOn", "None") != "None")


def _check_sizes(request: Request) -> None:
    """The model's bounds are those of functions on managed instances."""
    for member, value, limit in (
        ("MemorySize", request.get("MemorySize", 0), limits.FUNCTION_MEMORY_MB),
        ("Timeout", request.get("Timeout", 0), limits.FUNCTION_TIMEOUT_S),
        ("EphemeralStorage", request.get("EphemeralStorage", {}).get("Size", 0), limits.FUNCTION_STORAGE_MB),
    ):
        if value > limit:
            raise errors.above(member, limit)


def _check_places(subnets: Any, file_systems: Any) -> None:
    """A file system is reached through a VPC only."""
    if file_systems and not subnets:
        raise errors.file_system_without_vpc()
