"""Function URLs."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.services.lambda_.records import LATEST, FunctionKey

AuthType = Literal["NONE", "AWS_IAM"]
InvokeMode = Literal["BUFFERED", "RESPONSE_STREAM"]


class Cors(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which web pages may call a URL; what the caller left out is None."""

    credentials: bool | None = None
    headers: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    exposed: tuple[str, ...] | None = None
    max_age_s: int | None = None


class FunctionUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that invokes a function, or what one of its aliases points to."""

    account: str
    region: str
    function: str
    qualifier: str
    """`$LATEST` for the URL of the function itself, otherwise an alias's name."""
    name: str
    """The first label of its host, which nobody can guess and no other URL has."""
    auth_type: AuthType
    invoke_mode: InvokeMode | None = None
    """None where the caller never gave one, which AWS tells from BUFFERED in some answers."""
    cors: Cors | None = None
    created_us: int
    """Microseconds since the epoch."""
    modified_us: int
    """Microseconds since the epoch."""

    @property
    def key(self) -> FunctionKey:
        """The function that it invokes."""
        return FunctionKey(self.account, self.region, self.function)

    @property
    def alias(self) -> str | None:
        """The alias that it goes through, if any."""
        return None if self.qualifier == LATEST else self.qualifier

    @property
    def arn(self) -> str:
        """The ARN that it invokes."""
        return self.key.arn(self.alias)

    @property
    def streams(self) -> bool:
        """Whether answers are passed on while the function writes them."""
        return self.invoke_mode == "RESPONSE_STREAM"
