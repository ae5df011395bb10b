"""Function URLs by their names: kept in memory while nothing changes, so that a request to one runs no SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_.store import urls

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.urls import FunctionUrl
    from lambent.store.api import Store


class Addresses:
    """Finds URLs. What a read finds is kept only if nothing was forgotten meanwhile, so no slow read brings back what
    a change has replaced."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, FunctionUrl] = {}
        self._changes = 0

    async def find(self, name: str) -> FunctionUrl | None:
        """The URL whose host starts with `name`, or None."""
        known = self._known.get(name)
        if known is not None:
            return known
        changes = self._changes
        url = await self._store.read(lambda tx: urls.named(tx, name))
        if url is not None and changes == self._changes:
            if len(self._known) >= limits.URLS_CACHED:
                del self._known[next(iter(self._known))]
            self._known[name] = url
        return url

    def forget(self, key: FunctionKey) -> None:
        """The function has changed, and its URLs may have."""
        self._changes += 1
        for name in [name for name, url in self._known.items() if url.key == key]:
            del self._known[name]
