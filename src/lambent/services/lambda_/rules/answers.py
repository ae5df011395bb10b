"""From records to answers, in the members and the spelling of AWS. None is left out on the wire."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.function import runtime_version_arn
from lambent.services.lambda_.records import CREATING, Version
from lambent.services.lambda_.rules import images, states

if TYPE_CHECKING:
    from lambent.kernel.call import Response
    from lambent.services.lambda_.records import Alias, Function, LayerVersion
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


def configuration(function: Function | Version, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration of `$LATEST` or a version; its ARN ends in `qualifier` where there is one."""
    updating = function.update == "InProgress"
    return listed(function, qualifier) | {
        "State": states.shown(function),
        "StateReason": function.state_reason,
        "StateReasonCode": function.state_reason_code,
        "LastUpdateStatus": function.update,
        "LastUpdateStatusReason": CREATING if updating else None,
        "LastUpdateStatusReasonCode": "Creating" if updating else None,
        "RuntimeVersionConfig": _runtime_version(function),
    }


def listed(function: Function | Version, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration as lists show it: without states and the runtime's version."""
    held = function.configuration
    return {
        "AcceleratorConfig": {"AcceleratorMemorySize": held.accelerator_gb} if held.accelerator_gb else None,
        "Architectures": [held.architecture],
        "CodeSha256": held.code_sha256 if held.image else sha256(held.code_sha256),
        "CodeSize": held.code_size,
        "ConfigSha256": None if held.instances is None else _digest(held),
        "CapacityProviderConfig": None if held.instances is None else _instances(held.instances),
        "DeadLetterConfig": {"TargetArn": held.dead_letter_arn} if held.dead_letter_arn else None,
        "Description": held.description,
        "DurableConfig": None if held.durability is None else _durability(held.durability),
        "Environment": None if held.variables is None else {"Variables": held.variables},
        "EphemeralStorage": {"Size": held.storage_mb},
        "FunctionArn": function.key.arn(qualifier),
        "FileSystemConfigs": [_file_system(one) for one in held.file_systems] or None,
        "FunctionName": function.key.name,
        "Handler": held.handler or None,
        "ImageConfigResponse": None if held.image is None else _image_settings(held.image),
        "KMSKeyArn": held.key_arn,
        "LastModified": timestamp(function.modified_ms),
        "Layers": [{"Arn": layer.arn, "CodeSize": layer.size} for layer in held.layers] or None,
        "LoggingConfig": _logging(held.logging),
        "MemorySize": held.memory_mb,
        "PackageType": held.package_type,
        "RevisionId": function.revision_id,
        "Role": held.role,
        "Runtime": held.runtime or None,
        "RuntimeConfig": None if held.customer_runtime is None else _customer_runtime(held.customer_runtime),
        "SnapStart": _snap_start(function),
        "TenancyConfig": {"TenantIsolationMode": held.tenancy} if held.tenancy else None,
        "Timeout": held.timeout_s,
        "TracingConfig": {"Mode": held.tracing},
        "Version": function.label,
        "VpcConfig": None if held.vpc is None else _vpc(held.vpc),
    }


def package(held: Configuration, location: str) -> Response:
    """The FunctionCodeLocation of a zip, which is at the URL `location`."""
    source = held.source
    return {
        "Location": location,
        "RepositoryType": "S3",
        "ResolvedS3Object": None
        if source is None
        else {"S3Bucket": source.bucket, "S3Key": source.key, "S3ObjectVersion": source.version},
        "SourceKMSKeyArn": held.source_key_arn,
    }


def image(held: Image) -> Response:
    """The FunctionCodeLocation of an image."""
    return {"ImageUri": held.uri, "RepositoryType": "ECR", "ResolvedImageUri": images.resolved(held.uri)}


def alias(held: Alias) -> Response:
    """The AliasConfiguration."""
    return {
        "AliasArn": held.key.arn(held.name),
        "Description": held.description,
        "FunctionVersion": held.version,
        "Name": held.name,
        "RevisionId": held.revision_id,
        "RoutingConfig": {"AdditionalVersionWeights": held.weights} if held.weights else None,
    }


def layer_version(held: LayerVersion, location: str) -> Response:
    """A layer version with its content, which is at the URL `location`."""
    return listed_layer_version(held) | {
        "Content": {"CodeSha256": sha256(held.sha256), "CodeSize": held.size, "Location": location},
        "LayerArn": held.key.arn(),
    }


def listed_layer_version(held: LayerVersion) -> Response:
    """A layer version as lists show it."""
    return {
        "CompatibleArchitectures": None if held.architectures is None else list(held.architectures),
        "CompatibleRuntimes": None if held.runtimes is None else list(held.runtimes),
        "CreatedDate": timestamp(held.created_ms),
        "Description": held.description,
        "LayerVersionArn": held.arn,
        "LicenseInfo": held.license,
        "Version": held.number,
    }


def sha256(digest: str) -> str:
    """A hex digest as AWS writes it."""
    return base64.b64encode(bytes.fromhex(digest)).decode()


def timestamp(milliseconds: int) -> str:
    """A moment as Lambda writes it; milliseconds since the epoch."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"


def _snap_start(function: Function | Version) -> Response | None:
    """A function on managed instances has none to show."""
    held = function.configuration
    if held.instances is not None:
        return None
    on = held.snapshots and isinstance(function, Version)
    return {"ApplyOn": held.snap_start, "OptimizationStatus": "On" if on else "Off"}


def _logging(logging: Logging) -> Response:
    return {
        "ApplicationLogLevel": logging.application_level,
        "LogFormat": logging.format,
        "LogGroup": logging.group,
        "SystemLogLevel": logging.system_level,
    }


def _durability(durability: Durability) -> Response:
    return {
        "ExecutionTimeout": durability.timeout_s,
        "KMSKeyArn": durability.key_arn,
        "RetentionPeriodInDays": durability.retention_days,
    }


def _instances(instances: ManagedInstances) -> Response:
    return {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": instances.provider_arn,
            "ExecutionEnvironmentMemoryGiBPerVCpu": instances.memory_per_vcpu,
            "PerExecutionEnvironmentMaxConcurrency": instances.concurrency,
        }
    }


def _digest(held: Configuration) -> str:
    """What tells one configuration of a function on managed instances from another: sha256 in hex. It stays what it is
    when Lambent learns of another setting: those of `_LATER` count where they are set."""
    told = msgspec.to_builtins(msgspec.structs.replace(held, revision=""))
    counted = {name: value for name, value in told.items() if name not in _LATER or value is not None}
    return hashlib.sha256(msgspec.json.encode(counted)).hexdigest()


_LATER = frozenset(("accelerator_gb", "customer_runtime"))
"""The members of a configuration that came after the first digests were given; None where they are not set."""


def _customer_runtime(runtime: CustomerRuntime) -> Response:
    return {"RuntimeArn": runtime.arn, "RuntimeAlias": runtime.alias}


def _runtime_version(function: Function | Version) -> Response | None:
    """An image has none, and nobody knows which one the alias of a customer-managed runtime points to."""
    runtime = function.configuration.runtime
    if function.configuration.customer_runtime is not None:
        return None
    return {"RuntimeVersionArn": runtime_version_arn(function.region, runtime)} if runtime else None


def _file_system(held: FileSystem) -> Response:
    s3 = {"DirectS3Read": held.direct_read} if held.direct_read else None
    return {"Arn": held.arn, "LocalMountPath": held.path, "S3FilesConfig": s3}


def _image_settings(held: Image) -> Response | None:
    """Nothing where the image's own settings hold."""
    settings = {
        "Command": list(held.command) or None,
        "EntryPoint": list(held.entry_point) or None,
        "WorkingDirectory": held.working_directory or None,
    }
    return {"ImageConfig": settings} if any(settings.values()) else None


def _vpc(vpc: Vpc) -> Response:
    """There is no service of VPCs to ask which one the subnets lie in: the same subnets lie in the same."""
    named = ",".join(sorted(vpc.subnets))
    return {
        "Ipv6AllowedForDualStack": vpc.dual_stack,
        "SecurityGroupIds": list(vpc.security_groups),
        "SubnetIds": list(vpc.subnets),
        "VpcId": f"vpc-{hashlib.sha256(named.encode()).hexdigest()[:_ID_DIGITS]}" if named else "",
    }


_ID_DIGITS = 17
"""Of the ids that EC2 gives."""
