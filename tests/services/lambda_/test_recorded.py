"""What AWS answered, call by call and member by member; `recorded/README.md` says how the records read."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.inboxes import inbox
from tests.services.lambda_.buckets import buckets
from tests.services.lambda_.packages import package
from tests.services.lambda_.visits import visit
from tests.support import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server
    from tests.inboxes import Inbox

RECORDED = Path(__file__).parent / "recorded"
BASES = json.loads((RECORDED / "bases.json").read_text())
SCENARIOS = {
    f"{file.stem}: {scenario['name']}": scenario
    for file in sorted(RECORDED.glob("*.json"))
    if file.stem != "bases"
    for scenario in json.loads(file.read_text())
}
FORMS = {
    "date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000",
    "function url": r"http://[0-9a-z]{32}\.lambda-url\.us-east-1\.localhost:\d+/",
    "instant": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "number": r"\d+",
    "pattern": r".+",
    "record time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "request id": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "runtime version": r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
    "signing": r"arn:aws:lambda:us-east-1:\d{12}:code-signing-config:csc-[a-z0-9]{17}",
    "signing id": r"csc-[a-z0-9]{17}",
    "sha256": r"[A-Za-z0-9+/]{43}=",
    "text": r".+",
    "trace": r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}",
    "url": r"http://127\.0\.0\.1:\d+/.+",
    "vpc": r"vpc-[0-9a-f]{17}",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}
PLACE = re.compile(r"<([a-z][a-z0-9 ]*?)(?: (\d+))?>")
HEADERS = {
    "ExecutedVersion": "X-Amz-Executed-Version",
    "FunctionError": "X-Amz-Function-Error",
    "LogResult": "X-Amz-Log-Result",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server beside an S3 that has two packages in the bucket `recorded`."""
    with buckets(signed=False) as held:
        held.objects["recorded"] = {f"{name}.zip": package(name) for name in ("echo", "other")}
        with serving(settings_for(tmp_path_factory.mktemp("server"), s3_endpoint=held.endpoint)) as running:
            yield running


@pytest.fixture(scope="module")
def queues(server: Server) -> Inbox:
    """What the server has sent to queues."""
    return inbox(server)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_answer_is_that_of_aws(name: str, server: Server, queues: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("ASYNC_RETRY_FIRST_S", "ASYNC_RETRY_LATER_S"):
        monkeypatch.setattr(limits, pause, 0)
    account = f"{list(SCENARIOS).index(name):012}"
    replay = Replay(server, account, queues)
    for number, call in enumerate(SCENARIOS[name]["calls"], start=1):
        replay.play(call, f"call {number}, {call['call']}")


class Replay:
    """One scenario in an account of its own: the names of this run, and the values seen under a label."""

    def __init__(self, server: Server, account: str, queues: Inbox) -> None:
        config = Config(parameter_validation=False, read_timeout=60)
        self._server = server
        self._queues = queues
        self._client = server.client("lambda", aws_access_key_id=account, config=config)
        self._client.meta.events.register("before-parse.lambda", self._keep)
        self._raw: dict[str, Any] = {}
        self._seen: dict[str, str] = {}
        self._names = {
            "account": account,
            "arn": f"arn:aws:lambda:us-east-1:{account}:function:recorded",
            "name": "recorded",
            "region": "us-east-1",
            "role": f"arn:aws:iam::{account}:role/recorded",
            "runtime": RUNTIME,
        }

    def play(self, call: dict[str, Any], where: str) -> None:
        if call.get("settled"):
            self._settle()
        if "mapping" in call:
            self._settle_mapping(self._seen[call["mapping"]])
        request = self._request(call["with"])
        if call["call"] == "visit":
            self._visited(call, request, where)
        elif call["call"] == "receive":
            self._received(call, request, where)
        elif "error" in call:
            self._refused(call, request, where)
        else:
            self._answered(call, request, where)

    def _answered(self, call: dict[str, Any], request: dict[str, Any], where: str) -> None:
        answer = getattr(self._client, call["call"])(**request)
        metadata = answer.pop("ResponseMetadata")
        assert metadata["HTTPStatusCode"] == call["status"], where
        expected = self._expected(call["answer"])
        if call["call"] == "invoke":
            body = answer["Payload"].read()
            answer["Payload"] = json.loads(body) if body else "<empty>"
            self._headers(expected, where)
            self._seen["request id"] = metadata["RequestId"]
            if "LogResult" in answer:
                assert metadata["RequestId"].encode() in base64.b64decode(answer.pop("LogResult"))
                expected.pop("LogResult")
        elif call["status"] != 204:
            self._match(expected, json.loads(self._raw["body"]), f"{where}, on the wire")
        self._match(expected, answer, where)

    def _refused(self, call: dict[str, Any], request: dict[str, Any], where: str) -> None:
        with pytest.raises(ClientError) as caught:
            getattr(self._client, call["call"])(**request)
        error = caught.value
        assert error.response["Error"]["Code"] == call["error"], where
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == call["status"], where
        typed = getattr(self._client.exceptions, call["error"], None)
        assert typed is None or type(error) is typed, where
        expected = self._expected(call["members"])
        body = json.loads(self._raw["body"])
        if typed is None:  # the model does not say how this error spells its message
            body = {key[:1].lower() + key[1:] if key == "Message" else key: value for key, value in body.items()}
        assert self._raw["headers"]["x-amzn-errortype"].split(":")[0] == call["error"], where
        self._match(expected, body, f"{where}, on the wire")
        self._match(expected.get("message") or expected["Message"], error.response["Error"]["Message"], where)

    def _visited(self, call: dict[str, Any], request: dict[str, Any], where: str) -> None:
        body = request.pop("body", "").encode()
        answer = visit(self._server, request.pop("url"), request.pop("target"), body=body, **request)
        assert answer.status == call["status"], where
        expected = self._expected(call["answer"])
        for name, value in expected.get("headers", {}).items():
            self._match(value, answer.headers[name], f"{where}: header {name}")
        text = isinstance(expected["body"], str)
        self._match(expected["body"], answer.body.decode() if text else answer.json(), where)

    def _received(self, call: dict[str, Any], request: dict[str, Any], where: str) -> None:
        message = self._queues.take(request["queue"])
        expected = self._expected(call["answer"])
        self._match(expected["body"], message.json(), where)
        attributes = {
            name: {"DataType": told.kind, "StringValue": told.value} for name, told in message.attributes.items()
        }
        self._match(expected.get("attributes", {}), attributes, f"{where}: attributes")

    def _headers(self, expected: dict[str, Any], where: str) -> None:
        for member, header in HEADERS.items():
            assert (header.lower() in self._raw["headers"]) == (member in expected), f"{where}: header {header}"

    def _settle(self) -> None:
        for _ in range(1000):
            held = self._client.get_function_configuration(FunctionName=self._names["name"])
            if held["State"] == "Active" and held["LastUpdateStatus"] == "Successful":
                return
        pytest.fail("the function does not settle")

    def _settle_mapping(self, uuid: str) -> None:
        for _ in range(1000):
            try:
                state = self._client.get_event_source_mapping(UUID=uuid)["State"]
            except self._client.exceptions.ResourceNotFoundException:
                return
            if state in ("Enabled", "Disabled"):
                return
        pytest.fail("the event source mapping does not settle")

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        headers = {key.lower(): value for key, value in response_dict["headers"].items()}
        self._raw = {"body": response_dict["body"], "headers": headers}

    def _request(self, value: Any) -> Any:
        if isinstance(value, dict):
            made = {key: self._request(part) for key, part in value.items() if key != "zip"}
            return {**made, "ZipFile": package(value["zip"])} if "zip" in value else made
        if isinstance(value, list):
            return [self._request(part) for part in value]
        if not isinstance(value, str):
            return value
        if value.startswith("<bytes "):
            return bytes.fromhex(value[7:-1])
        return self._seen.get(value, self._text(self._labelled(value)))

    def _labelled(self, text: str) -> str:
        """`text` with the values that labels inside it were seen to stand for."""
        return PLACE.sub(lambda place: self._seen.get(place[0], place[0]), text)

    def _expected(self, value: Any) -> Any:
        if isinstance(value, dict):
            base = self._expected(BASES[value["like"]]) if "like" in value else {}
            made = {key: self._expected(part) for key, part in value.items() if key != "like"}
            removed = {key for key in made if made[key] is None and key in base}
            return {key: part for key, part in {**base, **made}.items() if key not in removed}
        if isinstance(value, list):
            return [self._expected(part) for part in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = re.sub(r"\{a\*(\d+)\}", lambda match: "a" * int(match[1]), text)
        for name, value in self._names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def _match(self, expected: Any, actual: Any, where: str) -> None:
        if isinstance(expected, dict):
            assert isinstance(actual, dict), f"{where}: {actual!r} is not an object"
            assert actual.keys() == expected.keys(), f"{where}: {sorted(actual)} are not {sorted(expected)}"
            for key, part in expected.items():
                self._match(part, actual[key], f"{where}: {key}")
        elif isinstance(expected, list):
            assert isinstance(actual, list), f"{where}: {actual!r} is not a list"
            assert len(actual) == len(expected), f"{where}: {actual!r}"
            for number, (part, one) in enumerate(zip(expected, actual, strict=True)):
                self._match(part, one, f"{where}: {number}")
        elif expected == "<size>":
            assert isinstance(actual, int), f"{where}: {actual!r} is not a size"
            assert actual > 0, where
        elif expected == "<moment>":
            assert isinstance(actual, int | float | datetime), f"{where}: {actual!r} is not a moment"
        elif expected == "<lines>":
            assert isinstance(actual, list), f"{where}: {actual!r} is not a list"
            assert actual, where
            assert all(isinstance(line, str) for line in actual), f"{where}: {actual!r}"
        elif isinstance(expected, str) and expected != "<empty>" and PLACE.search(expected):
            self._match_text(expected, actual, where)
        else:
            assert actual == expected, where

    def _match_text(self, expected: str, actual: Any, where: str) -> None:
        assert isinstance(actual, str), f"{where}: {actual!r} is not text"
        form = "".join(
            FORMS[part] if position % 3 == 1 else re.escape(part) if position % 3 == 0 else ""
            for position, part in enumerate(PLACE.split(expected))
        )
        assert re.fullmatch(form, actual, re.DOTALL), f"{where}: {actual!r} is not {expected!r}"
        place = PLACE.fullmatch(expected)
        if expected == "<request id>":
            assert actual == self._seen["request id"], where
        elif place is not None and place[2] is not None:
            assert self._seen.setdefault(expected, actual) == actual, f"{where}: another value of {expected}"
            others = {value for label, value in self._seen.items() if label != expected}
            assert actual not in others, f"{where}: {expected} is the value of another label"
