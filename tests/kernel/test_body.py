"""A body that is already here."""

from __future__ import annotations

import pytest

from lambent.kernel.body import BodyTooLarge, WholeBody


@pytest.mark.parametrize("data", [b"", b"content"])
async def test_a_whole_body_gives_its_bytes_whole_or_in_chunks(data: bytes) -> None:
    body = WholeBody(data)
    assert body.length == len(data)
    assert await body.read(len(data)) == data
    assert [chunk async for chunk in body] == ([data] if data else [])


async def test_a_body_over_its_readers_limit_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match="longer than 6 bytes") as refused:
        await WholeBody(b"content").read(6)
    assert refused.value.limit == 6
