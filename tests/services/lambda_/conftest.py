"""What several suites of this service have in common: an account with a function, and another account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.services.lambda_.calls import create, own_client

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def owner(shared_lambent: Server) -> Any:
    """A client of an account of its own that has the function `f`; it sends what boto3 would refuse."""
    made = own_client(shared_lambent, config=Config(parameter_validation=False))
    create(made, "f", "version_one")
    return made


@pytest.fixture
def other(shared_lambent: Server) -> Any:
    """A client of another account."""
    return own_client(shared_lambent)
