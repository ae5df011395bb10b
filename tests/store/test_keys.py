"""Secrets that the installation makes for itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambent.kernel.ids import SeededIds, SystemIds
from lambent.store.keys import key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.store.sqlite import SqliteStore


async def test_a_key_is_made_once_and_survives(
    store: SqliteStore, reopen: Callable[[], Awaitable[SqliteStore]]
) -> None:
    made = await key(store, SystemIds(), "links")
    assert len(made) == 32
    assert await key(store, SystemIds(), "links") == made
    assert await key(await reopen(), SystemIds(), "links") == made


async def test_every_name_has_a_key_of_its_own(store: SqliteStore) -> None:
    assert await key(store, SystemIds(), "links") != await key(store, SystemIds(), "tokens")


async def test_all_who_race_for_a_new_key_get_the_same(store: SqliteStore) -> None:
    made = await asyncio.gather(*(key(store, SeededIds(seed), "links") for seed in range(50)))
    assert len(set(made)) == 1
