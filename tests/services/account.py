"""An account of its own for a test, so that tests share a server without meeting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Server


class Account:
    """One account on a server in development mode; its clients sign as its root user."""

    def __init__(self, server: Server, number: str) -> None:
        self._server = server
        self.number = number

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this account, where the options do not say otherwise."""
        return self._server.client(service, **{"aws_access_key_id": self.number} | options)
