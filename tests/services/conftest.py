"""Fixtures of the services' suites."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.services.account import Account

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def account(shared_lambent: Server) -> Account:
    """An account that no other test uses, on the server that the module's tests share."""
    return Account(shared_lambent, f"{uuid4().int % 10**12:012}")
