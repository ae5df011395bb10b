"""What stands in a function's log, in which order, and what the tail holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compute.programs import Yard
    from tests.compute.workshop import Workshop

REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\tDuration: (?P<ms>\d+\.\d\d) ms\tBilled Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<size>\d+) MB\tMax Memory Used: (?P<used>\d+) MB\t(Init Duration: (?P<init>\d+\.\d\d) ms\t)?\n"
)


async def test_start_output_end_and_report_in_order(shop: Workshop) -> None:
    source = """
import os, subprocess, sys
def handler(event, context):
    print("one")
    os.write(2, b"two\\n")
    subprocess.run(["echo", "three"])
    print("four", file=sys.stderr)
    context.log("five")
    print("six", end="")
"""
    function = shop.function(source, memory_mb=256)
    first, second = shop.invocation(tail=True), shop.invocation(tail=True)
    outcome = await shop.run(function, first)
    _, start, *lines, end, report = shop.facts.messages
    assert start == f"START RequestId: {first.request_id} Version: $LATEST\n"
    assert lines == ["one\n", "two\n", "three\n", "four\n", "five", "six\n"]
    assert end == f"END RequestId: {first.request_id}\n"
    match = REPORT.fullmatch(report)
    assert match is not None
    assert match["id"] == first.request_id
    assert int(match["billed"]) >= float(match["ms"]) + float(match["init"]) > 0
    assert match["size"] == "256"
    assert outcome.log_tail is not None
    assert outcome.log_tail.decode() == start + "one\ntwo\nthree\nfour\nfive\nsix\n" + end + report
    await shop.run(function, second)
    match = REPORT.fullmatch(shop.facts.messages[-1])
    assert match is not None
    assert match["init"] is None
    assert len({stream for stream, _ in shop.facts.events}) == 1


async def test_the_stream_is_named_by_day_version_and_environment(shop: Workshop) -> None:
    function = shop.function("def handler(e, c): pass", version="3")
    await shop.result(function)
    stream = shop.facts.events[0][0]
    assert (stream.account, stream.region, stream.group) == ("000000000000", "us-east-1", function.log_group)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[3\][0-9a-f]{32}", stream.name)


@pytest.mark.parametrize("fields", [{"log_group": "shared"}, {"log_format": "JSON"}], ids=["group", "format"])
async def test_where_logging_is_configured_the_stream_names_the_function(
    shop: Workshop, fields: dict[str, str]
) -> None:
    source = "import os\ndef handler(e, c): return [c.log_stream_name, os.environ['AWS_LAMBDA_LOG_FORMAT']]"
    function = shop.function(source, **fields)
    name, log_format = await shop.result(function)
    assert name == shop.facts.events[0][0].name
    assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{function.name}\[\$LATEST\][0-9a-f]{{32}}", name)
    assert log_format == fields.get("log_format", "Text")


async def test_the_memory_is_measured(shop: Workshop) -> None:
    source = "def handler(e, c): return len(bytearray(e * 1_000_000))"
    function = shop.function(source)
    used = []
    for megabytes in (1, 80, 1):
        await shop.invoke(function, megabytes, tail=True)
        match = REPORT.fullmatch(shop.facts.messages[-1])
        assert match is not None
        used.append(int(match["used"]))
    assert used[0] < 40
    assert 80 <= used[1] < 130
    assert used[2] == used[1], "the most that was used so far"


async def test_logging_is_set_up_as_on_aws(shop: Workshop) -> None:
    source = """
import logging
def handler(event, context):
    root = logging.getLogger()
    root.info("not shown")
    root.setLevel("INFO")
    logging.getLogger("mine").info("über\\nzwei %s", 1)
    return [type(h).__name__ for h in root.handlers]
"""
    invocation = shop.invocation()
    outcome = await shop.run(shop.function(source), invocation)
    assert outcome.payload == b'["LambdaLoggerHandler"]'
    line = next(message for message in shop.facts.messages if "über" in message)
    assert re.fullmatch(
        r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t" + invocation.request_id + "\tüber\nzwei 1\n", line
    )
    assert not any("not shown" in message for message in shop.facts.messages)


async def test_a_failure_is_logged_as_one_event(shop: Workshop) -> None:
    await shop.failure(shop.function("def handler(e, c):\n    raise OSError('x')"))
    line = next(message for message in shop.facts.messages if message.startswith("[ERROR]"))
    assert line == (
        "[ERROR] OSError: x\nTraceback (most recent call last):\n"
        "\u00a0\u00a0File \"/var/task/app.py\", line 2, in handler\n\u00a0\u00a0\u00a0\u00a0raise OSError('x')"
    )


async def test_json_logs_hold_objects_only_of_the_level_asked_for(shop: Workshop) -> None:
    source = """
import logging
log = logging.getLogger("mine")
def handler(event, context):
    log.info("quiet")
    log.warning("loud", extra={"order": 7})
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    raise ValueError("end")
"""
    function = shop.function(source, log_format="JSON", log_level="WARN")
    invocation = shop.invocation()
    await shop.run(function, invocation)
    entries = [json.loads(message) for message in shop.facts.messages]
    kinds = [entry.get("type", entry.get("level")) for entry in entries]
    assert kinds == [
        "platform.initStart",
        "platform.start",
        "WARNING",
        "ERROR",
        "ERROR",
        "platform.report",
    ]
    assert entries[2].pop("timestamp").endswith("Z")
    assert entries[2] == {
        "level": "WARNING",
        "message": "loud",
        "logger": "mine",
        "requestId": invocation.request_id,
        "order": 7,
    }
    assert entries[3]["errorType"] == "ZeroDivisionError"
    assert entries[3]["location"].endswith("app.py:handler:10") or ":handler:" in entries[3]["location"]
    assert entries[4]["errorMessage"] == "end"
    record = entries[5]["record"]
    assert (record["requestId"], record["status"]) == (invocation.request_id, "success")
    assert "errorType" not in record, "the function's own error is none of the platform's"
    assert record["metrics"]["maxMemoryUsedMB"] > 0


@pytest.mark.parametrize("size", [5_000, 300_000, 3_000_000])
async def test_a_long_message_of_logging_stays_one_event_up_to_the_limit(shop: Workshop, size: int) -> None:
    source = f"import logging\ndef handler(e, c): logging.warning('a\\n' * {size // 2})"
    await shop.result(shop.function(source))
    long = [message for message in shop.facts.messages if "a\na" in message]
    assert len(long) == 1
    assert len(long[0]) >= min(size, 262_144) - 2
    assert len(long[0].encode()) <= 262_144


async def test_a_flood_of_output_neither_blocks_nor_fills_the_memory(shop: Workshop) -> None:
    source = """
import os
def handler(event, context):
    line = b"x" * 1023 + b"\\n"
    for _ in range(20_000):
        os.write(1, line * 4)
    os.write(1, b"y" * 1_000_000)
    return "done"
"""
    outcome = await shop.invoke(shop.function(source, timeout_s=60), tail=True)
    assert outcome.payload == b'"done"'
    assert outcome.log_tail is not None
    assert len(outcome.log_tail) == 4096
    assert outcome.log_tail.splitlines()[-1].startswith(b"REPORT")
    messages = shop.facts.messages
    assert sum(message == "x" * 1023 + "\n" for message in messages) == 80_000
    assert max(map(len, messages)) == 262_144
    assert sum(message.count("y") for message in messages if set(message) <= set("y\n")) == 1_000_000


async def test_output_before_the_answer_is_always_before_end(shop: Workshop) -> None:
    source = "import os\ndef handler(e, c):\n    os.write(1, b'n%d\\n' % e)\n    return e"
    function = shop.function(source)
    for number in range(200):
        outcome = await shop.invoke(function, number, tail=True)
        assert outcome.log_tail is not None
        assert outcome.log_tail.splitlines()[1] == b"n%d" % number


async def test_output_after_the_answer_comes_after_its_end(shop: Workshop) -> None:
    source = """
import threading, sys
event = threading.Event()
def late():
    event.wait()
    print("late")
def handler(e, context):
    if e == "start":
        threading.Thread(target=late, daemon=True).start()
        sys.settrace(None)
        threading.Timer(0.05, event.set).start()
    return 1
"""
    function = shop.function(source)
    first = shop.invocation("start")
    await shop.run(function, first)
    await shop.facts.until("late")
    messages = shop.facts.messages
    assert messages.index("late\n") > next(
        n for n, m in enumerate(messages) if m.startswith(f"REPORT RequestId: {first.request_id}")
    )


async def test_a_quiet_invocation_is_told_in_one_go(shop: Workshop) -> None:
    function = shop.function("def handler(e, c): pass")
    await shop.result(function)
    before = shop.facts.calls
    await shop.result(function, tail=True)
    assert shop.facts.calls == before + 1


async def test_what_a_long_invocation_prints_is_told_while_it_runs(shop: Workshop) -> None:
    source = "import time\ndef handler(e, c):\n    print('begun')\n    time.sleep(5)"
    call = shop.supervisor.start("call", shop.invoke(shop.function(source, timeout_s=1)))
    await shop.facts.until("begun")
    assert not call.done()
    await call


async def test_a_forked_child_logs_as_well_and_its_own_child_keeps_the_files_of_both(yard: Yard) -> None:
    source = """
import logging, os
def family(report):
    mine = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
    if os.fork() == 0:
        for each in mine:
            os.fstat(each)
        report()
        os._exit(0)
    os.wait()
def handler(event, context):
    if os.fork() == 0:
        family(lambda: logging.warning("from below"))
        context.log("from the child")
        os._exit(0)
    os.wait()
"""
    await yard.result(yard.function(source), tail=True)
    assert yard.lines("from below")
    assert yard.lines("^from the child")
