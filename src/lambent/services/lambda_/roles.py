"""The role of a function: which one it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.arn import Arn
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts


async def check(parts: Parts, account: str, role: str) -> None:
    """Raise AWS's errors unless a function of `account` may have `role`.

    In development any role will do, as the tools for local work expect: nobody has made one there.
    """
    if parts.settings.development:
        return
    if Arn.parse(role).account != account:
        raise errors.cross_account_role()
    if await parts.roles.find(role) is None:
        raise errors.role_not_assumable()
