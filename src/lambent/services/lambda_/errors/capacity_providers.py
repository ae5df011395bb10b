"""What AWS answers about capacity providers. It documents the situations and codes.

Where nothing else is said, the words are not recorded. Those that are called reported are quoted by users of AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.services.lambda_.records.capacity_providers import ProviderKey


def not_found(arn: str) -> AwsError:
    """There is no such capacity provider."""
    return AwsError("ResourceNotFoundException", f"Capacity provider not found: {arn}")


def already_exists(key: ProviderKey) -> AwsError:
    """The name is taken."""
    return AwsError("ResourceConflictException", f"Capacity provider already exists: {key.arn()}")


def too_many() -> AwsError:
    """The account has all that it may have."""
    return AwsError(
        "CapacityProviderLimitExceededException",
        f"The account has reached the limit of {limits.CAPACITY_PROVIDERS} capacity providers.",
    )


def too_many_versions(arn: str) -> AwsError:
    """The capacity provider has all the versions that it may have."""
    return AwsError(
        "FunctionVersionsPerCapacityProviderLimitExceededException",
        f"The capacity provider {arn} has reached the limit of {limits.CAPACITY_PROVIDER_VERSIONS} function versions.",
    )


def in_use(key: ProviderKey) -> AwsError:
    """It goes only when no function is on it."""
    return AwsError(
        "ResourceConflictException",
        f"Capacity provider {key.arn()} is in use by function versions and can't be deleted.",
    )


def not_ready(key: ProviderKey, state: str) -> AwsError:
    """It is being created or deleted."""
    return AwsError(
        "ResourceConflictException",
        "The operation cannot be performed at this time. "
        f"The capacity provider {key.arn()} is currently in the following state: {state}",
    )


def both_lists() -> AwsError:
    """Instance types are named by what is allowed or by what is not."""
    return invalid("Only one of AllowedInstanceTypes and ExcludedInstanceTypes can be specified.")


def other_architecture(ours: str, theirs: str) -> AwsError:
    """A function wants another architecture than the instances have."""
    return invalid(
        f"The function's architecture {ours} doesn't match the architecture {theirs} of the capacity provider."
    )


def name_too_long(name: str) -> AwsError:
    """The model's bound is that of an ARN; that of the name itself is lower."""
    limit = limits.CAPACITY_PROVIDER_NAME_LENGTH
    return invalid(
        f"1 validation error detected: Value '{name}' at 'capacityProviderName' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )


def least_above_most(least: int, most: int) -> AwsError:
    """More environments are wanted at least than at most."""
    return invalid(
        f"MinExecutionEnvironments ({least}) must be less than or equal to MaxExecutionEnvironments ({most})."
    )


def runtime_unfit(runtime: str) -> AwsError:
    """The runtime takes one event at a time. These words are those of AWS for other features."""
    return invalid(f"Runtime Enum {runtime} does not support specified feature: Lambda Managed Instances")


def memory_too_small(size: int) -> AwsError:
    """An environment has one vCPU and 2 GB at least. These words are reported, the code with them."""
    text = f"Lambda Managed Instance functions must have memory size greater than or equal to {size}"
    return AwsError("ValidationException", text)


def with_network() -> AwsError:
    """The network is that of the capacity provider. These words are reported."""
    return invalid("You can't use Lambda Managed Instance functions with VPC configurations.")


def policy_without_manual() -> AwsError:
    """Where Lambda scales by itself, nobody says by what. These words are reported."""
    return invalid("A scaling policy can't be specified when the scalingMode is set to Auto")


def no_tail() -> AwsError:
    """The log of an environment is that of several invocations at a time. These words are reported."""
    return invalid("Tail logs are not supported for functions configured with capacity provider")


def latest_not_invocable() -> AwsError:
    """Environments are there for versions only. These words are those that LocalStack answers with."""
    return invalid(
        "Functions configured with capacity provider configuration can't be invoked with $LATEST qualifier. "
        "To invoke this function, specify a published version qualifier or $LATEST.PUBLISHED."
    )


def none_published() -> AwsError:
    """No version is named, and none is published to stand for that. These words are those that LocalStack answers
    with."""
    return AwsError(
        "NoPublishedVersionException",
        "The function can't be invoked because no published version exists. For functions with capacity provider "
        "configuration, either publish a version to $LATEST.PUBLISHED, or specify a published version qualifier.",
        Type="User",
    )


def with_provisions() -> AwsError:
    """Environments on managed instances are always ready."""
    return invalid("Provisioned Concurrency is not supported for functions with a capacity provider.")


def without_provider() -> AwsError:
    """The function is not on managed instances. These words are recorded."""
    message = "The function provided by the arn does not contain a capacity provider configuration"
    return AwsError("AccessDeniedException", message, status=403)
