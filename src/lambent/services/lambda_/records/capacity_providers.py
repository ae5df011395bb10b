"""Capacity providers, and how many environments their function versions are to have.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.kernel import limits
from lambent.kernel.arn import arn
from lambent.services.lambda_.records import FunctionKey

ScalingMode = Literal["Auto", "Manual"]
State = Literal["Pending", "Active", "Failed", "Deleting"]


class ProviderKey(msgspec.Struct, frozen=True):
    """What names one capacity provider in the whole installation."""

    account: str
    region: str
    name: str

    def arn(self) -> str:
        """Its ARN."""
        return arn("lambda", self.region, self.account, f"capacity-provider:{self.name}")


class Instances(msgspec.Struct, frozen=True):
    """Which instances are wanted; at most one of the two lists names any."""

    architecture: Literal["x86_64", "arm64"] = "x86_64"
    allowed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True):
    """A figure that is to be kept near its target."""

    metric: str
    target: float


class Scaling(msgspec.Struct, frozen=True):
    """How many instances there may be, and what decides how many there are."""

    most_vcpus: int = limits.CAPACITY_PROVIDER_VCPUS
    mode: ScalingMode = "Auto"
    policies: tuple[Policy, ...] = ()


class Propagation(msgspec.Struct, frozen=True):
    """Which tags its instances get."""

    mode: Literal["None", "Explicit"] | None = None
    tags: dict[str, str] | None = None


class Telemetry(msgspec.Struct, frozen=True):
    """What it logs itself, and where."""

    level: Literal["DEBUG", "INFO", "WARN"] | None = None
    group: str | None = None


class CapacityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A capacity provider as it was last accepted."""

    account: str
    region: str
    name: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    operator_role: str
    instances: Instances = Instances()
    scaling: Scaling = Scaling()
    key_arn: str | None = None
    """The KMS key that the caller wants its disks encrypted with."""
    propagation: Propagation | None = None
    telemetry: Telemetry | None = None
    tags: dict[str, str] = {}
    state: State = "Pending"
    modified_ms: int
    """Milliseconds since the epoch."""

    @property
    def key(self) -> ProviderKey:
        """Its name in the whole installation."""
        return ProviderKey(self.account, self.region, self.name)


class FunctionScaling(msgspec.Struct, frozen=True, kw_only=True):
    """How many environments a function version on managed instances is to have, at least and at most."""

    account: str
    region: str
    function: str
    number: int
    """That of the version."""
    least: int = limits.MANAGED_ENVIRONMENTS_LEAST
    most: int = limits.MANAGED_ENVIRONMENTS_MOST

    @property
    def key(self) -> FunctionKey:
        """The function whose version it is for."""
        return FunctionKey(self.account, self.region, self.function)
