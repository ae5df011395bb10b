"""The contract of the Runtime API: what it is given, what it tells its environment, and what it asks of it.

One `RuntimeApi` (`server.py`) serves one environment. All of it runs on the event loop; every method of the protocols
below is called there and returns at once, `Sink.write` excepted. What comes over HTTP is the function's and believed in
nothing; the state machines decide what of it reaches the environment.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Version = Literal["2022-07-01/telemetry", "2020-08-15/logs"]
"""The path of a subscription: the Telemetry API or the older Logs API."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One invocation, as the runtime and the extensions are told of it."""

    sequence: int
    """The environment's number of the invocation, which `Listener` repeats."""
    request_id: str
    invocation_id: str
    """A nonce: an answer that carries another one belongs to another invocation."""
    deadline_ms: int
    """Milliseconds since the epoch."""
    invoked_arn: str
    payload: bytes
    trace_id: str | None = None
    client_context: bytes | None = None
    """JSON, decoded from base64."""
    cognito_identity: bytes | None = None
    """JSON with `cognitoIdentityId` and `cognitoIdentityPoolId`."""
    tenant_id: str | None = None
    streaming: bool = False
    """Whether the caller takes the answer as a stream; where not, a streamed one is gathered first."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What guests may learn of the function and where it runs."""

    account: str
    name: str
    version: str
    """`$LATEST` or a number."""
    handler: str
    zone: str
    """The id of the availability zone: `use1-az1`."""
    metadata_token: str
    """What AWS_LAMBDA_METADATA_TOKEN says."""
    snap_start: bool = False
    """Whether /runtime/restore and the credentials are served."""
    concurrent: bool = False
    """Whether the runtime takes several events at a time, of which extensions are not told."""


class Refusal(Exception):
    """A request is answered with an error of AWS's: HTTP status, `errorType` and `errorMessage`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(status, kind, message)
        self.status = status
        self.kind = kind
        self.message = message


class Sink(Protocol):
    """Where a streamed answer goes."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody takes the answer any more, or no more of it is allowed: the rest is read and dropped."""

    async def write(self, chunk: bytes) -> None:
        """Take `chunk`; returns when there is room for more, so that the function waits for its caller."""

    def end(self) -> None:
        """The answer is whole. Harmless, like `fail`, where the environment has ended it already."""

    def fail(self, kind: str, message: bytes) -> None:
        """The answer breaks off. `kind` is the error's type, `message` what the function (or the platform) says of it:
        JSON, at most INVOKE_PAYLOAD_BYTES."""


class Listener(Protocol):
    """The environment, as its runtime is heard. `sequence` is that of the running event; for each, exactly one of
    `answered`, `failed`, `broken`, `too_large` and `streaming` is called, and `waiting` after it."""

    def ready(self) -> None:
        """The runtime asks for its first event: it is initialised. After a restore `restored` is called instead."""

    def init_failed(self, error: bytes, kind: str) -> None:
        """The runtime reports that INIT has failed, with the JSON that callers get. It exits by itself, or not."""

    def answered(self, sequence: int, body: bytes) -> None:
        """The answer, of at most INVOKE_PAYLOAD_BYTES; not checked to be JSON. Also a streamed one that was gathered
        for an event that is not `streaming`, and a whole one for an event that is."""

    def failed(self, sequence: int, body: bytes, kind: str) -> None:
        """The function has failed, and its runtime says so: the JSON that the caller gets, and an error type such as
        `Runtime.Unknown`."""

    def broken(self, sequence: int, body: bytes, kind: str) -> None:
        """The answer broke off (`Runtime.TruncatedResponse`) or its mode is unknown
        (`Runtime.InvalidResponseModeHeader`); the body is the platform's."""

    def too_large(self, sequence: int) -> None:
        """The answer exceeds INVOKE_PAYLOAD_BYTES and was not kept (`Function.ResponseSizeTooLarge`)."""

    def streaming(self, sequence: int, content_type: str) -> Sink:
        """The answer begins; its parts go where is told here. Only for an event that is `streaming`."""

    def waiting(self, sequence: int) -> None:
        """The runtime has answered and asks for the next event: for it, the invocation is over."""

    def restore_ready(self) -> None:
        """The runtime has run its before-snapshot hooks and waits in /restore/next (SnapStart)."""

    def restored(self) -> None:
        """The runtime has run its after-restore hooks and asks for an event."""

    def restore_failed(self, error: bytes, kind: str) -> None:
        """An after-restore hook has failed."""


class Host(Protocol):
    """What the environment answers for the other routes."""

    def subscribe(self, extension: str, version: Version, body: bytes) -> None:
        """Subscribe the extension of that name as the JSON in `body` says, which nobody has looked at yet. The
        extension is known and the time for it is not over. Raises Refusal."""

    def credentials(self, token: str) -> bytes | None:
        """The execution role's temporary credentials, as JSON of the container credentials provider; None for a token
        that is not the environment's. Called with `About.snap_start` only."""
