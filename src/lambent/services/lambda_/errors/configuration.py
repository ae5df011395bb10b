"""AWS's errors for the configurations that functions are asked to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.kernel.errors import AwsError


def no_runtime_or_handler() -> AwsError:
    """A zip says neither what runs it nor what in it."""
    return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")


def unsuited_for_snapshots(what: str) -> AwsError:
    """`what`, a runtime or `ContainerImage`, cannot start from a snapshot. AWS takes images since July 2026; here they
    do not run."""
    return invalid(f"{what} is not supported for SnapStart enabled functions.")


def above(member: str, limit: int) -> AwsError:
    """The model's bound is for functions on capacity providers; that of all others is lower."""
    return invalid(
        f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {limit}"
    )


def half_a_vpc() -> AwsError:
    """A VPC is given by subnets and security groups together."""
    return invalid("SubnetIds and SecurityIds must coexist or be both empty list.")


def file_system_without_vpc(arn: str) -> AwsError:
    """A file system is reached through a VPC only; `arn` is of its access point. AWS's users report the words."""
    return invalid(
        f"Function must be configured to execute in a VPC to reference access point {arn}. "
        "Please update the function configuration to include VPC subnets and security groups."
    )


def customer_runtime_amiss() -> AwsError:
    """AWS documents that each needs the other; the words are not recorded.

    https://docs.aws.amazon.com/lambda/latest/dg/cmr-using.html
    """
    return invalid("RuntimeConfig must be specified if, and only if, the runtime is custom.")


def accelerator_unfit(why: str) -> AwsError:
    """A function that cannot have an accelerator. AWS documents the rules; the words are not recorded.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-acceleratorconfig.html
    """
    return invalid(f"AcceleratorConfig is not supported: {why}.")


def no_mount_path(path: str) -> AwsError:
    """The model's pattern takes `/mnt/.` and `/mnt/..`, which are names of other folders. The words are not AWS's."""
    return invalid(f"The local mount path {path} is not a path below /mnt.")


def foreign_access_point(arn: str) -> AwsError:
    """The ARN has no region, or no account. The words are not AWS's."""
    return invalid(f"Access point ARN {arn} is invalid.")


def not_s3_files() -> AwsError:
    """AWS documents the rule; the words are not recorded.

    https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
    """
    return invalid("S3FilesConfig is valid only with an Amazon S3 Files access point.")


def foreign_members(members: Iterable[str], package_type: str) -> AwsError:
    """Members that belong to the other package type."""
    return invalid(
        f"Please don't provide [{', '.join(members)}] when the intended function PackageType is {package_type}."
    )


def durable_without_timeout() -> AwsError:
    """A durable function says how long its executions may take."""
    return invalid("You cannot create a function with a durable configuration without an executionTimeout")


def not_durable() -> AwsError:
    """A function is durable from its creation on, or never. AWS documents the rule; the words are not recorded."""
    return invalid("You cannot add a durable configuration to an existing function.")


def not_managed() -> AwsError:
    """A function is on managed instances from its creation on, or never."""
    return invalid("CapacityProviderConfig isn't supported for Lambda Default functions.")


def nul_in_variables() -> AwsError:
    """No process can be given such a variable. What AWS says of it is not recorded."""
    return invalid("Environment variables cannot hold the character NUL.")


def nul_in_handler() -> AwsError:
    """The handler is a variable of the function's process. What AWS says of it is not recorded either."""
    return invalid("The handler cannot hold the character NUL.")


def levels_without_json() -> AwsError:
    """Log levels filter JSON only."""
    return invalid(
        'LogLevel is not supported when LogFormat is set to "Text". '
        'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
    )


def file_systems_with_snapshots() -> AwsError:
    """A function that starts from snapshots has no file systems. AWS documents the rule; the words are not recorded."""
    return invalid("SnapStart is not supported for functions with file systems.")


def storage_with_snapshots() -> AwsError:
    """A function that starts from snapshots has no more than the usual `/tmp`."""
    return invalid(
        f"SnapStart is not supported for functions with ephemeral storage of more than "
        f"{limits.FUNCTION_SNAPSHOT_STORAGE_MB} MB."
    )


def reserved_variables(names: Iterable[str]) -> AwsError:
    """The environment sets what Lambda sets itself."""
    return invalid(
        "Lambda was unable to configure your environment variables because the environment variables you have "
        "provided contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {', '.join(names)}"
    )


def variables_too_large(measured: str) -> AwsError:
    """The environment is over 4 KB as JSON."""
    return invalid(
        "Lambda was unable to configure your environment variables because the environment variables you have "
        f"provided exceeded the 4KB limit. String measured: {measured}"
    )


def unknown_runtime(runtime: str, known: Iterable[str]) -> AwsError:
    """No runtime has this name."""
    return invalid(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(known)}] or be a valid ARN"
    )


def retired_runtime(runtime: str) -> AwsError:
    """AWS takes no function for this runtime any more."""
    return invalid(
        f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )
