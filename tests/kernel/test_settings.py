"""Settings: what may stand in them and what holds without them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lambent.kernel.settings import KeyPair, Settings, is_loopback


def test_the_defaults_are_those_of_the_local_aws_tools() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 4566)
    assert (settings.account, settings.region) == ("000000000000", "us-east-1")
    assert settings.development


def test_production_mode_is_not_development() -> None:
    assert not Settings(mode="production").development


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)
    assert Settings(host=host).development


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "a.localhost", ""])
def test_the_well_known_keys_are_for_this_machine_only(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="can be reached by other machines"):
        Settings(host=host)
    with pytest.raises(msgspec.ValidationError, match="can be reached by other machines"):
        msgspec.convert({"host": host}, Settings)
    with pytest.raises(ValueError, match="can be reached by other machines"):
        msgspec.structs.replace(Settings(host=host, mode="production"), mode="development")


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
