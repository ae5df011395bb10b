"""JSON of guests: whatever is wrong with it is one error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lambent.compute import guestjson

decode = guestjson.decoder(dict[str, Any])


@pytest.mark.parametrize("data", [b'{"a":[1]}', '{"a":[1]}'])
def test_what_is_right_is_decoded(data: bytes | str) -> None:
    assert decode(data) == {"a": [1]}


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"\xff":1}', '{"a":"\ud800"}', b'{"a":' + b"[" * 5000, b'{"a":' * 5000],
    ids=["cut", "type", "bytes", "surrogate", "arrays", "objects"],
)
def test_what_is_wrong_is_one_error(data: bytes | str) -> None:
    with pytest.raises(guestjson.Malformed):
        decode(data)


def test_what_is_not_asked_for_may_not_be_nested_deeply_either() -> None:
    with pytest.raises(guestjson.Malformed):
        guestjson.decoder(_Small)(b'{"b":' + b"[" * 5000)


class _Small(msgspec.Struct):
    a: int = 0
