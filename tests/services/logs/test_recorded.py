"""What AWS answered, member by member."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.replay import Replay, scenarios

if TYPE_CHECKING:
    from tests.services.account import Account

SCENARIOS = scenarios(Path(__file__).parent / "recorded")


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_answer_is_that_of_aws(name: str, account: Account) -> None:
    Replay(account).play(SCENARIOS[name])
