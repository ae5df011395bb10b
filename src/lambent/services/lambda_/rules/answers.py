"""From records to answers, in the members and the spelling of AWS. None is left out on the wire."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambent.compute.function import runtime_version_arn
from lambent.services.lambda_.records import LATEST

if TYPE_CHECKING:
    from lambent.kernel.call import Response
    from lambent.services.lambda_.records import Configuration, Function, Logging

_CREATING = "The function is being created."


def configuration(function: Function, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration of `$LATEST`; its ARN ends in `qualifier` where the caller gave one."""
    pending = function.state == "Pending"
    updating = function.update == "InProgress"
    return listed(function, qualifier) | {
        "State": function.state,
        "StateReason": _CREATING if pending else None,
        "StateReasonCode": "Creating" if pending else None,
        "LastUpdateStatus": function.update,
        "LastUpdateStatusReason": _CREATING if updating else None,
        "LastUpdateStatusReasonCode": "Creating" if updating else None,
        "RuntimeVersionConfig": {
            "RuntimeVersionArn": runtime_version_arn(function.region, function.configuration.runtime)
        },
    }


def listed(function: Function, qualifier: str | None = None) -> Response:
    """The FunctionConfiguration as lists show it: without states and the runtime's version."""
    held = function.configuration
    return {
        "Architectures": [held.architecture],
        "CodeSha256": base64.b64encode(bytes.fromhex(held.code_sha256)).decode(),
        "CodeSize": held.code_size,
        "DeadLetterConfig": {"TargetArn": held.dead_letter_arn} if held.dead_letter_arn else None,
        "Description": held.description,
        "Environment": None if held.variables is None else {"Variables": held.variables},
        "EphemeralStorage": {"Size": held.storage_mb},
        "FunctionArn": function.key.arn(qualifier),
        "FunctionName": function.name,
        "Handler": held.handler,
        "LastModified": _timestamp(function.modified_ms),
        "LoggingConfig": _logging(held.logging),
        "MemorySize": held.memory_mb,
        "PackageType": "Zip",
        "RevisionId": function.revision_id,
        "Role": held.role,
        "Runtime": held.runtime,
        "SnapStart": {"ApplyOn": held.snap_start, "OptimizationStatus": "Off"},
        "Timeout": held.timeout_s,
        "TracingConfig": {"Mode": held.tracing},
        "Version": LATEST,
        "VpcConfig": _vpc(held),
    }


def _logging(logging: Logging) -> Response:
    return {
        "ApplicationLogLevel": logging.application_level,
        "LogFormat": logging.format,
        "LogGroup": logging.group,
        "SystemLogLevel": logging.system_level,
    }


def _vpc(held: Configuration) -> Response | None:
    if not held.empty_vpc:
        return None
    return {"Ipv6AllowedForDualStack": False, "SecurityGroupIds": [], "SubnetIds": [], "VpcId": ""}


def _timestamp(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"
