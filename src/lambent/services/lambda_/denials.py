"""The functions whose policies deny something, kept in memory: theirs are asked for callers of their own account, too.

Policies that only allow say nothing to those, who need no permission of the function. So almost no call asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import access
from lambent.services.lambda_.store import permissions

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Store


class Denials:
    """What the store has, as of the last change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: set[FunctionKey] = set()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: FunctionKey) -> bool:
        return key in self._keys

    async def restore(self) -> None:
        """Learn of every function that has such a policy."""
        for key in await self._store.read(permissions.denying):
            await self.tell(key)

    async def tell(self, key: FunctionKey) -> None:
        """Learn what has changed for `key`."""
        held = await self._store.read(lambda tx: permissions.of(tx, key))
        denies = any(one.effect == "Deny" for document in held.values() for one in access.statements(document))
        if denies:
            self._keys.add(key)
        else:
            self._keys.discard(key)
