"""The users of a server's cells: nobody else's while the server lives, and somebody else's to have afterwards."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox.users import Users, claim
from lambent.kernel import limits
from lambent.kernel.ids import SeededIds

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there are no cells elsewhere")

ALL = "         0          0 4294967295\n"
HOLDER = """
import sys
from pathlib import Path
from lambent.compute.sandbox.users import claim
from lambent.kernel.ids import SeededIds
print(claim(SeededIds(), Path(sys.argv[1])).first, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    return tmp_path / "run" / "users"


def claimed(claims: Path, seed: int = 0) -> Users:
    """Who has the same seed looks for the same block first."""
    return claim(SeededIds(seed), claims)


def test_two_servers_have_no_user_in_common(claims: Path) -> None:
    first, second = claimed(claims), claimed(claims)
    assert abs(first.first - second.first) >= limits.CELLS
    for each in (first, second):
        assert each.first >= limits.CELL_USERS_FROM > limits.FILE_SYSTEM_USER
        assert each.first + limits.CELLS <= 2**31, "there are programs that take larger numbers for negative ones"
        each.close()


def test_users_that_are_let_go_are_free(claims: Path) -> None:
    first = claimed(claims)
    first.close()
    again = claimed(claims)
    assert again.first == first.first
    again.close()


def test_the_users_of_a_server_that_is_killed_are_free(claims: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, claims], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        held = int(holder.stdout.readline())
        beside = claimed(claims)
        assert beside.first != held
        holder.kill()
    after = claimed(claims)
    assert after.first == held
    for each in (beside, after):
        each.close()


def test_where_others_have_all_users_that_is_said(claims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CELL_USER_BLOCKS", 3)
    held = [claimed(claims, seed) for seed in range(3)]
    assert sorted(each.first for each in held) == [limits.CELL_USERS_FROM + n * limits.CELLS for n in range(3)]
    with pytest.raises(OSError, match=f"other servers have all users that environments may have: see {claims}"):
        claimed(claims)
    for each in held:
        each.close()


@pytest.mark.parametrize("lacking", ["users", "groups"])
def test_a_user_namespace_without_such_users_is_told_from_one_with_some(tmp_path: Path, lacking: str) -> None:
    few, tables = tmp_path / "few", {name: tmp_path / name for name in ("users", "groups")}
    for table in tables.values():
        table.write_text(ALL)
    few.write_text("         0     100000      65536\n")
    with pytest.raises(OSError, match="this user namespace has no users and groups from 1900131072 on"):
        claim(SeededIds(), tmp_path / "claims", (few, tables["groups"]))
    low = limits.CELL_USERS_FROM + limits.CELLS
    tables[lacking].write_text(f"0 0 1000\n{low - 1} 5000 {limits.CELLS + 2}\n")
    users = claim(SeededIds(), tmp_path / "claims", (tables["users"], tables["groups"]))
    assert users.first == low
    users.close()


def test_where_nothing_can_be_claimed_users_are_taken_at_random(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("no folder")
    found = [claimed(tmp_path / "run" / "users", seed) for seed in range(3)]
    assert len({each.first for each in found}) == 3
    assert "another server may by chance have the same users" in caplog.text
    for each in found:
        each.close()


def test_others_may_not_read_and_so_not_lock_the_file(claims: Path) -> None:
    users = claimed(claims)
    assert claims.stat().st_mode & 0o777 == 0o600
    users.close()
