"""Which log group a call means: its name, or an identifier that is a name or an ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.logs import errors
from lambent.services.logs.rules.names import group_of_arn, group_of_identifier

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request
    from lambent.services.logs.parts import Parts


def group_name(call: Call[Parts], request: Request) -> str:
    """The name in `logGroupName` or `logGroupIdentifier`. Raises ValidationException, ResourceNotFoundException."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise errors.name_and_identifier()
    if name is not None:
        return str(name)
    if identifier is None:
        raise errors.neither_name_nor_identifier()
    return identified(call, identifier)


def identified(call: Call[Parts], identifier: str) -> str:
    """The name in a `logGroupIdentifier`. Raises ResourceNotFoundException for what lies elsewhere."""
    found = group_of_identifier(identifier, call.account, call.region)
    if found is None:
        raise errors.no_group()
    return found


def tagged(call: Call[Parts], resource_arn: str) -> str:
    """The name in a `resourceArn`. Raises ResourceNotFoundException for anything but a group of this account."""
    found = group_of_arn(resource_arn, call.account, call.region)
    if found is None:
        raise errors.no_resource()
    return found
