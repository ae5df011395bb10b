"""One operation in one protocol: the decoder, validator and encoders compiled for it at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.wire import validate
from lambent.wire.cbor import CborFormat
from lambent.wire.decode import request_reader, streams
from lambent.wire.encode import response_writer
from lambent.wire.errors import ErrorWriter
from lambent.wire.json import JsonFormat
from lambent.wire.scalars import Unreadable
from lambent.wire.validate import Validator
from lambent.wire.xml import XmlFormat

if TYPE_CHECKING:
    from lambent.kernel.body import Body
    from lambent.kernel.call import Request, Response
    from lambent.kernel.ids import Ids
    from lambent.wire.http import HttpRequest, HttpResponse
    from lambent.wire.overlay import Overlay
    from lambent.wire.shapes import Operation, ServiceModel


class Dialect:
    """One service in one protocol: what its operations share."""

    def __init__(self, model: ServiceModel, protocol: str, overlay: Overlay, ids: Ids) -> None:
        self.model = model
        self.protocol = protocol
        self.overlay = overlay
        self.ids = ids
        self.format = _format(model, protocol)
        self.validator = Validator(elements_not_null=overlay.elements_not_null, enum_orders=overlay.enum_orders)
        self.values_shown = overlay.values_shown
        self.validation_code = overlay.validation_code or _VALIDATION_CODES.get(protocol, "ValidationException")
        self.errors = ErrorWriter(model, protocol, overlay)

    def unreadable(self, error: Unreadable) -> AwsError:
        """The protocol's own error for input that cannot be read."""
        if self.model.name == "s3":
            return AwsError("MalformedXML", _MALFORMED_XML, status=400)
        return AwsError(_UNREADABLE_CODES.get(self.protocol, "SerializationException"), str(error), status=400)


class OperationCodec:
    """Reads the requests of one operation and writes its answers."""

    def __init__(self, dialect: Dialect, operation: Operation, method: str) -> None:
        overlay = dialect.overlay
        self.service = dialect.model.name
        """botocore's name of the service."""
        self.operation = operation.name
        """The operation's name in the model: `CreateFunction`."""
        self.method = method
        """The operation's name in Python: `create_function`, as botocore's clients spell it."""
        self.streams_input = streams(operation.input)
        """Whether a member of the input is the raw body, handed to the operation as a `Body`."""
        self.unsigned = operation.unsigned
        """Whether AWS takes this operation without a signature."""
        self.body_limit = overlay.body_limits.get(operation.name, limits.REQUEST_BODY_BYTES)
        """The most bytes of body that are read."""
        self._dialect = dialect
        self._read = request_reader(operation, dialect.protocol, dialect.format)
        self._check = dialect.validator.compile(operation.input, overlay.unchecked.get(operation.name, ()))
        self._tokens = [name for name, member in operation.input.members.items() if member.has("idempotencyToken")]
        self._write = response_writer(operation, dialect.protocol, dialect.format, overlay)

    def decode(self, http: HttpRequest, body: bytes | Body) -> Request:
        """The typed, validated input. Raises AwsError with the protocol's own code and text for bad input."""
        try:
            request = self._read(http, body)
        except Unreadable as error:
            raise self._dialect.unreadable(error) from error
        for token in self._tokens:
            if token not in request:
                request[token] = self._dialect.ids.uuid()
        violations = self._check(request)
        if violations:
            text = validate.message(violations, values_shown=self._dialect.values_shown)
            raise AwsError(self._dialect.validation_code, text, status=400)
        return request

    def encode(self, output: Response, request_id: str) -> HttpResponse:
        """The success response with the model's status, headers and request id header."""
        return self._write(output, request_id)

    def encode_error(self, error: AwsError, request_id: str) -> HttpResponse:
        """The error response with the model's status, type header and body."""
        return self._dialect.errors.write(error, request_id)


def _format(model: ServiceModel, protocol: str) -> JsonFormat | CborFormat | XmlFormat | None:
    match protocol:
        case "json":
            return JsonFormat(f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.1')}")
        case "rest-json":
            return JsonFormat()
        case "rest-xml":
            return XmlFormat(model.metadata.get("xmlNamespace", ""))
        case "smithy-rpc-v2-cbor":
            return CborFormat()
    return None


_MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"
_UNREADABLE_CODES = {"query": "MalformedInput", "ec2": "InvalidParameterValue", "rest-xml": "MalformedInput"}
_VALIDATION_CODES = {"query": "ValidationError", "ec2": "InvalidParameterValue"}
