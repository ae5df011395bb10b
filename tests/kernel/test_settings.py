"""Settings: what may stand in them and what holds without them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lambent.kernel.settings import KeyPair, Settings


def test_the_defaults_are_those_of_the_local_aws_tools() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 4566)
    assert (settings.account, settings.region) == ("000000000000", "us-east-1")
    assert settings.development


def test_production_mode_is_not_development() -> None:
    assert not Settings(mode="production").development


@pytest.mark.parametrize(
    "values",
    [
        {"port": -1},
        {"port": 65536},
        {"account": "12345678901"},
        {"account": "1234567890123"},
        {"account": "12345678901a"},
        {"mode": "staging"},
        {"concurrency": 0},
        {"environment_idle_s": 0},
        {"colour": "blue"},
        {"keys": [{"access_key_id": "", "secret_access_key": "s"}]},
        {"keys": [{"access_key_id": "AKIA", "secret_access_key": ""}]},
        {"keys": [{"access_key_id": "AKIA", "secret_access_key": "s", "account": "1"}]},
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, Settings)


def test_a_key_pair_may_act_in_an_account_of_its_own() -> None:
    values = {"keys": [{"access_key_id": "AKIA", "secret_access_key": "s", "account": "123456789012"}]}
    assert msgspec.convert(values, Settings).keys == (KeyPair("AKIA", "s", "123456789012"),)
