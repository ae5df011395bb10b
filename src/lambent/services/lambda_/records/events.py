"""Events that functions are invoked with asynchronously: as they are stored, and what comes of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from lambent.services.lambda_.records import LATEST, FunctionKey

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"]
"""AWS's words for why an event has left the queue.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Where the events wait that one function is invoked with through one qualifier."""

    id: int
    account: str
    region: str
    function: str
    qualifier: str | None
    """As the caller named it; None where none was."""

    @property
    def key(self) -> FunctionKey:
        """The function."""
        return FunctionKey(self.account, self.region, self.function)

    @property
    def label(self) -> str:
        """What the qualifier stands for: it names the configuration that counts."""
        return self.qualifier or LATEST

    @property
    def arn(self) -> str:
        """The ARN as the caller named it, which the function is told."""
        return self.key.arn(self.qualifier)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of an event beside its payload."""

    request_id: str
    """The id of the request that it came with, and of every invocation with it."""
    accepted_ms: int
    """Milliseconds since the epoch."""
    client_context: bytes | None = None
    tenant_id: str | None = None
    trace: str = ""
    """The tracing header that it came with."""
    runs: int = 0
    """How often the function was run with it."""


class Event(msgspec.Struct, frozen=True):
    """An event in its line."""

    id: int
    line: Line
    envelope: Envelope
    payload: bytes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of invoking the function with an event once: an answer or an error of the function, or a refusal."""

    version: str | None = None
    """What ran; None where nothing did."""
    payload: bytes | None = None
    """What the function has answered, or AWS's error JSON; None where it was not run."""
    error: str | None = None
    """`Unhandled` where the function failed."""
    refusal: str | None = None
    """The code of the error with which the function was not run."""
    reason: str | None = None
    """Which limit it was, where it was one: AWS's ThrottleReason."""
    message: str = ""
    """The words of the refusal."""
    trace: str = ""
    """The tracing header that the function ran with: what is sent of the event goes on in its chain."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a function says of its events at the moment in which one of them is decided about."""

    retries: int
    age_s: int
    reserved: int | None = None
    """Its reserved concurrency; None where it has none."""
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None
    """The ARNs that what came of events goes to."""
