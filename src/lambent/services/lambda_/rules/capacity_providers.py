"""Capacity providers from requests and to answers, in the members and the spelling of AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.errors import capacity_providers as refused
from lambent.services.lambda_.errors import configuration
from lambent.services.lambda_.records.capacity_providers import (
    CapacityProvider,
    Instances,
    Policy,
    Propagation,
    ProviderKey,
    Scaling,
    Telemetry,
)
from lambent.services.lambda_.rules import answers, tags

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.records.configuration import Configuration

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):capacity-provider:(?P<name>[a-zA-Z0-9-_]+)"
)


_RUNTIMES = frozenset(
    {
        "Image",
        "dotnet10",
        "dotnet8",
        "java21",
        "java25",
        "nodejs22.x",
        "nodejs24.x",
        "nodejs26.x",
        "provided.al2023",
        "python3.13",
        "python3.14",
        "python3.15",
    }
)
"""Those that take several events at a time; of an image, nobody knows beforehand."""


def parse(call: Call[Any], text: str) -> ProviderKey:
    """The capacity provider that `text`, a CapacityProviderName of the model, names for this caller. Raises AWS's error
    where it is one of another account or region: nobody but their owner can see them."""
    if ":" not in text:
        return ProviderKey(call.account, call.region, text)
    key = of_arn(text)
    if (key.account, key.region) != (call.account, call.region):
        raise refused.not_found(text)
    return key


def of_arn(text: str) -> ProviderKey:
    """The capacity provider with that ARN, which the model's pattern let through."""
    match = _ARN.fullmatch(text)
    assert match is not None, "the model's pattern let the ARN through"
    return ProviderKey(match["account"], match["region"], match["name"])


def check_new(request: Request, name: str) -> None:
    """Raise AWS's errors for a CreateCapacityProvider request that its model allows."""
    if len(name) > limits.CAPACITY_PROVIDER_NAME_LENGTH:
        raise refused.name_too_long(name)
    wanted = request.get("InstanceRequirements", {})
    if wanted.get("AllowedInstanceTypes") and wanted.get("ExcludedInstanceTypes"):
        raise refused.both_lists()
    check_scaling(request)
    tags.check(request.get("Tags", {}))


def check_scaling(request: Request) -> None:
    """Raise AWS's error where policies are given and Lambda is to scale by itself, which is what it does unless it is
    told otherwise."""
    wanted = request.get("CapacityProviderScalingConfig", {})
    if wanted.get("ScalingPolicies") and wanted.get("ScalingMode", "Auto") == "Auto":
        raise refused.policy_without_manual()


def check_function(wanted: Configuration) -> None:
    """Raise AWS's errors for what a function on managed instances cannot be.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html
    """
    runtime = wanted.runtime or wanted.package_type
    if runtime not in _RUNTIMES:
        raise refused.runtime_unfit(runtime)
    if wanted.memory_mb < limits.MANAGED_MEMORY_MB:
        raise refused.memory_too_small(limits.MANAGED_MEMORY_MB)
    if wanted.vpc is not None and wanted.vpc.subnets:
        raise refused.with_network()
    if wanted.logging.format != "JSON":
        raise configuration.levels_without_json()


def new(request: Request, key: ProviderKey, now_ms: int) -> CapacityProvider:
    """The capacity provider that a CreateCapacityProvider request asks for; `check_new` has passed it."""
    blank = CapacityProvider(
        account=key.account,
        region=key.region,
        name=key.name,
        subnets=tuple(request["VpcConfig"]["SubnetIds"]),
        security_groups=tuple(request["VpcConfig"]["SecurityGroupIds"]),
        operator_role=request["PermissionsConfig"]["CapacityProviderOperatorRoleArn"],
        instances=_instances(request.get("InstanceRequirements", {})),
        key_arn=request.get("KmsKeyArn") or None,
        tags=request.get("Tags", {}),
        modified_ms=now_ms,
    )
    return changed(blank, request, now_ms)


def changed(old: CapacityProvider, request: Request, now_ms: int) -> CapacityProvider:
    """What `request` makes of `old`. A member that is absent stays as it was; one that is given replaces the old one
    whole."""
    changes: dict[str, Any] = {"modified_ms": now_ms}
    if "CapacityProviderScalingConfig" in request:
        changes["scaling"] = _scaling(request["CapacityProviderScalingConfig"])
    if "PropagateTags" in request:
        wanted = request["PropagateTags"]
        changes["propagation"] = Propagation(wanted.get("Mode"), wanted.get("ExplicitTags"))
    if "TelemetryConfig" in request:
        logging = request["TelemetryConfig"].get("LoggingConfig", {})
        changes["telemetry"] = Telemetry(logging.get("SystemLogLevel"), logging.get("LogGroup"))
    return msgspec.structs.replace(old, **changes)


def answer(held: CapacityProvider) -> Response:
    """The CapacityProvider. None is left out on the wire."""
    return {
        "CapacityProviderArn": held.key.arn(),
        "State": held.state,
        "VpcConfig": {"SubnetIds": list(held.subnets), "SecurityGroupIds": list(held.security_groups)},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": held.operator_role},
        "InstanceRequirements": _shown_instances(held.instances),
        "CapacityProviderScalingConfig": _shown_scaling(held.scaling),
        "KmsKeyArn": held.key_arn,
        "LastModified": answers.timestamp(held.modified_ms),
        "PropagateTags": None
        if held.propagation is None
        else {"Mode": held.propagation.mode, "ExplicitTags": held.propagation.tags},
        "TelemetryConfig": None
        if held.telemetry is None
        else {"LoggingConfig": {"SystemLogLevel": held.telemetry.level, "LogGroup": held.telemetry.group}},
    }


def _instances(wanted: dict[str, Any]) -> Instances:
    return Instances(
        wanted.get("Architectures", ["x86_64"])[0],
        tuple(wanted.get("AllowedInstanceTypes", ())),
        tuple(wanted.get("ExcludedInstanceTypes", ())),
    )


def _scaling(wanted: dict[str, Any]) -> Scaling:
    return Scaling(
        wanted.get("MaxVCpuCount", limits.CAPACITY_PROVIDER_VCPUS),
        wanted.get("ScalingMode", "Auto"),
        tuple(
            Policy(policy["PredefinedMetricType"], policy["TargetValue"])
            for policy in wanted.get("ScalingPolicies", ())
        ),
    )


def _shown_instances(held: Instances) -> Response:
    return {
        "Architectures": [held.architecture],
        "AllowedInstanceTypes": list(held.allowed) or None,
        "ExcludedInstanceTypes": list(held.excluded) or None,
    }


def _shown_scaling(held: Scaling) -> Response:
    policies = [{"PredefinedMetricType": policy.metric, "TargetValue": policy.target} for policy in held.policies]
    return {"MaxVCpuCount": held.most_vcpus, "ScalingMode": held.mode, "ScalingPolicies": policies or None}
