"""Random names and secrets."""

from __future__ import annotations

from uuid import UUID

import pytest

from lambent.kernel.ids import Ids, SeededIds, SystemIds


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds()], ids=["system", "seeded"])
def test_ids_do_not_repeat_and_have_their_form(ids: Ids) -> None:
    names = [ids.uuid() for _ in range(200)]
    assert len(set(names)) == 200
    for name in names:
        assert UUID(name).version == 4
        assert str(UUID(name)) == name
    secrets = [ids.bytes(32) for _ in range(200)]
    assert len(set(secrets)) == 200
    assert {len(secret) for secret in secrets} == {32}


def test_a_seed_repeats_a_run() -> None:
    one, same, other = SeededIds(1), SeededIds(1), SeededIds(2)
    run = [one.uuid(), one.bytes(8), one.uuid()]
    assert [same.uuid(), same.bytes(8), same.uuid()] == run
    assert [other.uuid(), other.bytes(8), other.uuid()] != run
