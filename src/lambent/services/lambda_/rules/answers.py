"""From records to answers, in the members and the spelling of AWS. None is left out on the wire."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambent.compute.function import runtime_version_arn
from lambent.services.lambda_.records import CREATING, Version

if TYPE_CHECKING:
    from lambent.kernel.call import Response
    from lambent.services.lambda_.records import Alias, Function, LayerVersion
    from lambent.services.lambda_.records.configuration import Configuration, Durability, Logging, ManagedInstances


def configuration(function: Function | Version, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration of `$LATEST` or a version; its ARN ends in `qualifier` where there is one."""
    updating = function.update == "InProgress"
    return listed(function, qualifier) | {
        "State": function.state,
        "StateReason": function.state_reason,
        "StateReasonCode": function.state_reason_code,
        "LastUpdateStatus": function.update,
        "LastUpdateStatusReason": CREATING if updating else None,
        "LastUpdateStatusReasonCode": "Creating" if updating else None,
        "RuntimeVersionConfig": {
            "RuntimeVersionArn": runtime_version_arn(function.region, function.configuration.runtime)
        },
    }


def listed(function: Function | Version, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration as lists show it: without states and the runtime's version."""
    held = function.configuration
    return {
        "Architectures": [held.architecture],
        "CodeSha256": sha256(held.code_sha256),
        "CodeSize": held.code_size,
        "CapacityProviderConfig": None if held.instances is None else _instances(held.instances),
        "DeadLetterConfig": {"TargetArn": held.dead_letter_arn} if held.dead_letter_arn else None,
        "Description": held.description,
        "DurableConfig": None if held.durability is None else _durability(held.durability),
        "Environment": None if held.variables is None else {"Variables": held.variables},
        "EphemeralStorage": {"Size": held.storage_mb},
        "FunctionArn": function.key.arn(qualifier),
        "FunctionName": function.key.name,
        "Handler": held.handler,
        "LastModified": timestamp(function.modified_ms),
        "Layers": [{"Arn": layer.arn, "CodeSize": layer.size} for layer in held.layers] or None,
        "LoggingConfig": _logging(held.logging),
        "MemorySize": held.memory_mb,
        "PackageType": "Zip",
        "RevisionId": function.revision_id,
        "Role": held.role,
        "Runtime": held.runtime,
        "SnapStart": _snap_start(function),
        "TenancyConfig": {"TenantIsolationMode": held.tenancy} if held.tenancy else None,
        "Timeout": held.timeout_s,
        "TracingConfig": {"Mode": held.tracing},
        "Version": function.label,
        "VpcConfig": _vpc(held),
    }


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


def _vpc(held: Configuration) -> Response | None:
    if not held.empty_vpc:
        return None
    return {"Ipv6AllowedForDualStack": False, "SecurityGroupIds": [], "SubnetIds": [], "VpcId": ""}
