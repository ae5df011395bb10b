"""Secrets that an installation makes for itself: random on first use, the same ever after."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids
    from lambent.store.api import Store, Transaction

_KEY_BYTES = 32


async def key(store: Store, ids: Ids, name: str) -> bytes:
    """The 32-byte secret called `name`; whoever asks first makes it, and it is durable before anybody has it."""
    return await store.read(lambda tx: _find(tx, name)) or await _make(store, name, ids.bytes(_KEY_BYTES))


async def _make(store: Store, name: str, fresh: bytes) -> bytes:
    def work(tx: Transaction) -> bytes:
        tx.run(
            "INSERT INTO secret_keys (name, secret) VALUES (:name, :secret) ON CONFLICT (name) DO NOTHING",
            name=name,
            secret=fresh,
        )
        secret = _find(tx, name)
        assert secret is not None
        return secret

    return await store.write(work)


def _find(tx: Transaction, name: str) -> bytes | None:
    row = tx.one("SELECT secret FROM secret_keys WHERE name = :name", name=name)
    return None if row is None else row[0]
