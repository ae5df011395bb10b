"""What AWS answers where tenants are missing, not wanted, or do not go with something else.

AWS documents all of these (https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html). It prints the words of
`missing`, and its users those of `with_url`; the others are made after these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.kernel.errors import AwsError


def missing() -> AwsError:
    """An invocation of a function with tenants says for whom it is."""
    return invalid(
        "The invoked function is enabled with tenancy configuration. "
        "Add a valid tenant ID in your request and try again."
    )


def unexpected() -> AwsError:
    """A function without tenants is invoked for nobody in particular."""
    return invalid(
        "The invoked function is not enabled with tenancy configuration. "
        "Remove the tenant ID from your request and try again."
    )


def with_provisions() -> AwsError:
    """What waits for anybody cannot belong to a tenant."""
    return invalid("Provisioned Concurrency is not supported for functions enabled with tenancy configuration")


def with_snapshots() -> AwsError:
    """What has run for nobody yet cannot become what runs for a tenant."""
    return invalid("SnapStart is not supported for functions enabled with tenancy configuration")


def with_url() -> AwsError:
    """A web request says nothing of a tenant."""
    return invalid("Function URL is not supported for functions enabled with tenancy configuration")
