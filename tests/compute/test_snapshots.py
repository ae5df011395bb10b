"""SnapStart: INIT once, and environments that are forks of it, apart from each other in what matters."""

from __future__ import annotations

import asyncio
import re
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from tests.compute.snapshots import WAITING, published, together

if TYPE_CHECKING:
    from tests.compute.programs import Yard
    from tests.compute.workshop import Workshop

ALIKE = (
    WAITING
    + """
import random, uuid
BORN = str(uuid.uuid4())
def handler(event, context):
    print("here")
    wait()
    return {"born": BORN, "random": random.random(), "uuid": str(uuid.uuid4()), "stream": context.log_stream_name,
            "variable": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], "process": os.getpid(),
            "api": os.environ["AWS_LAMBDA_RUNTIME_API"],
            "kind": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "keys": "AWS_ACCESS_KEY_ID" in os.environ}
"""
)

KIND = """
import os
def handler(event, context):
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""

HOOKS = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
SEEN = []
register_before_snapshot(SEEN.append, "before 1")
register_before_snapshot(SEEN.append, "before 2")
register_after_restore(SEEN.append, "after 1")
register_after_restore(SEEN.append, "after 2")
def handler(event, context):
    SEEN.append("handler")
    return SEEN
"""


@pytest.fixture
def yard(walled: Yard) -> Yard:
    return walled


async def test_environments_share_what_init_made_and_nothing_random(yard: Yard) -> None:
    function = published(yard, ALIKE)
    await yard.engine.snapshot(function)
    answers = await together(yard, await yard.gate(function), function, [{}] * 3)
    assert len({answer["born"] for answer in answers}) == 1
    for name in ("random", "uuid", "stream", "process", "api"):
        assert len({answer[name] for answer in answers}) == 3, name
    assert all(answer["stream"] == answer["variable"] for answer in answers)
    assert {(answer["kind"], answer["keys"]) for answer in answers} == {("snap-start", False)}
    assert sum("INIT_START" in message for message in yard.facts.messages) == 1


async def test_twenty_at_once(yard: Yard) -> None:
    function = published(yard, ALIKE)
    await yard.engine.snapshot(function)
    gate = await yard.gate(function)
    for _ in range(2):  # those that are there, once more
        answers = await together(yard, gate, function, [{}] * 20)
        assert len({answer["born"] for answer in answers}) == 1
        assert len({answer["process"] for answer in answers}) == 20
    assert sum("RESTORE_START" in message for message in yard.facts.messages) == 20


async def test_hooks_run_in_order_and_once(yard: Yard) -> None:
    function = published(yard, HOOKS)
    await yard.engine.snapshot(function)
    hooks = ["before 2", "before 1", "after 1", "after 2"]
    assert await yard.result(function) == [*hooks, "handler"]
    assert await yard.result(function) == [*hooks, "handler", "handler"]


async def test_a_hook_that_fails_before_the_snapshot_fails_the_version(yard: Yard) -> None:
    source = """
    from snapshot_restore_py import register_before_snapshot
    @register_before_snapshot
    def leave():
        raise ValueError("not today")
    def handler(event, context): pass
    """
    with pytest.raises(AwsError) as caught:
        await yard.engine.snapshot(published(yard, dedent(source)))
    assert caught.value.code == "FunctionError"
    assert "Runtime.BeforeSnapshotError" in caught.value.message
    assert any("ValueError: not today" in message for message in yard.facts.messages)
    assert any("Phase: snap-start" in message for message in yard.facts.messages)


async def test_a_hook_that_fails_after_the_restore_fails_the_invocation(yard: Yard) -> None:
    source = """
    from snapshot_restore_py import register_after_restore
    register_after_restore(lambda: 1 / 0)
    def handler(event, context): pass
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    with pytest.raises(AwsError) as caught:
        await yard.invoke(function)
    assert caught.value.code == "SnapStartException"
    assert any("ZeroDivisionError" in message for message in yard.facts.messages)
    (report,) = [message for message in yard.facts.messages if message.startswith("RESTORE_REPORT")]
    assert "Error Type: Runtime.AfterRestoreError" in report


async def test_a_restore_has_its_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
    import signal
    from snapshot_restore_py import register_after_restore
    register_after_restore(signal.pause)
    def handler(event, context): pass
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    monkeypatch.setattr(limits, "RESTORE_S", 0.1)
    with pytest.raises(AwsError) as caught:
        await yard.invoke(function)
    assert caught.value.code == "SnapStartTimeoutException"
    assert any(m.startswith("RESTORE_REPORT") and "Status: timeout" in m for m in yard.facts.messages)


async def test_each_has_files_of_its_own_and_those_of_init(yard: Yard) -> None:
    source = (
        WAITING
        + """
for place in ("/tmp", "/dev/shm"):
    open(place + "/init", "w").write("made in INIT")
def handler(event, context):
    print("here")
    wait()
    found = {}
    for place in ("/tmp", "/dev/shm"):
        with open(place + "/init", "a+") as file:
            file.write(event)
            file.seek(0)
            found[place] = file.read()
        open(place + "/" + event, "w").close()
        found[place + "/"] = sorted(os.listdir(place))
    return found
"""
    )
    function = published(yard, source)
    await yard.engine.snapshot(function)
    answers = await together(yard, await yard.gate(function), function, ["a", "b"])
    for event, answer in zip("ab", answers, strict=True):
        for place in ("/tmp", "/dev/shm"):
            assert answer[place] == "made in INIT" + event
            assert answer[place + "/"] == sorted([event, "init"])


async def test_files_are_not_shared_where_init_made_none(yard: Yard) -> None:
    source = (
        WAITING
        + """
def handler(event, context):
    print("here")
    wait()
    open("/tmp/" + event, "w").close()
    room = os.statvfs("/tmp")
    return [sorted(os.listdir("/tmp")), room.f_blocks * room.f_frsize >> 20]
"""
    )
    function = published(yard, source, ephemeral_mb=64)
    await yard.engine.snapshot(function)
    answers = await together(yard, await yard.gate(function), function, ["a", "b"])
    assert answers == [[["a"], 64], [["b"], 64]]


async def test_it_has_no_rights_left_and_sees_no_other_root(yard: Yard) -> None:
    source = """
    import os
    def rights():
        lines = open("/proc/self/status").read().splitlines()
        return {line.split()[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
    AT_INIT = rights()
    def handler(event, context):
        try:
            os.chroot("/tmp")
        except PermissionError:
            refused = True
        return [AT_INIT, rights(), refused, os.listdir("/.branches"), os.getcwd()]
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    before, after, refused, roots, folder = await yard.result(function)
    assert set(before.values()) <= {0, 1 << 18}
    assert set(after.values()) == {0}
    assert (refused, roots, folder) == (True, [], "/var/task")


async def test_what_init_has_hidden_from_renewal_leads_to_its_own_version_only(yard: Yard) -> None:
    source = """
    import os
    HELD = os.open("/", os.O_RDONLY)
    listed = os.listdir
    os.listdir = lambda *places: [name for name in listed(*places) if name != str(HELD)]
    def handler(event, context):
        return [listed(os.open(name, os.O_RDONLY, dir_fd=HELD)) for name in (".branches", ".lambent")]
    """
    function, other = published(yard, dedent(source)), published(yard, ALIKE)
    await yard.engine.snapshot(other)
    gate = await yard.gate(other)
    kept = asyncio.ensure_future(yard.result(other))
    await yard.facts.until("here\n")
    await yard.engine.snapshot(function)
    assert await yard.result(function) == [["1"], []]
    gate.open()
    await kept


async def test_one_that_crashes_hurts_no_other(yard: Yard) -> None:
    source = (
        ALIKE
        + """
wrapped = handler
def handler(event, context):
    if event == "die":
        os._exit(3)
    if event == "kill":
        os.kill(os.getpid(), 9)
    return wrapped(event, context)
"""
    )
    function = published(yard, source)
    await yard.engine.snapshot(function)
    gate = await yard.gate(function)
    kept = asyncio.ensure_future(yard.result(function))
    await yard.facts.until("here\n")
    for event, words in (("die", "exit status 3"), ("kill", "signal: killed")):
        failure = await yard.failure(function, event)
        assert failure["errorType"] == "Runtime.ExitError"
        assert words in failure["errorMessage"]
    gate.open(2)
    assert (await kept)["born"] == (await yard.result(function))["born"]


async def test_one_without_memory_hurts_no_other(yard: Yard) -> None:
    source = (
        ALIKE
        + """
wrapped = handler
def handler(event, context):
    return len(bytearray(os.urandom(1 << 20) * 200)) if event == "eat" else wrapped(event, context)
"""
    )
    function = published(yard, source)
    await yard.engine.snapshot(function)
    sandbox = yard.engine._sandbox
    if "memory" not in sandbox._cgroups.controls:  # type: ignore[attr-defined]
        pytest.skip("memory cannot be limited here")
    gate = await yard.gate(function)
    kept = asyncio.ensure_future(yard.result(function))
    await yard.facts.until("here\n")
    failure = await yard.failure(function, "eat")
    assert "signal: killed" in failure["errorMessage"]
    gate.open(2)
    assert (await kept)["born"] == (await yard.result(function))["born"]


async def test_the_log(yard: Yard) -> None:
    function = published(yard, "def handler(event, context): print('hello')")
    await yard.engine.snapshot(function)
    await yard.result(function)
    streams = list(dict.fromkeys(stream.name for stream, _ in yard.facts.events))
    assert len(streams) == 2, "the snapshot has a stream of its own"
    lines = [[e.message.split()[0] for s, e in yard.facts.events if s.name == stream] for stream in streams]
    assert lines[0][0] == "INIT_START"
    assert lines[1] == ["RESTORE_START", "RESTORE_REPORT", "START", "hello", "END", "REPORT"]
    report = yard.facts.messages[-1]
    assert re.search(r"\tRestore Duration: [\d.]+ ms\tBilled Restore Duration: \d+ ms\t", report)
    assert "Init Duration" not in report
    await yard.result(function)
    assert "Restore Duration" not in yard.facts.messages[-1]


async def test_credentials_are_asked_for(yard: Yard) -> None:
    source = """
    import json, os, urllib.request, urllib.error
    URI = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    def ask(uri, token):
        return json.load(urllib.request.urlopen(urllib.request.Request(uri, headers={"Authorization": token})))
    def handler(event, context):
        token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        try:
            ask(URI, "another")
        except urllib.error.HTTPError as error:
            refused = error.code
        given = ask(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], token)
        return [refused, sorted(given), given["AccessKeyId"] != ask(URI, token)["AccessKeyId"]]
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    names = ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]
    assert await yard.result(function) == [404, names, True]


async def test_a_version_that_goes_takes_its_snapshot_along(yard: Yard) -> None:
    function = published(yard, ALIKE)
    await yard.engine.snapshot(function)
    gate = await yard.gate(function)
    busy = asyncio.ensure_future(yard.result(function))
    await yard.facts.until("here\n")
    yard.engine.retire(function.arn, "2")
    yard.engine.retire(function.arn, "1")
    assert len(yard.engine._snapshots._living) == 1, "it is in use"
    gate.open()
    await busy
    await yard.engine._snapshots._empty.wait()
    assert not yard.engine._snapshots._known


async def test_a_server_that_starts_anew_makes_it_when_it_is_wanted(yard: Yard) -> None:
    function = published(yard, ALIKE)
    gate = await yard.gate(function)
    answers = await together(yard, gate, function, [{}] * 3)
    assert len({answer["born"] for answer in answers}) == 1
    assert sum("INIT_START" in message for message in yard.facts.messages) == 1


async def test_a_snapshot_that_has_died_is_made_again(yard: Yard) -> None:
    source = """
    import os, uuid
    FIRST, BORN = os.getpid(), str(uuid.uuid4())
    def handler(event, context):
        if event:
            os.kill(FIRST, 9)
            os.read(os.pipe()[0], 1)
        return BORN
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    born = await yard.result(function)
    failure = await yard.failure(function, True)
    assert failure["errorType"] == "Runtime.ExitError"
    assert await yard.result(function) != born
    assert sum("INIT_START" in message for message in yard.facts.messages) == 2


@pytest.mark.parametrize(
    ("begun", "reason"),
    [
        ("import threading; threading.Thread(target=signal.pause, daemon=True).start()", "2 threads run"),
        ("import subprocess; CHILD = subprocess.Popen(['/bin/sleep', '1000'])", "processes run"),
    ],
    ids=["thread", "process"],
)
async def test_what_cannot_be_forked_initialises_itself(yard: Yard, begun: str, reason: str) -> None:
    source = (
        f"import os, signal\n{begun}\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
    )
    function = published(yard, source)
    await yard.engine.snapshot(function)
    assert await yard.result(function) == "on-demand"
    assert any(f"SnapStart is not used for this version: {reason}" in message for message in yard.facts.messages)
    assert "Init Duration" in yard.facts.messages[-1]


async def test_a_thread_that_a_hook_ends_is_no_obstacle(yard: Yard) -> None:
    source = """
    import os, threading
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    over = threading.Event()
    worker = threading.Thread(target=over.wait)
    worker.start()
    @register_before_snapshot
    def end():
        over.set()
        worker.join()
    def handler(event, context):
        return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    assert await yard.result(function) == "snap-start"


async def test_external_extensions_cannot_be_forked(yard: Yard) -> None:
    layer = yard.layer({"watcher": "extension = Extension(NAME)\nwhile True: extension.next()"})
    function = published(
        yard, "import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']", layers=(layer,)
    )
    await yard.engine.snapshot(function)
    assert await yard.result(function) == "on-demand"


async def test_a_level_without_walls_has_no_snapshots(shop: Workshop) -> None:
    function = shop.function(KIND, version="1", snap_start=True)
    await shop.engine.snapshot(function)
    assert await shop.result(function) == "on-demand"
    assert any("its process is not made to be forked" in message for message in shop.facts.messages)


async def test_what_a_function_leaves_behind_ends_with_its_environment(yard: Yard) -> None:
    source = """
    import os, subprocess
    def handler(event, context):
        if event:
            return [int(name) for name in os.listdir("/proc") if name.isdigit()]
        child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
        print("pid", child.pid)
        os._exit(0)
    """
    function = published(yard, dedent(source))
    await yard.engine.snapshot(function)
    if "pids" not in yard.engine._sandbox._cgroups.controls:  # type: ignore[attr-defined]
        pytest.skip("there are no control groups")
    await yard.failure(function)
    (child,) = [int(message.split()[1]) for message in yard.facts.messages if message.startswith("pid")]
    assert child not in await yard.result(function, True)
