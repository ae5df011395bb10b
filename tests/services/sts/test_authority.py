"""Credentials and sealed sessions, with a clock that stands still."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lambent.kernel.authority import Credential, Principal, Session
from lambent.kernel.clock import VirtualClock
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SeededIds
from lambent.kernel.settings import KeyPair, Settings
from lambent.services.sts.authority import SessionAuthority, assumed, root
from lambent.services.sts.rules import access_keys

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/worker"
KEY = bytes(range(32))


def authority(clock: VirtualClock | None = None, key: bytes = KEY, **settings: Any) -> SessionAuthority:
    return SessionAuthority(Settings(**settings), clock or VirtualClock(), SeededIds(), key)


def code(work: Callable[[], object]) -> str:
    with pytest.raises(AwsError) as caught:
        work()
    return caught.value.code


def test_the_well_known_pair_is_the_root_of_the_settings_account() -> None:
    expected = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert authority(account=ACCOUNT).credential("test", None) == Credential("test", expected)


def test_twelve_digits_are_the_root_of_that_account() -> None:
    assert authority().credential("000000000042", None) == Credential("test", root("000000000042"))


def test_a_token_beside_a_well_known_pair_says_nothing() -> None:
    assert authority().credential("test", "test") == authority().credential("test", None)
    assert authority().credential(ACCOUNT, "test") == authority().credential(ACCOUNT, None)
    production = authority(mode="production", keys=(KeyPair("test", "mine"),))
    assert code(lambda: production.credential("test", "test")) == "InvalidClientTokenId"


@pytest.mark.parametrize(
    "key_id", ["", "12345678901", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢", "unknown", "AKIAIOSFODNN7EXAMPLE"]
)
def test_any_other_key_is_refused(key_id: str) -> None:
    assert code(lambda: authority().credential(key_id, None)) == "InvalidClientTokenId"


def test_production_knows_the_settings_keys_only() -> None:
    keys = (KeyPair("AKIAMINE", "secret"), KeyPair("AKIAOTHER", "other", ACCOUNT))
    server = authority(mode="production", keys=keys)
    assert server.credential("AKIAMINE", None) == Credential("secret", root("000000000000"))
    assert server.credential("AKIAOTHER", None) == Credential("other", root(ACCOUNT))
    assert code(lambda: server.credential("test", None)) == "InvalidClientTokenId"
    assert code(lambda: server.credential(ACCOUNT, None)) == "InvalidClientTokenId"


def test_a_configured_key_takes_the_place_of_the_well_known_one() -> None:
    assert authority(keys=(KeyPair("test", "mine"),)).credential("test", None).secret_access_key == "mine"


def test_a_session_is_known_by_its_token_after_a_restart() -> None:
    clock = VirtualClock()
    given = authority(clock).session(ROLE, "builder", 900)
    assert given.expires == clock.time() + 900
    found = authority(clock).credential(given.access_key_id, given.session_token)
    assert found.secret_access_key == given.secret_access_key
    assert found.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/builder"
    assert found.principal.account == ACCOUNT


def test_a_session_carries_what_it_was_started_with() -> None:
    session = Session(policy="{}", tags={"team": "blue"}, transitive_tag_keys=("team",), source_identity="alice")
    given = authority().grant(assumed(ROLE, "builder", "AROAX", session), 900)
    found = authority().credential(given.access_key_id, given.session_token)
    assert found.principal.session == session
    assert found.principal.user_id == "AROAX:builder"


def test_the_user_id_of_a_role_without_id_is_always_the_same() -> None:
    ids = set()
    for key in (KEY, bytes(32)):
        server = authority(key=key)
        given = server.session(ROLE, "s", 900)
        ids.add(server.credential(given.access_key_id, given.session_token).principal.user_id)
    assert len(ids) == 1
    assert len(ids.pop()) == len("AROA") + 17 + len(":s")


async def test_a_session_ends() -> None:
    clock = VirtualClock()
    server = authority(clock)
    given = server.session(ROLE, "builder", 900)
    await clock.advance(899)
    server.credential(given.access_key_id, given.session_token)
    await clock.advance(1)
    for each in (server, authority(clock)):
        with pytest.raises(AwsError, match="The security token included in the request is expired") as caught:
            each.credential(given.access_key_id, given.session_token)
        assert (caught.value.code, caught.value.status) == ("ExpiredToken", 403)


def test_a_token_of_another_installation_is_refused() -> None:
    given = authority(key=bytes(32)).session(ROLE, "builder", 900)
    assert code(lambda: authority().credential(given.access_key_id, given.session_token)) == "InvalidClientTokenId"


def test_a_token_opens_with_its_own_access_key_only() -> None:
    server = authority()
    one, two = server.session(ROLE, "one", 900), server.session(ROLE, "two", 900)
    assert code(lambda: server.credential(one.access_key_id, two.session_token)) == "InvalidClientTokenId"
    assert code(lambda: server.credential(one.access_key_id, None)) == "InvalidClientTokenId"
    assert code(lambda: server.credential("AKIAIOSFODNN7EXAMPLE", one.session_token)) == "InvalidClientTokenId"


@given(some.data())
def test_a_changed_token_is_refused(data: some.DataObject) -> None:
    server = authority()
    given = server.session(ROLE, "builder", 900)
    raw = bytearray(base64.b64decode(given.session_token))
    raw[data.draw(some.integers(0, len(raw) - 1))] ^= data.draw(some.integers(1, 255))
    changed = base64.b64encode(raw).decode()
    assert code(lambda: server.credential(given.access_key_id, changed)) == "InvalidClientTokenId"


@given(some.text(max_size=300))
def test_any_text_as_a_token_is_refused(text: str) -> None:
    given = authority().session(ROLE, "builder", 900)
    assert code(lambda: authority().credential(given.access_key_id, text)) == "InvalidClientTokenId"


def test_a_token_shows_neither_the_secret_nor_the_role() -> None:
    given = authority().session(ROLE, "builder", 900)
    raw = base64.b64decode(given.session_token)
    assert given.secret_access_key.encode() not in raw
    assert b"builder" not in raw


def test_secrets_and_tokens_differ_from_session_to_session() -> None:
    server = authority()
    sessions = [server.session(ROLE, "same", 900) for _ in range(100)]
    for member in ("access_key_id", "secret_access_key", "session_token"):
        assert len({getattr(each, member) for each in sessions}) == 100


def test_a_token_can_be_made_longer() -> None:
    server = authority()
    for size in (0, 400, 401, 402, 403, 4096):
        given = server.grant(root(ACCOUNT), 900, size)
        assert size <= len(given.session_token) < max(size, 300) + 12
        server.credential(given.access_key_id, given.session_token)


def test_an_unsigned_call_has_a_principal() -> None:
    assert authority(account=ACCOUNT).anonymous().account == ACCOUNT


@given(some.integers(0, 10**12 - 1))
def test_an_access_key_id_says_whose_account_it_is(number: int) -> None:
    account = f"{number:012}"
    key_id = access_keys.temporary(SeededIds(number), account)
    assert len(key_id) == 20
    assert access_keys.account(key_id) == account


def test_the_account_of_a_key_is_read_as_aws_writes_it() -> None:
    assert access_keys.account("ASIAQNZGKIQY56JQ7WML") == "029608264753"
    assert access_keys.account("AKIA") is None
    assert access_keys.account("test") is None
