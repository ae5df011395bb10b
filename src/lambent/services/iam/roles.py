"""Roles as other services need them, found by their ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.authority import Role
from lambent.services.iam import store
from lambent.services.iam.rules import names

if TYPE_CHECKING:
    from lambent.store.api import Store


class StoredRoles:
    """Implements `kernel.authority.Roles`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, role_arn: str) -> Role | None:
        """The role of any account, or None."""
        parsed = names.named(role_arn, "role")
        if parsed is None:
            return None
        key = names.last(parsed).lower()
        found = await self._store.read(lambda tx: store.find_role(tx, parsed.account, key))
        if found is None or found.arn != role_arn:
            return None
        return Role(found.arn, found.role_id, found.max_session_s)
