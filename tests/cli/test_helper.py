"""Commands beside the server: whom they sign as."""

from __future__ import annotations

import pytest

from lambent.cli import helper
from lambent.kernel.settings import KeyPair, Settings

OWN, OTHER = "111111111111", "222222222222"


@pytest.mark.parametrize(
    ("keys", "signs_as"),
    [
        ((KeyPair("other", "x", OTHER), KeyPair("own", "x", OWN)), "own"),
        ((KeyPair("other", "x", OTHER), KeyPair("unsaid", "x")), "unsaid"),
        ((KeyPair("other", "x", OTHER),), "other"),
    ],
)
def test_a_command_signs_as_the_servers_account(keys: tuple[KeyPair, ...], signs_as: str) -> None:
    settings = Settings(account=OWN, mode="production", keys=keys)
    assert helper._environment(settings)["AWS_ACCESS_KEY_ID"] == signs_as


def test_a_command_of_development_signs_as_everybody_does() -> None:
    assert helper._environment(Settings(keys=(KeyPair("own", "x"),)))["AWS_ACCESS_KEY_ID"] == "test"
