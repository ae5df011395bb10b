"""The functions whose policies deny something, kept in memory: theirs are asked for callers of their own account, too.

Policies that only allow say nothing to those, who need no permission of the function. So almost no call asks.
"""

from __future__ import annotations

import asyncio
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
        # Of two changes that are told at once, the one that read first must not be the last to say what it read.
        self._telling = asyncio.Lock()
        self.functions: set[FunctionKey] = set()
        """Those that have such a policy."""

    async def restore(self) -> None:
        """Learn of every function that has such a policy."""
        for key in await self._store.read(permissions.denying):
            await self.tell(key)

    async def tell(self, key: FunctionKey) -> None:
        """Learn what has changed for `key`."""
        async with self._telling:
            held = await self._store.read(lambda tx: permissions.of(tx, key))
            if any(one.effect == "Deny" for document in held.values() for one in access.statements(document)):
                self.functions.add(key)
            else:
                self.functions.discard(key)
