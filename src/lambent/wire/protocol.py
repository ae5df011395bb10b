"""The seam between the gateway and the protocols: an operation that can read its request and write its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambent.kernel.body import Body
    from lambent.kernel.call import Request, Response
    from lambent.kernel.errors import AwsError
    from lambent.wire.http import HttpRequest, HttpResponse


class Codec(Protocol):
    """One operation in one protocol, compiled from its model at first use."""

    service: str
    """botocore's name of the service."""
    operation: str
    """The operation's name in the model: `CreateFunction`."""
    method: str
    """The operation's name in Python: `create_function`, as botocore's clients spell it."""
    streams_input: bool
    """Whether a member of the input is the raw body, handed to the operation as a `Body`."""
    unsigned: bool
    """Whether AWS takes this operation without a signature."""
    body_limit: int
    """The most bytes of body that are read, from the overlay or limits.REQUEST_BODY_BYTES."""

    def decode(self, http: HttpRequest, body: bytes | Body) -> Request:
        """The typed, validated input. Raises AwsError with the protocol's own code and text for bad input."""

    def encode(self, output: Response, request_id: str) -> HttpResponse:
        """The success response with the model's status, headers and request id header."""

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        """The error response with the model's status, type header and body."""
