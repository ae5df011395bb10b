"""How a version or an alias is invoked asynchronously, as it is stored."""

from __future__ import annotations

import msgspec

from lambent.services.lambda_.records import FunctionKey


class EventInvokeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of events that wait for a function, and of what came of them."""

    account: str
    region: str
    function: str
    qualifier: str
    """`$LATEST`, the number of a version or the name of an alias."""
    retries: int | None = None
    age_s: int | None = None
    """How old an event may become, in seconds."""
    on_success: str | None = None
    """The ARN that records of what succeeded go to."""
    on_failure: str | None = None
    """The ARN that records of what was given up go to."""
    modified_ms: int
    """Milliseconds since the epoch."""

    @property
    def key(self) -> FunctionKey:
        """The function that it belongs to."""
        return FunctionKey(self.account, self.region, self.function)
