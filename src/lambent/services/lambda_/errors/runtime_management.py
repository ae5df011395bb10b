"""AWS's errors of runtime management. AWS documents the rules; the words are not recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.kernel.errors import AwsError


def version_needed() -> AwsError:
    """Who updates by hand says to what."""
    return invalid("A RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")


def version_not_wanted(mode: str) -> AwsError:
    """Who lets Lambda update names no version."""
    return invalid(f"A RuntimeVersionArn is not supported when UpdateRuntimeOn is {mode}.")


def unknown_version(version_arn: str, runtime: str) -> AwsError:
    """The version is none that functions of `runtime` can run with here."""
    return invalid(f"The runtime version {version_arn} is not available for the runtime {runtime}.")


def no_runtime() -> AwsError:
    """An image brings its own runtime."""
    return invalid("Runtime management is not supported for functions with packageType Image.")
