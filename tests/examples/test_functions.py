"""Each example is deployed by `lambent deploy` and called through boto3; its real output is checked."""

from __future__ import annotations

import base64
import csv
import json
import struct
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from lambent.cli import main
from tests.examples.conftest import call
from tests.examples.test_inputs import EXAMPLES, NAMES, event

if TYPE_CHECKING:
    from tests.conftest import Server


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in a JPEG's frame header."""
    assert data.startswith(b"\xff\xd8\xff")
    assert data.endswith(b"\xff\xd9")
    at = 2
    while True:
        marker, length = struct.unpack(">HH", data[at : at + 4])
        if marker in (0xFFC0, 0xFFC2):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length


def test_all_examples_are_on_the_server(deployed: Server) -> None:
    listed = deployed.client("lambda").list_functions()["Functions"]
    assert sorted(function["FunctionName"] for function in listed) == list(NAMES)
    assert all(function["Description"] for function in listed)


def test_approval_waits_for_its_answer(deployed: Server) -> None:
    client = deployed.client("lambda")
    function = {"FunctionName": "approval", "Qualifier": "$LATEST"}
    arn = client.invoke(InvocationType="Event", Payload=json.dumps(event("approval")), **function)[
        "DurableExecutionArn"
    ]
    asked = _first(client, arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
    client.send_durable_execution_callback_success(CallbackId=asked, Result=b"Grace")
    result = _first(client, arn, "ExecutionSucceeded")["ExecutionSucceededDetails"]["Result"]["Payload"]
    assert json.loads(result) == {
        "number": "expense 7",
        "booked": "120 EUR for a train to Lyon, approved by Grace",
    }


def _first(client: Any, arn: str, kind: str) -> dict[str, Any]:
    """The first event of that kind in the history of an execution, once there is one."""
    for _ in range(100_000):
        for told in client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]:
            if told["EventType"] == kind:
                found: dict[str, Any] = told
                return found
    raise AssertionError(f"no {kind}")


def test_hello_greets(deployed: Server) -> None:
    answer = call(deployed, "hello", event("hello"))
    assert answer["greeting"] == "Hello, you!"
    assert answer["request_id"]
    assert call(deployed, "hello", {})["greeting"] == "Hello, world!"
    assert call(deployed, "hello", {"name": "Zoë 🎈"})["greeting"] == "Hello, Zoë 🎈!"


def test_thumbnail_makes_three_jpegs_of_a_real_photo(deployed: Server) -> None:
    answer = call(deployed, "thumbnail", event("thumbnail"))
    assert (answer["width"], answer["height"]) == (640, 427)
    pictures = {t["size"]: base64.b64decode(t["jpeg"], validate=True) for t in answer["thumbnails"]}
    assert {size: jpeg_size(picture) for size, picture in pictures.items()} == {
        64: (64, 43),
        160: (160, 107),
        320: (320, 214),
    }
    assert [len(picture) for picture in pictures.values()] == sorted(len(picture) for picture in pictures.values())


def test_thumbnail_takes_other_sizes_and_never_scales_up(deployed: Server) -> None:
    answer = call(deployed, "thumbnail", event("thumbnail") | {"sizes": [200, 5000]})
    sizes = [jpeg_size(base64.b64decode(t["jpeg"])) for t in answer["thumbnails"]]
    assert sizes == [(200, 133), (640, 427)]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "the event needs `image`: a photo in base64"),
        ("***", "`image` is not base64"),
        (base64.b64encode(b"no picture").decode(), "`image` is not a picture that Pillow can read"),
    ],
)
def test_thumbnail_says_what_is_wrong_with_its_input(deployed: Server, image: str | None, message: str) -> None:
    answer = deployed.client("lambda").invoke(FunctionName="thumbnail", Payload=json.dumps({"image": image}))
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", message)


def test_csv_report_adds_up_the_real_file(deployed: Server) -> None:
    answer = call(deployed, "csv-report", event("csv-report"))
    counted: dict[str, int] = defaultdict(int)
    fallen: dict[str, Fraction] = defaultdict(Fraction)
    with (EXAMPLES / "csv-report" / "seattle-weather.csv").open(newline="") as file:
        for date, rain, _, _, _, weather in list(csv.reader(file))[1:]:
            assert date
            counted[weather] += 1
            fallen[weather] += Fraction(rain)
    assert answer["rows"] == sum(counted.values()) == 1461
    assert {group["weather"]: group["rows"] for group in answer["groups"]} == counted
    assert {group["weather"]: group["precipitation"] for group in answer["groups"]} == {
        weather: float(total) for weather, total in fallen.items()
    }
    assert [group["rows"] for group in answer["groups"]] == sorted(counted.values(), reverse=True)


def test_csv_report_takes_plain_text_and_several_columns(deployed: Server) -> None:
    text = "shop,sold,returned\nA,1.10,0\nB,2,1\nA,2.20,\n"
    answer = call(deployed, "csv-report", {"csv": text, "group_by": "shop", "totals": ["sold", "returned"]})
    assert answer == {
        "rows": 3,
        "groups": [
            {"shop": "A", "rows": 2, "sold": 3.3, "returned": 0.0},
            {"shop": "B", "rows": 1, "sold": 2.0, "returned": 1.0},
        ],
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"csv": "a,b\n1,x\n", "group_by": "a", "totals": ["b"]}, "line 2: b is not a number: 'x'"),
        ({"csv": "a,b\n", "group_by": "c", "totals": ["b"]}, "no such column: c"),
        ({"group_by": "a", "totals": []}, "the event needs `csv` or `csv_gzip`"),
    ],
)
def test_csv_report_says_what_is_wrong_with_its_input(
    deployed: Server, request_: dict[str, object], message: str
) -> None:
    answer = deployed.client("lambda").invoke(FunctionName="csv-report", Payload=json.dumps(request_))
    error = json.loads(answer["Payload"].read())
    assert (answer["FunctionError"], error["errorMessage"]) == ("Unhandled", message)


def seen(deployed: Server, request: object) -> tuple[list[str], dict[str, str]]:
    """What the shell function streams: the pieces as they come, and the lines by their first word."""
    answer = deployed.client("lambda").invoke_with_response_stream(
        FunctionName="shell-runtime", Payload=json.dumps(request)
    )
    events = list(answer["EventStream"])
    assert events[-1] == {"InvokeComplete": {}}
    pieces = [piece["PayloadChunk"]["Payload"].decode() for piece in events[:-1]]
    lines = (line.partition(":") for line in "".join(pieces).splitlines())
    return pieces, {name: value.strip() for name, _, value in lines}


def test_shell_runtime_streams_line_by_line(deployed: Server) -> None:
    pieces, lines = seen(deployed, event("shell-runtime"))
    assert len(pieces) > 1
    assert list(lines) == ["user", "host", "folder", "root", "processes", "networks", "space"]
    assert lines["folder"].endswith(", with bootstrap")


def test_shell_runtime_sees_nothing_of_the_machine(deployed: Server) -> None:
    if deployed.app.sandbox == "process":
        pytest.skip("there are no walls")
    _, lines = seen(deployed, {})
    assert (lines["host"], lines["folder"]) == ("sandbox", "/var/task, with bootstrap")
    assert (lines["networks"], lines["processes"], lines["space"]) == ("lo", "2", "512M in /tmp")
    assert not {"root", "home", "work"} & set(lines["root"].split())


def test_deploying_again_changes_nothing(deployed: Server, capsys: pytest.CaptureFixture[str]) -> None:
    before = {f["FunctionName"]: f for f in deployed.client("lambda").list_functions()["Functions"]}
    assert main.run(["deploy", str(EXAMPLES), "--endpoint", deployed.endpoint, "--json"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(result["function"], result["action"]) for result in results] == [(name, "unchanged") for name in NAMES]
    after = {f["FunctionName"]: f for f in deployed.client("lambda").list_functions()["Functions"]}
    assert after == before
