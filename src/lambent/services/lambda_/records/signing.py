"""What the Lambda service stores of code signing."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.kernel.arn import arn


class SigningKey(msgspec.Struct, frozen=True):
    """What names one code signing configuration in the whole installation."""

    account: str
    region: str
    id: str
    """`csc-` and 17 characters."""

    def arn(self) -> str:
        """The configuration's ARN."""
        return arn("lambda", self.region, self.account, f"code-signing-config:{self.id}")


class SigningConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A code signing configuration: who may sign packages, and what is done with those that nobody of them has."""

    account: str
    region: str
    id: str
    profiles: tuple[str, ...]
    """The ARNs of the signing profile versions that are allowed."""
    untrusted: Literal["Warn", "Enforce"] = "Warn"
    description: str | None = None
    modified_ms: int
    """Milliseconds since the epoch."""
    tags: dict[str, str] = {}

    @property
    def key(self) -> SigningKey:
        """Its name in the whole installation."""
        return SigningKey(self.account, self.region, self.id)
