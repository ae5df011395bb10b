"""What the Lambda service stores: a function, and the configuration that it runs with."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.compute.function import FunctionVersion
from lambent.kernel.arn import arn
from lambent.services.lambda_ import roles

LATEST = "$LATEST"

Architecture = Literal["x86_64", "arm64"]
LogFormat = Literal["Text", "JSON"]


class FunctionKey(msgspec.Struct, frozen=True, order=True):
    """What names one function in the whole installation."""

    account: str
    region: str
    name: str

    def arn(self, qualifier: str | None = None) -> str:
        """The function's ARN, ending in `qualifier` where there is one."""
        suffix = f":{qualifier}" if qualifier else ""
        return arn("lambda", self.region, self.account, f"function:{self.name}{suffix}")


class Logging(msgspec.Struct, frozen=True):
    """Where a function logs and how; the levels are set for JSON only."""

    group: str
    format: LogFormat = "Text"
    application_level: str | None = None
    system_level: str | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Code and settings of a function. The defaults are those of CreateFunction."""

    revision: str
    """Another for every accepted change, so that warm environments of the one before are recognised."""
    code_sha256: str
    """Hex digest of the zip; the blob's name."""
    code_size: int
    runtime: str
    handler: str
    role: str
    logging: Logging
    description: str = ""
    memory_mb: int = 128
    timeout_s: int = 3
    storage_mb: int = 512
    variables: dict[str, str] | None = None
    """None where the caller gave no environment, which AWS tells from an empty one."""
    architecture: Architecture = "x86_64"
    tracing: str = "PassThrough"
    snap_start: str = "None"
    dead_letter_arn: str | None = None
    empty_vpc: bool = False
    """Whether the caller gave a VpcConfig that names nothing, which AWS shows again."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it was last accepted."""

    account: str
    region: str
    name: str
    configuration: Configuration
    serving: Configuration | None = None
    """What invocations run until the accepted update is complete; None where it is `configuration`."""
    state: Literal["Pending", "Active"] = "Pending"
    update: Literal["InProgress", "Successful"] | None = None
    revision_id: str
    modified_ms: int
    """Milliseconds since the epoch."""
    tags: dict[str, str] = {}

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
        """The digests of the packages that it needs."""
        return {held.code_sha256 for held in (self.configuration, self.serving) if held is not None}

    def version(self) -> FunctionVersion:
        """What the engine runs for `$LATEST` now."""
        running = self.serving or self.configuration
        return FunctionVersion(
            account=self.account,
            region=self.region,
            name=self.name,
            version=LATEST,
            revision=running.revision,
            role=roles.own(running.role, self.account),
            runtime=running.runtime,
            handler=running.handler,
            code_sha256=running.code_sha256,
            memory_mb=running.memory_mb,
            timeout_s=running.timeout_s,
            variables=running.variables or {},
            log_group=running.logging.group,
            log_format=running.logging.format,
            log_level=running.logging.application_level or "INFO",
        )


def updating(function: Function, configuration: Configuration, revision_id: str, modified_ms: int) -> Function:
    """`function` once it has accepted `configuration`; the one before serves until it is settled."""
    return msgspec.structs.replace(
        function,
        configuration=configuration,
        serving=function.configuration,
        update="InProgress",
        revision_id=revision_id,
        modified_ms=modified_ms,
    )


def settled(function: Function, revision_id: str) -> Function:
    """`function` once its creation or its update is complete."""
    return msgspec.structs.replace(function, serving=None, state="Active", update="Successful", revision_id=revision_id)
