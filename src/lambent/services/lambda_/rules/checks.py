"""What creations and updates of functions are refused for, as far as the model allows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.services.lambda_.errors import configuration as errors
from lambent.services.lambda_.errors import packages as package_errors
from lambent.services.lambda_.errors import tenancy
from lambent.services.lambda_.records.configuration import Vpc
from lambent.services.lambda_.rules import capacity_providers, runtimes, tags, variables

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.services.lambda_.records.configuration import Configuration

_ZIP_ONLY = ("Runtime", "Handler", "Layers", "RuntimeConfig")
_IMAGE_ONLY = ("ImageConfig",)
_ACCELERATORS_GIB = (3, 6, 12, 16, 24, 48)
_ACCESS_POINT = re.compile(r"arn:[^:]+:[^:]+:[a-z0-9-]+:\d{12}:")
_ZIP_CODE = frozenset(("S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile"))


def check_new(request: Request) -> None:
    """Raise AWS's errors for what a CreateFunction request says; `check_whole` sees what comes of it."""
    package_type = request.get("PackageType", "Zip")
    _check_members(request, package_type)
    if package_type == "Zip" and not (request.get("Runtime") and request.get("Handler")):
        raise errors.no_runtime_or_handler()
    check_code(request["Code"], package_type, "creating")
    tags.check(request.get("Tags", {}))
    _check(request, managed="CapacityProviderConfig" in request)
    if "DurableConfig" in request and "ExecutionTimeout" not in request["DurableConfig"]:
        raise errors.durable_without_timeout()


def check_update(request: Request, held: Configuration) -> None:
    """Raise AWS's errors for what an UpdateFunctionConfiguration request says of a function with the configuration
    `held`; `check_whole` sees what comes of it."""
    _check_members(request, held.package_type)
    _check(request, managed=held.instances is not None)
    if "CapacityProviderConfig" in request and held.instances is None:
        raise errors.not_managed()
    if "DurableConfig" in request and held.durability is None:
        raise errors.not_durable()


def check_whole(wanted: Configuration) -> None:
    """Raise AWS's errors for settings that do not go together."""
    vpc = wanted.vpc or Vpc()
    if bool(vpc.subnets) != bool(vpc.security_groups):
        raise errors.half_a_vpc()
    if wanted.file_systems and not vpc.subnets:
        raise errors.file_system_without_vpc(wanted.file_systems[0].arn)
    if (wanted.runtime == runtimes.CUSTOM) != (wanted.customer_runtime is not None):
        raise errors.customer_runtime_amiss()
    if wanted.accelerator_gb is not None:
        _check_accelerator(wanted, wanted.accelerator_gb)
    if wanted.snapshots:
        _check_snapshots(wanted)
    if wanted.instances is not None:
        capacity_providers.check_function(wanted)


def check_code(code: dict[str, Any], package_type: str, doing: str) -> None:
    """Raise AWS's errors where `code`, the members that name it, is not of `package_type`; `doing` is `creating` or
    `updating`."""
    if package_type == "Image" and ("ImageUri" not in code or not _ZIP_CODE.isdisjoint(code)):
        raise package_errors.image_needed(doing)
    if package_type == "Zip" and "ImageUri" in code:
        raise package_errors.zip_needed(doing)


def _check_members(request: Request, package_type: str) -> None:
    foreign = [member for member in (_ZIP_ONLY if package_type == "Image" else _IMAGE_ONLY) if request.get(member)]
    if foreign:
        raise errors.foreign_members(foreign, package_type)


def _check(request: Request, *, managed: bool) -> None:
    """What creations and updates share; `managed` says whether the function is on managed instances, whose bounds are
    the model's."""
    if "Runtime" in request:
        runtimes.check(request["Runtime"])
    if "\0" in request.get("Handler", ""):
        raise errors.nul_in_handler()
    if not managed:
        _check_sizes(request)
    variables.check(request.get("Environment", {}).get("Variables", {}))
    for wanted in request.get("FileSystemConfigs", ()):
        _check_file_system(wanted)


def _check_file_system(wanted: dict[str, Any]) -> None:
    arn, path = wanted["Arn"], wanted["LocalMountPath"]
    if not _ACCESS_POINT.match(arn):
        raise errors.foreign_access_point(arn)
    if path in ("/mnt/.", "/mnt/.."):
        raise errors.no_mount_path(path)
    if wanted.get("S3FilesConfig") and ":s3files:" not in arn:
        raise errors.not_s3_files()


def _check_sizes(request: Request) -> None:
    for member, value, limit in (
        ("MemorySize", request.get("MemorySize", 0), limits.FUNCTION_MEMORY_MB),
        ("Timeout", request.get("Timeout", 0), limits.FUNCTION_TIMEOUT_S),
        ("EphemeralStorage", request.get("EphemeralStorage", {}).get("Size", 0), limits.FUNCTION_STORAGE_MB),
    ):
        if value > limit:
            raise errors.above(member, limit)


def _check_accelerator(wanted: Configuration, size: int) -> None:
    if wanted.instances is None:
        raise errors.accelerator_unfit("the function has no capacity provider")
    if wanted.image is None:
        raise errors.accelerator_unfit("the function is not a container image")
    if wanted.architecture != "x86_64":
        raise errors.accelerator_unfit("the function's architecture is not x86_64")
    if size not in _ACCELERATORS_GIB:
        sizes = ", ".join(map(str, _ACCELERATORS_GIB))
        raise errors.accelerator_unfit(f"AcceleratorMemorySize must be one of {sizes}")


def _check_snapshots(wanted: Configuration) -> None:
    """What a function cannot have that starts from snapshots."""
    what = wanted.runtime or "ContainerImage"
    if not runtimes.can_snapshot(what):
        raise errors.unsuited_for_snapshots(what)
    if wanted.storage_mb > limits.FUNCTION_SNAPSHOT_STORAGE_MB:
        raise errors.storage_with_snapshots()
    if wanted.file_systems:
        raise errors.file_systems_with_snapshots()
    if wanted.tenancy is not None:
        raise tenancy.with_snapshots()
