"""What deploy tools ask of an account besides its roles and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.iam import steps

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.iam.parts import Parts


async def list_instance_profiles_for_role(call: Call[Parts], request: Request) -> Response:
    """The instance profiles that hold a role: none, for there is no way to create one yet.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html
    """
    await call.parts.store.read(lambda tx: steps.role(tx, call.account, request["RoleName"]))
    return {"InstanceProfiles": [], "IsTruncated": False}


async def list_account_aliases(call: Call[Parts], request: Request) -> Response:  # noqa: ARG001 there is one page
    """The account's aliases: none, for there is no way to create one yet.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html
    """
    return {"AccountAliases": [], "IsTruncated": False}
