"""Who is asking, and whose a key is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.sts import errors

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.sts.parts import Parts


async def get_caller_identity(call: Call[Parts], request: Request) -> Response:  # noqa: ARG001 it has no members
    """The principal that signed this call.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    return {"UserId": call.principal.user_id, "Account": call.principal.account, "Arn": call.principal.arn}


async def get_access_key_info(call: Call[Parts], request: Request) -> Response:
    """The account that an access key id belongs to, whether or not the key is still good.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
    """
    account = call.parts.authority.account_of(request["AccessKeyId"])
    if account is None:
        raise errors.unknown_access_key(request["AccessKeyId"])
    return {"Account": account}
