"""The protocol test cases of botocore's source distribution, read from the server's side of the wire.

An input case is a request as clients send it: routed and decoded, it must give the parameters of the case. An output
case is an answer: the result of the case, encoded, must be the answer on the wire, and botocore's own parser must read
the result in it.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import botocore
import cbor2
import pytest
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStream
from botocore.model import OperationModel
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import PROTOCOL_PARSERS
from botocore.utils import parse_timestamp

from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SeededIds
from lambent.wire.http import HttpRequest, HttpResponse
from lambent.wire.models import Models
from lambent.wire.route import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambent.wire.codec import OperationCodec

CASES = Path(__file__).parents[2] / ".cache" / f"botocore-{botocore.__version__}" / "protocols"
FETCH = "python scripts/fetch_protocol_cases.py"
SERVICE = "case"
MEANINGLESS = ("x-amzn-requestid", "x-amz-target", "content-length")
REQUEST_IDS = ("RequestId", "requestId", "RequestID", "ResponseMetadata")
TOKEN = "00000000-0000-4000-8000-000000000000"
FORM = "application/x-www-form-urlencoded"
NOT_ON_THE_WIRE = "what the client was given is not in what it sends"
NO_BODY = "the case gives no body to read; what is compressed is the gateway's"
UNDECIDABLE = {
    r"SDKAppliedContentEncoding|SDKAppend(ed|s)Gzip": NO_BODY,
    r"Ec2EmptyQueryLists|EmptyQueryMaps|OmitsEmptyListQueryValues|legacy-rest-(json|xml)-26:1$": NOT_ON_THE_WIRE,
    r"HttpPrefixHeadersAreNotPresent": NOT_ON_THE_WIRE,
    r"RestJsonHttpWith(EmptyStructurePayload|HeadersButNoPayload)$": "an unset payload is sent as {}",
    r"legacy-rest-json-(25:[24]|13:1)$": "an unset payload is sent as {}",
    r"legacy-rest-json-25:7$": "the client adds a Content-Type that is also a member",
    r"rest-xml-(AllQueryStringTypes|RestXmlQueryStringEscaping|RestXmlSupports.*QueryValues|RestXmlZeroAndFalse.*)$": (
        "a map of query parameters holds all of them on the server, also those that the client gave by name"
    ),
    r"QueryParamsStringListMap|QueryPrecedence": "as above: the client's map held only what has no name of its own",
    r"MediaTypeHeaderInputBase64": "the case gives the JSON text, botocore's clients the value: we hand on the value",
    r"rest-xml-BodyWithXmlName": "botocore names a member after its shape, as S3's SSE-KMS is; so do we",
}
OTHER_FORMS = {
    r"FooError": "the forms in which old services named an error; we write the present one",
    r"DateTimeWith(Positive|Negative)Offset": "an instant may come in any zone; we write UTC",
    r"ComplexError|rest-xml-InvalidGreetingError": "the answer of the case has a text that its error does not have",
    r"nexpected_?[jJ]son_?[oO]utput|ExtraFieldsInTheBody": "clients skip what they do not know",
    r"XMLPreamble|DeserializeIgnoreType": "clients skip what they do not know",
    r"query-Query(EmptyInputAndEmptyOutput|NoInputAnd(No)?Output)$": "clients take no body; AWS sends the request id",
    r"query-QueryXmlLists$": (
        "SimpleDB, the only model with flattened lists of named members, names the elements after the member; so do we"
    ),
    r"rest-xml-(RestXmlHttpPayloadWithUnion|HttpPayloadWithXmlName.*)$": (
        "the model names the payload after its member, as S3 names Retention; clients do not read the root's name"
    ),
    r"rest-xml-BodyWithXmlName$": "botocore names a member after its shape, as S3's SSE-KMS is; so do we",
    r"rest-xml-RestXmlHttpResponseCode$": "we give no Content-Type where there is no body",
    r"MediaTypeHeaderOutputBase64": "the case gives the JSON text, botocore's clients the value",
    r"UnsetUnion$": "the body of the case is not its result",
}
UNREADABLE = {
    r"NoBlobBody$": "botocore reads no body as an empty one",
    r"HttpPrefixHeadersResponse|legacy-rest-json-9:0": "a map without a prefix takes in the headers of every answer",
    r"UnsetUnion|legacy-rest-(json-17|xml-16):2": "botocore refuses a union without a member, which is the result here",
    r"(Quoted|Timestamp).*Headers$": "botocore cuts a quoted text or a date at its comma",
    r"XmlLists$": "botocore reads flattened lists by another name than it sends",
    r"legacy-json-3:1$": "the model of the case calls a map a string",
}


class ZeroIds(SeededIds):
    """Every uuid is the one that the cases expect."""

    def uuid(self) -> str:
        return TOKEN


Case = dict[str, Any]


def cases(kind: str) -> list[Any]:
    return list(_cases(kind))


def _cases(kind: str) -> Iterator[Any]:
    for folder in (CASES / kind, CASES / "legacy" / kind):
        for file in sorted(folder.glob("*.json")):
            for number, suite in enumerate(json.loads(file.read_text())):
                for place, case in enumerate(suite.pop("cases")):
                    name = case.get("id") or f"{number}:{place}"
                    legacy = "legacy-" if folder.parent.name == "legacy" else ""
                    yield pytest.param(suite, case, id=f"{legacy}{file.stem}-{name}")


def describe(suite: Case, case: Case) -> dict[str, Any]:
    """The service model of one case."""
    metadata = {"endpointPrefix": SERVICE, "apiVersion": "2020-01-01", **suite["metadata"]}
    given = {"name": "OperationName", "http": {"method": "POST", "requestUri": "/"}, **case["given"]}
    return {"metadata": metadata, "operations": {given["name"]: given}, "shapes": suite["shapes"]}


def models_of(description: dict[str, Any], folder: Path) -> Models:
    file = folder / SERVICE / "2020-01-01" / "service-2.json.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(json.dumps(description).encode(), compresslevel=1))
    return Models(ids=ZeroIds(), folder=folder)


def tokens(description: Case) -> dict[str, str]:
    """What the server fills in where the client left it out."""
    (given,) = description["operations"].values()
    members = description["shapes"][given["input"]["shape"]].get("members", {}) if "input" in given else {}
    traits = {name: description["shapes"][member["shape"]] | member for name, member in members.items()}
    return {name: TOKEN for name, trait in traits.items() if trait.get("idempotencyToken")}


def listed(reasons: dict[str, str], request: pytest.FixtureRequest) -> str | None:
    """The reason why this case stands in a list."""
    name = request.node.callspec.id
    return next((reason for pattern, reason in reasons.items() if re.search(pattern, name)), None)


async def plain(value: Any) -> Any:
    """A decoded value as the cases write it."""
    match value:
        case dict():
            return {key: await plain(item) for key, item in value.items() if item is not None}
        case list():
            return [await plain(item) for item in value]
        case bytes():
            return value.decode()
        case datetime():
            return value.timestamp()
        case float():
            return "NaN" if math.isnan(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, value)
        case str() | int() | None:
            return value
    return (await value.read(1 << 20)).decode()


def test_the_cases_are_there() -> None:
    assert CASES.is_dir(), f"the protocol cases are missing; fetch them: {FETCH}"
    assert sum(len(cases(kind)) for kind in ("input", "output")) >= 732


@pytest.mark.parametrize(("suite", "case"), cases("input"))
async def test_a_request_decodes_to_its_parameters(
    suite: Case, case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reason = listed(UNDECIDABLE, request)
    if reason == NO_BODY:
        return
    description = describe(suite, case)
    models = models_of(description, tmp_path)
    sent = case["serialized"]
    protocol = description["metadata"]["protocol"]
    (given,) = description["operations"].values()
    path, _, query = sent.get("uri", "/").partition("?")
    prefix = suite.get("clientEndpoint", "").partition("//")[2].partition("/")[2]
    path = (path.removeprefix(f"/{prefix}") or "/") if prefix else path
    headers = [(name.lower(), value) for name, value in sent.get("headers", {}).items()]
    if protocol == "json":
        # Some cases leave out the header that names the operation.
        target = f"{description['metadata']['targetPrefix']}.{given['name']}"
        headers = [*(header for header in headers if header[0] != "x-amz-target"), ("x-amz-target", target)]
    if protocol in ("query", "ec2"):
        headers = [*(header for header in headers if header[0] != "content-type"), ("content-type", FORM)]
    body = sent.get("body", "").encode()
    body = base64.b64decode(body) if protocol == "smithy-rpc-v2-cbor" else body
    http = HttpRequest(sent.get("method", given["http"]["method"]), path, query, headers)
    metadata = description["metadata"]
    scope = metadata.get("signingName", metadata["endpointPrefix"])
    found = Router(models, [SERVICE]).find(http, scope, body)
    codec = models.codec(found.service, found.operation, found.protocol)
    assert found.operation == given["name"]
    decoded = await plain(codec.decode(http, body))
    expected = {**tokens(description), **await plain(case.get("params", {}))}
    if reason:
        assert decoded != expected, "the case can be decided after all; take it off the list"
    else:
        assert decoded == expected


def value_of(shape: Any, value: Any) -> Any:
    """The result of a case in the types that an operation answers with; `shape` is botocore's."""
    if value is None:
        return None
    if shape.serialization.get("eventstream"):
        return (
            [value_of(shape, event) for event in value if isinstance(value, list)]
            if isinstance(value, list)
            else {name: value_of(shape.members[name], item) for name, item in value.items() if name in shape.members}
        )
    match shape.type_name:
        case "structure":
            if shape.is_document_type:
                return value
            return {name: value_of(shape.members[name], item) for name, item in value.items() if name in shape.members}
        case "list":
            return [value_of(shape.member, item) for item in value]
        case "map":
            return {key: value_of(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return datetime.fromtimestamp(value, UTC)
        case "blob":
            return value.encode() if isinstance(value, str) else value
        case "float" | "double":
            return float(value)
    return value


async def stream(events: list[Any]) -> Any:
    for event in events:
        yield event


async def body_of(response: HttpResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([chunk async for chunk in response.body])


async def answer(codec: OperationCodec, model: OperationModel, case: Case) -> HttpResponse:
    if "error" in case:
        code, message = case["errorCode"], case.get("errorMessage", "")
        shape = model.service_model.shape_for_error_code(code)
        given = {key: value for key, value in case["error"].items() if key.lower() != "message"}
        members = value_of(shape, given) if shape else given
        return codec.encode_error(AwsError(code, message, **members), "request-1")
    output = {} if model.output_shape is None else value_of(model.output_shape, case["result"])
    if model.has_event_stream_output:
        name = model.output_shape.event_stream_name
        output[name] = stream([event for event in output[name] if "initial-response" not in event])
    return codec.encode(output, "request-1")


def parsed_by_botocore(model: OperationModel, protocol: str, response: HttpResponse, body: bytes, case: Case) -> Any:
    parser = PROTOCOL_PARSERS[protocol](timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    raw = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": body,
        "context": {"operation_name": model.name},
    }
    if model.has_event_stream_output:
        raw["body"] = RawStream(body)
    shape = model.output_shape
    if "error" in case:
        parsed = parser.parse(raw, shape)
        error = parsed["Error"]
        modelled = model.service_model.shape_for_error_code(error["Code"])
        members = parser.parse(raw, modelled) if modelled else {}
        return {"Error": {"Code": error["Code"], "Message": error.get("Message") or ""}, **members}
    parsed = parser.parse(raw, shape)
    parsed.pop("ResponseMetadata", None)
    return {key: list(value) if isinstance(value, EventStream) else value for key, value in parsed.items()}


class RawStream:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def canonical(protocol: str, body: bytes) -> Any:
    """A body without what means nothing to its reader: order, nulls, namespaces, the request's id."""
    if not body:
        return {}
    if protocol == "smithy-rpc-v2-cbor":
        return tidy(cbor2.loads(body))
    try:
        return tidy(json.loads(body)) if "json" in protocol else outline(ElementTree.fromstring(body))
    except (ValueError, ElementTree.ParseError):
        return body


def tidy(tree: Any) -> Any:
    match tree:
        case dict():
            found = {key: tidy(item) for key, item in tree.items() if item is not None}
            return found | {"__type": found["__type"].rpartition("#")[2]} if "__type" in found else found
        case list():
            return [tidy(item) for item in tree]
        case float():
            return "NaN" if math.isnan(tree) else tree
    return tree


def outline(element: ElementTree.Element) -> Any:
    children = [outline(child) for child in element if local(child.tag) not in REQUEST_IDS]
    attributes = {local(name): value for name, value in element.attrib.items()}
    return local(element.tag), attributes, (element.text or "").strip(), sorted(children, key=lambda child: child[0])


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


@pytest.mark.parametrize(("suite", "case"), cases("output"))
async def test_a_result_encodes_to_the_answer(
    suite: Case, case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    description = describe(suite, case)
    (given,) = description["operations"].values()
    if description["metadata"]["protocol"] == "query" and "output" in given:
        given["output"].setdefault("resultWrapper", f"{given['name']}Result")
    protocol = description["metadata"]["protocol"]
    model = BotocoreModel(description).operation_model(given["name"])
    codec = models_of(description, tmp_path).codec(SERVICE, given["name"], protocol)
    response = await answer(codec, model, case)
    body = await body_of(response)
    expected = case["response"]
    wanted = expected.get("body", "").encode()
    wanted = base64.b64decode(wanted) if protocol == "smithy-rpc-v2-cbor" else wanted
    if "error" in case:
        result = {"Error": {"Code": case["errorCode"], "Message": case.get("errorMessage", "")}, **case["error"]}
    else:
        result = case["result"]
    if not listed(UNREADABLE, request):
        ours = parsed_by_botocore(model, protocol, response, body, case)
        assert await plain(ours) == await plain(result)
    assert response.status == expected["status_code"]
    if listed(OTHER_FORMS, request) or "legacy-" in request.node.callspec.id:
        # The older cases show what clients must be able to read, not what servers write.
        return
    sent = {name.lower(): value for name, value in response.headers}
    for name, value in expected.get("headers", {}).items():
        assert name.lower() in MEANINGLESS or sent[name.lower()].partition(";")[0] == value.partition(";")[0]
    assert canonical(protocol, body) == canonical(protocol, wanted)
