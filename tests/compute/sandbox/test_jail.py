"""The levels with walls: what a guest finds and does not, how guests end, and that nothing is ever left of a cell."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambent.compute.guests import discard
from lambent.compute.runtimes import Runtime
from lambent.compute.sandbox import egress, hierarchies, jail, looks, sleeper
from lambent.compute.sandbox.api import Image, Tenancy
from lambent.compute.sandbox.cgroups import Cgroups, cpu_share
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from tests.compute.conftest import open_files
from tests.compute.sandbox.building import (
    CLIENT,
    CUSTOM,
    LEVEL,
    Building,
    Ended,
    answer,
    finish,
    line,
    measured,
    opened,
    program,
    ready,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]


accompanied = pytest.mark.parametrize("building", [False], ids=["accompanied"], indirect=True)
"""For what only a cell can do that lets others in beside its first guest."""


KINDS = {"argvalues": [False, True], "ids": ["accompanied", "lone"]}
either = pytest.mark.parametrize("lone", **KINDS)


@pytest.fixture(params=KINDS["argvalues"], ids=KINDS["ids"])
async def building(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Building]:
    others = zygotes()
    async with opened(tmp_path, lone=request.param) as site:
        yield site
    assert zygotes() <= others


def mounted() -> str:
    """All mounts that this process sees."""
    return Path("/proc/self/mountinfo").read_text()


def zygotes() -> set[str]:
    """The processes of cells and their zygotes that this process has started."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_text().split("\0")
            session = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if any(word.endswith(("/cell/zygote.py", "/cell/furnish.py")) for word in words) and session == os.getpid():
            found.add(process.name)
    return found


def farewells(building: Building, monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[object]:
    """The cells of which nothing is left, as they go."""
    gone: asyncio.Queue[object] = asyncio.Queue()
    tell = building.sandbox.gone
    monkeypatch.setattr(building.sandbox, "gone", lambda *words: (tell(*words), gone.put_nowait(words[0])))
    return gone


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -15 $$", -15)])
async def test_the_status_says_how_a_guest_ended(building: Building, script: str, status: int) -> None:
    assert await building.run(script) == (status, "")


async def test_a_program_that_is_not_there_ends_as_in_a_shell(building: Building) -> None:
    cell = await building.cell({"text": "no program"})
    assert await finish(cell, "/var/task/none") == (127, "/var/task/none: No such file or directory\n")
    cell.kill()
    cell = await building.cell({"text": "no program"})
    assert (await finish(cell, "/var/task/text"))[0] == 126
    cell.kill()


async def test_a_guest_has_no_rights_and_only_its_own_descriptors(building: Building) -> None:
    _, output = await building.run("cat /proc/self/status; ls /proc/self/fd; ulimit -n")
    status = dict(entry.split(":\t") for entry in output.splitlines() if ":\t" in entry)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert output.splitlines()[-7:] == ["0", "1", "2", "3", "4", "5", "1024"]  # 5 is the listing's own


async def test_a_guest_sees_its_own_processes_only_and_not_the_first(building: Building) -> None:
    _, output = await building.run("echo /proc/[0-9]*; kill -9 1; readlink /proc/1/root; cat /proc/1/environ; true")
    first, *others = output.splitlines()
    assert first.split() in (["/proc/2"], ["/proc/2", "/proc/3"])
    assert others
    assert all("No such" in other or "not permitted" in other for other in others if other)


async def test_the_root_is_like_lambdas_and_cannot_be_written_to(building: Building) -> None:
    script = """
    for place in / /usr /etc /dev /opt /sys /var /var/task /var/runtime /var/tmp /proc; do
        touch $place/x 2>/dev/null && echo wrote $place
    done
    ls -A /.lambent /sys /root /home 2>/dev/null
    pwd; hostname; cat /etc/hosts; id -un; id -gn; echo data > /tmp/x && cat /tmp/x
    """
    _, output = await building.run(script)
    assert output.splitlines() == [
        "/.lambent:",
        "",
        "/sys:",
        "/var/task",
        "sandbox",
        "127.0.0.1 localhost sandbox.localdomain sandbox",
        "sbx_user1051",
        "sbx_user1051",
        "data",
    ]


async def test_tmp_has_the_size_that_was_asked_for(building: Building) -> None:
    script = "dd if=/dev/zero of=/tmp/x bs=1024k 2>/dev/null; stat -c %s /tmp/x"
    assert (await building.run(script, ephemeral_mb=3))[1] == f"{3 * limits.MIB}\n"


async def test_layers_lie_over_one_another_and_the_last_is_on_top(building: Building) -> None:
    layers = tuple(building.package({"a": f"{n}\n", f"only{n}": ""}) for n in (1, 2, 3))
    _, output = await building.run("cat /opt/a; ls /opt; touch /opt/x 2>/dev/null || echo fixed", layers=layers)
    assert output.split() == ["3", "a", "only1", "only2", "only3", "fixed"]
    _, output = await building.run("cat /opt/a; ls /opt", layers=layers[:1])
    assert output.split() == ["1", "a", "only1"]


async def test_code_of_others_is_not_in_sight(building: Building) -> None:
    building.package({"secret": "canary"})
    _, output = await building.run("grep -rl canar[y] / --exclude-dir=proc --exclude-dir=usr 2>/dev/null; true")
    assert output == ""


@pytest.mark.skipif(LEVEL != "jail", reason="where the server is not root all guests are its own user")
async def test_two_servers_do_not_share_users(building: Building, tmp_path: Path) -> None:
    neighbour = Building(tmp_path / "neighbour")
    users = [await each.run("id -u; id -un") for each in (building, neighbour)]
    await neighbour.close()
    assert len(set(users)) == 2
    assert all(output.endswith("\nsbx_user1051\n") for _, output in users)


async def test_two_cells_do_not_share_files_processes_or_sockets(building: Building) -> None:
    script = """
    import os, socket, sys, time
    me = socket.socket(socket.AF_UNIX); me.bind("\\0name"); me.listen()
    tcp = socket.socket(); tcp.bind(("127.0.0.1", 5000)); tcp.listen()
    open("/tmp/mine", "x"); open("/dev/shm/mine", "x")
    others = [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
    print(others, [name for _, name in socket.if_nameindex()], flush=True)
    time.sleep(60)
    """
    files = {"run": f"#!/usr/bin/env python3\n{script.replace(chr(10) + '    ', chr(10))}"}
    image = await building.python()
    cells = [await building.cell(files, image) for _ in range(2)]
    for cell in cells:
        cell.enter(program("/var/task/run", PATH="/var/lang/bin:/usr/bin"), Ended())
    assert [await line(cell.output) for cell in cells] == ["[] ['lo']\n"] * 2
    for cell in cells:
        cell.kill()


async def test_the_client_waits_ready_and_answers(building: Building) -> None:
    source = """
    import logging, os, sys
    def handler(event, context):
        logging.getLogger().warning("told")
        values = os.environ["COLOUR"], os.environ["TZ"], sys.modules["__main__"].__name__
        return [sys.path, __file__, *values, os.getcwd()]
    """
    cell = await building.cell({"app.py": source}, await building.python())
    assert await ready(cell, COLOUR="blue", TZ="Asia/Tokyo") == "Y"
    path, *values = json.loads(await answer(cell))
    assert path[0] == "/var/task"
    assert path[-1] == "/var/runtime"
    assert all(entry.startswith("/var/lang/lib/") for entry in path[1:-1])
    assert values == ["/var/task/app.py", "blue", "Asia/Tokyo", "__main__", "/var/task"]
    assert "[WARNING]" in await line(cell.output)
    assert cell.usage().peak_memory > limits.MIB
    cell.kill()


async def test_nothing_is_left_of_what_the_zygote_has_tried_out(building: Building) -> None:
    source = """
    import os, sys
    strange = {name for name in sys.modules if name in ("calls", "guest", "init", "packets", "parking", "rehearsal")}
    folders = [each for each in (*sys.path, *sys.path_importer_cache) if each.startswith("/.lambent/cell")]
    def handler(event, context):
        return [dict(os.environ), sorted(strange), folders, sys.modules["__main__"].runtime.request_id]
    """
    cell = await building.cell({"app.py": source}, await building.python())
    assert await ready(cell, COLOUR="b=lue") == "Y"
    assert json.loads(await answer(cell)) == [{**CLIENT, "COLOUR": "b=lue"}, [], [], "id"]


async def test_modules_that_a_function_brings_are_its_own(building: Building) -> None:
    source = """
    import uuid, json
    def handler(event, context):
        return [uuid.MINE, json.__file__]
    """
    cell = await building.cell({"app.py": source, "uuid.py": "MINE = 1"}, await building.python())
    assert await ready(cell) == "Y"
    mine, other = json.loads(await answer(cell))
    assert mine == 1
    assert other.startswith("/var/lang/lib/")
    cell.kill()


async def test_what_only_a_new_interpreter_can_do_is_done_by_one(building: Building) -> None:
    source = """
    import sys
    def handler(event, context):
        return [sys.flags.hash_randomization, sys.flags.optimize]
    """
    cell = await building.cell({"app.py": source}, await building.python())
    assert await ready(cell, PYTHONHASHSEED="0", PYTHONOPTIMIZE="1") == "Y"
    assert json.loads(await answer(cell)) == [0, 1]
    cell.kill()


async def test_the_sdk_is_there_before_it_is_imported(building: Building) -> None:
    source = """
    import sys
    before = "botocore.session" in sys.modules
    import boto3
    def handler(event, context):
        boto3.client("s3", region_name="us-east-1")
        return [before, boto3.__file__]
    """
    image = await building.python()
    if not image.runtime.packages:
        pytest.skip("the SDK is not for this interpreter")
    cell = await building.cell({"app.py": source}, Image(image.runtime, sdk=True))
    assert await ready(cell) == "Y"
    assert json.loads(await answer(cell)) == [True, "/var/runtime/boto3/__init__.py"]
    cell.kill()
    cell = await building.cell({"app.py": source, "botocore/__init__.py": ""}, Image(image.runtime, sdk=True))
    assert await ready(cell) == "F"  # half an SDK of its own is what it gets
    cell.kill()


@accompanied
async def test_more_guests_come_before_the_first_and_beside_it(building: Building) -> None:
    cell = await building.cell({"run": "#!/bin/sh\nkill -0 3 && echo sees; sleep 60"})
    reading, writing = os.pipe()
    ended, first = Ended(), Ended()
    script = "id -u; cd /tmp; echo $COLOUR; readlink /proc/self/fd/0; sleep 60"
    guest = cell.start(program("/bin/sh", "-c", script, COLOUR="red"), writing, ended)
    os.close(writing)
    text = ""
    while text.count("\n") < 3:
        text += await line(reading)
    user, colour, nothing = text.splitlines()
    lowest = building.sandbox._walls.privileges.first_user
    assert int(user) == (lowest + cell.seat if LEVEL == "jail" else 993)
    assert (colour, nothing) == ("red", "/dev/null")
    cell.enter(program("/var/task/run"), first)
    assert await line(cell.output) == "sees\n"
    guest.signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await ended.status == -signal.SIGTERM
    assert not first.status.done()
    cell.kill()
    async with asyncio.timeout(10):
        assert await first.status == -signal.SIGKILL
    os.close(reading)


async def test_the_server_listens_inside_and_reaches_what_guests_listen_on(building: Building) -> None:
    script = """
    import http.client, socket
    for port in (9001, 4566):
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"hello")
    listener = socket.socket(); listener.bind(("127.0.0.1", 8080)); listener.listen()
    print("listening", flush=True)
    print(listener.accept()[0].recv(5), flush=True)
    """
    cell = await building.cell({"run.py": script}, await building.python())
    cell.enter(program("/var/lang/bin/python3", "/var/task/run.py"), Ended())
    loop = asyncio.get_running_loop()
    for listener in (cell.runtime_api, cell.endpoint):
        async with asyncio.timeout(20):
            caller, _ = await loop.sock_accept(listener)
            assert await loop.sock_recv(caller, 5) == b"hello"
        caller.close()
    assert await line(cell.output) == "listening\n"
    connector = await cell.socket()
    await loop.sock_connect(connector, ("127.0.0.1", 8080))
    await loop.sock_sendall(connector, b"there")
    assert await line(cell.output) == "b'there'\n"
    connector.close()
    cell.kill()


class Asking:
    """A cell that has asked for a socket."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[socket.socket | None] = asyncio.get_running_loop().create_future()

    def connected(self, connector: socket.socket | None) -> None:
        self.answer.set_result(connector)

    def exited(self, status: int) -> None:
        raise AssertionError(f"nobody has entered, and {status} is told of them")


def ended() -> int:
    """A descriptor of a process that is no more."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    handle = os.pidfd_open(child)
    os.waitpid(child, 0)
    return handle


async def test_there_is_no_socket_of_a_network_that_is_gone(building: Building) -> None:
    await building.cell()
    zygote = building.sandbox._nurseries[building.image]._zygote
    assert zygote is not None
    handle = ended()
    asking = Asking()
    zygote.adopt(0, asking)
    zygote.connect(0, handle)
    os.close(handle)
    async with asyncio.timeout(10):
        assert await asking.answer is None
    zygote.disown(0)


async def test_a_socket_of_one_cell_does_not_depend_on_another(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = farewells(building, monkeypatch)
    cell, last = await building.cell(), await building.cell()
    last.kill()
    async with asyncio.timeout(10):
        while await gone.get() is not last:
            pass
        (await cell.socket()).close()


async def test_a_guest_that_stops_and_goes_on_keeps_nobody_else_busy(building: Building) -> None:
    stop = 'kill -STOP $$; state=; while [ "$state" != T ]; do read -r _ _ state _ < /proc/$$/stat; done'
    script = f"#!/bin/sh\n(for n in $(seq 300); do {stop}; kill -CONT $$; done; echo done)\n"
    cell = await building.cell({"run": script})
    zygote = building.sandbox._nurseries[building.image]._zygote
    assert zygote is not None
    before = rests(zygote._pid)
    assert await finish(cell) == (0, "done\n")
    assert sum(count - before.get(each, 0) for each, count in rests(zygote._pid).items()) < 50
    cell.kill()


def rests(pid: int) -> dict[int, int]:
    """How often a process and those below it that live have waited for something."""
    found = {}
    for each in (pid, *map(int, descendants(pid))):
        with suppress(FileNotFoundError, ProcessLookupError):  # it may go meanwhile
            text = Path(f"/proc/{each}/status").read_text()
            if "\nState:\tZ" in text:  # the guest, of which the zygote tells before it takes leave of it
                continue
            found[each] = int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


async def test_orphans_are_reaped_and_end_with_the_cell(building: Building) -> None:
    script = """
    for n in 1 2 3; do (sleep 0 &) ; done
    (setsid sleep 60 >/dev/null 2>&1 &)
    sleep 0.2; ls -d /proc/[0-9]* | wc -l; exit 3
    """
    status, output = await building.run(script)
    assert status == 3
    assert int(output) <= 5  # the shell, the sleeper and this pipeline


@accompanied
async def test_a_kill_is_told_to_every_guest_and_harmless_twice(building: Building) -> None:
    cell = await building.cell()
    guests = [Ended(), Ended()]
    nothing = os.open(os.devnull, os.O_WRONLY)
    cell.enter(program("/bin/sleep", "60"), guests[0])
    cell.start(program("/bin/sleep", "60"), nothing, guests[1])
    os.close(nothing)
    cell.kill()
    cell.kill()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(guest.status for guest in guests)) == [-signal.SIGKILL] * 2
    with pytest.raises(ProcessLookupError):
        cell.enter(program("/bin/true"), Ended())


async def test_a_zero_byte_in_a_program_is_refused(building: Building) -> None:
    cell = await building.cell()
    with pytest.raises(OSError, match="zero byte"):
        cell.enter(program("/bin/true", NAME="value\0OTHER=value"), Ended())
    with pytest.raises(OSError, match="zero byte"):
        cell.enter(program("/bin/echo", "a\0b"), Ended())


async def test_too_long_a_program_is_refused(building: Building) -> None:
    cell = await building.cell()
    with pytest.raises(OSError, match="too long"):
        cell.enter(program("/bin/true", LONG="x" * limits.CELL_PACKET_BYTES), Ended())
    assert await finish(cell, "/bin/true") == (0, "")
    cell.kill()


async def test_a_package_that_is_not_there_ends_the_cell_and_is_told(
    building: Building, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = farewells(building, monkeypatch)
    cell = await building.cell(task=building.code / "none")
    async with asyncio.timeout(10):
        while await gone.get() is not cell:
            pass  # the cell with which the level was tried
    with pytest.raises(ProcessLookupError):
        cell.enter(program("/bin/true"), Ended())
    assert "No such file or directory" in caplog.text


async def test_nobody_takes_what_belonged_to_a_cell_that_is_gone(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = farewells(building, monkeypatch)
    cell = await building.sandbox.cell(building.image)
    output = cell._output
    os.kill(building.sandbox._nurseries[building.image]._zygote._pid, signal.SIGKILL)  # type: ignore[union-attr]
    async with asyncio.timeout(10):
        while await gone.get() is not cell:
            pass
    with pytest.raises(ProcessLookupError):
        cell.output  # noqa: B018 it is taken by looking
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, output)
    discard(cell)
    os.close(output)  # which was not closed, though it has the number now
    os.close(nothing)


async def test_why_a_cell_ends_is_told_though_it_was_told_more(
    building: Building, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone, ended = farewells(building, monkeypatch), Ended()
    cell = await building.sandbox.cell(building.image)
    hand = cell._inhabitant()
    signal.pidfd_send_signal(hand, signal.SIGSTOP)  # else it could be gone before it is told more
    cell.furnish(Tenancy(name="f", task=building.code / "none", memory_mb=256, ephemeral_mb=8))
    cell.enter(program("/bin/true"), ended)  # which nobody reads any more
    signal.pidfd_send_signal(hand, signal.SIGCONT)
    async with asyncio.timeout(10):
        while await gone.get() is not cell:
            pass  # the cell with which the level was tried
    assert await ended.status == -signal.SIGKILL
    assert "No such file or directory" in caplog.text


async def test_a_lone_cell_that_is_paced_keeps_no_control_socket_and_its_end_is_told(tmp_path: Path) -> None:
    site, ended = Building(tmp_path, lone=True), Ended()
    try:
        if (problem := await jail.refusal(site.sandbox, site.image.runtime)) is not None:
            pytest.skip(problem)
        cell = await site.cell()
        control = cell._control
        cell.pace()
        assert control.fileno() >= 0, "its orders are still to come"
        cell.enter(program("/bin/sleep", "1000"), ended)
        cell.pace()
        assert control.fileno() < 0
        cell.pace()
        cell.kill()
        assert await ended.status == -signal.SIGKILL
    finally:
        await site.close()


async def test_cells_are_made_ahead_and_replaced(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    made: asyncio.Queue[object] = asyncio.Queue()
    tell = building.sandbox.made
    monkeypatch.setattr(building.sandbox, "made", lambda cell: (tell(cell), made.put_nowait(cell)))
    building.sandbox.foresee(building.image, 2)
    async with asyncio.timeout(20):
        first, second = await made.get(), await made.get()
        assert await building.sandbox.cell(building.image) is first
        third = await made.get()
    assert [await building.sandbox.cell(building.image) for _ in range(2)] == [second, third]
    building.sandbox.foresee(building.image, 0)
    assert not building.sandbox._nurseries[building.image]._ready


async def test_a_refill_waits_and_a_zygote_that_nobody_needs_goes(
    building: Building, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    (tmp_path / "again").mkdir()
    site = Building(tmp_path / "again", clock=clock, lone=building.image.lone)
    gone = farewells(site, monkeypatch)
    site.sandbox.foresee(site.image, 1)
    nursery = site.sandbox._nurseries[site.image]
    first = await site.sandbox.cell(site.image)
    assert (len(nursery._ready), nursery._making) == (0, 0)
    await clock.advance(limits.CELL_REFILL_S)
    assert nursery._making + len(nursery._ready) == 1
    site.sandbox.foresee(site.image, 0)
    first.kill()
    async with asyncio.timeout(20):
        while nursery._living:
            await gone.get()
        await clock.advance(limits.ZYGOTE_UNUSED_S)
        await site.sandbox._empty.wait()
    assert site.sandbox._nurseries == {}
    await site.close()
    assert await building.run("true") == (0, "")


async def test_whoever_comes_while_a_zygote_goes_is_served_by_the_next(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = farewells(building, monkeypatch)
    (await building.cell()).kill()
    nursery = building.sandbox._nurseries[building.image]
    async with asyncio.timeout(20):
        while nursery._living:
            await gone.get()
    zygote = nursery._zygote
    nursery._unused()
    assert await building.run("echo served") == (0, "served\n")
    assert nursery._zygote is not zygote


def stop(pid: int) -> None:
    """Have a process and those below it stand still: without root a zygote is below the one that was started."""
    for each in (pid, *map(int, descendants(pid))):
        os.kill(each, signal.SIGSTOP)


async def test_a_zygote_that_makes_nothing_is_replaced(tmp_path: Path, building: Building) -> None:
    clock = VirtualClock()
    site = Building(tmp_path / "again", clock=clock, lone=building.image.lone)
    await site.cell()
    stopped = site.sandbox._nurseries[site.image]._zygote
    assert stopped is not None
    stop(stopped._pid)
    waiting = asyncio.create_task(site.sandbox.cell(site.image))
    await asyncio.sleep(0)
    await clock.advance(limits.CELL_WAIT_S)
    with pytest.raises(TimeoutError):
        await waiting
    assert await site.run("echo again") == (0, "again\n")
    await site.close()


async def test_a_zygote_that_does_not_end_is_ended(tmp_path: Path, building: Building) -> None:
    clock = VirtualClock()
    site = Building(tmp_path / "again", clock=clock, lone=building.image.lone)
    ended = Ended()
    (await site.cell()).enter(program("/bin/sleep", "60"), ended)
    zygote = site.sandbox._nurseries[site.image]._zygote
    assert zygote is not None
    stop(zygote._pid)
    closing = asyncio.create_task(site.close())
    await asyncio.sleep(0)
    await clock.advance(limits.ZYGOTE_END_S)
    async with asyncio.timeout(20):
        await closing
    assert await ended.status == -signal.SIGKILL


@either
async def test_a_zygote_that_cannot_be_told_its_plan_is_not_left_behind(tmp_path: Path, lone: bool) -> None:
    cgroups = hierarchies.find(f"test-{os.getpid()}", privileged=LEVEL == "jail")
    if not cgroups.controls:
        pytest.skip(f"there are no control groups here: {cgroups.lacking}")
    site = Building(tmp_path, cgroups, lone=lone)
    others = zygotes()
    for tree in cgroups._trees:
        os.rmdir(tree.folder)  # noqa: PTH106 as the server does
    with pytest.raises(FileNotFoundError):
        cgroups.doors()
    before = open_files()
    for _ in range(2):
        with pytest.raises(OSError, match="No such file or directory"):
            await site.sandbox.cell(site.image)
    assert zygotes() <= others
    assert len(open_files()) <= len(before) + 1  # the claim to users
    await site.close()


async def test_limits_that_do_not_hold_are_told(tmp_path: Path) -> None:
    site = Building(tmp_path, Cgroups.none("nothing limits memory"))
    assert site.sandbox.unlimited == looks.lacking(Cgroups.none("nothing limits memory"))
    await site.close()


@pytest.mark.parametrize("code", [None, b"what this machine does not execute"], ids=["none", "refused"])
async def test_without_a_program_that_sleeps_cells_have_a_first_process_of_the_other_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes | None
) -> None:
    monkeypatch.setattr(sleeper, "program", lambda: code)
    site = Building(tmp_path, lone=True)
    if (problem := await jail.refusal(site.sandbox, CUSTOM.runtime)) is not None:
        await site.close()
        pytest.skip(problem)
    assert await site.run("exec grep PPid /proc/self/status") == (0, "PPid:\t1\n")
    await site.close()


async def test_a_zygote_that_is_killed_is_replaced(building: Building) -> None:
    cell = await building.cell()
    ended = Ended()
    cell.enter(program("/bin/sleep", "60"), ended)
    zygote = building.sandbox._nurseries[building.image]._zygote
    assert zygote is not None
    os.kill(zygote._pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert await ended.status == -signal.SIGKILL
    assert await building.run("echo again") == (0, "again\n")


async def test_where_no_root_can_be_built_the_reason_is_told_once(
    building: Building, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Image(Runtime("python3.99", "3.99.0", building.folder / "nowhere", "bin/python3.99"))
    with pytest.raises(OSError, match=r"No such file or directory: .*nowhere"):
        await building.sandbox.cell(broken)
    assert await building.run("echo others go on") == (0, "others go on\n")
    await building.sandbox.close()
    assert not caplog.records


async def test_a_burst_is_served_and_leaves_nothing(building: Building) -> None:
    mounts = mounted()
    cells = await asyncio.gather(*(building.sandbox.cell(building.image) for _ in range(50)))
    assert len({cell.seat for cell in cells}) == 50
    for cell in cells:
        cell.kill()
    for _ in range(3):
        for cell in await asyncio.gather(*(building.cell() for _ in range(50))):
            cell.kill()
    assert mounted() == mounts


@either
async def test_control_groups_hold_a_cell_and_go_with_it(tmp_path: Path, lone: bool) -> None:
    cgroups = hierarchies.find(f"test-{os.getpid()}", privileged=LEVEL == "jail")
    if "memory" not in cgroups.controls:
        pytest.skip(f"memory cannot be limited here: {cgroups.lacking}")
    site = Building(tmp_path, cgroups, lone=lone)
    cell = await measured(site)
    assert await answer(cell, b"28") == b""  # the guest is gone
    assert cell.usage().out_of_memory
    folders = cell._cgroup._folders
    cell.kill()
    await site.close()
    assert not any(map(os.path.exists, folders))


@either
async def test_cells_that_are_ended_while_they_are_made_leave_no_control_groups(tmp_path: Path, lone: bool) -> None:
    cgroups = hierarchies.find(f"test-{os.getpid()}", privileged=LEVEL == "jail")
    if not cgroups.controls:
        pytest.skip(f"there are no control groups here: {cgroups.lacking}")
    site = Building(tmp_path, cgroups, lone=lone)
    wanted = [asyncio.create_task(site.sandbox.cell(site.image)) for _ in range(limits.CELLS_MADE_AT_ONCE)]
    (await wanted[0]).kill()
    await site.close()  # the others are on their way
    await asyncio.gather(*wanted, return_exceptions=True)
    with pytest.raises(FileNotFoundError):  # the server's own folders went, which they do when they are empty
        cgroups.doors()


@either
async def test_a_cell_has_all_of_the_processor_until_it_is_paced(tmp_path: Path, lone: bool) -> None:
    cgroups = hierarchies.find(f"test-{os.getpid()}", privileged=LEVEL == "jail")
    if "cpu" not in cgroups.controls:
        pytest.skip(f"processors cannot be shared out here: {cgroups.lacking}")
    site = Building(tmp_path, cgroups, share=cpu_share, lone=lone)
    cell = await site.cell(memory_mb=1769 // 2)
    folder, unified = cell._cgroup._places["cpu"]
    quota = Path(folder) / ("cpu.max" if unified else "cpu.cfs_quota_us")
    assert quota.read_text().split()[0] in {"max", "-1"}
    for _ in range(2):
        cell.pace()
        assert int(quota.read_text().split()[0]) == limits.CGROUP_CPU_PERIOD_US * (1769 // 2) // 1769
    cell.kill()
    cell.pace()
    await site.close()


class Listening:
    """A guard that answers nothing."""

    def __init__(self) -> None:
        self.held: list[tuple[int, socket.socket, socket.socket]] = []

    def attach(self, notify_fd: int, dns_udp: socket.socket, dns_tcp: socket.socket) -> Listening:
        self.held.append((notify_fd, dns_udp, dns_tcp))
        return self

    def close(self) -> None:
        notifications, *sockets = self.held.pop(0)
        os.close(notifications)
        for each in sockets:
            each.close()


@either
async def test_a_guard_hears_of_connections_and_of_questions_for_names(tmp_path: Path, lone: bool) -> None:
    guard = Listening()
    site = Building(tmp_path, guard=guard, lone=lone)
    if (problem := egress.available() or await jail.refusal(site.sandbox, CUSTOM.runtime)) is not None:
        await site.close()
        pytest.skip(problem)
    source = """
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"who", ("127.0.0.1", 53))
    socket.create_connection(("127.0.0.1", 53))
    """
    cell = await site.cell({"run.py": source}, await site.python())
    # Without site, which asks for the user's home: that is a connection, too.
    cell.enter(program("/var/lang/bin/python3", "-S", "/var/task/run.py"), Ended())
    notifications, names, _ = guard.held[-1]
    loop = asyncio.get_running_loop()
    asked = loop.create_future()
    async with asyncio.timeout(20):
        assert await loop.sock_recv(names, 10) == b"who"
        loop.add_reader(notifications, lambda: asked.done() or asked.set_result(None))
        await asked
    loop.remove_reader(notifications)
    await site.close()
    assert guard.held == []


SERVER = """
import asyncio, sys
from pathlib import Path
from lambent.compute.sandbox import hierarchies
from tests.compute.sandbox.building import LEVEL, Building, Ended, program, opened

async def main(folder, name, kind):
    building = Building(folder, hierarchies.find(name, privileged=LEVEL == "jail"), lone=kind == "lone")
    building.sandbox.foresee(building.image, 1)
    frozen, running = [await building.cell() for _ in range(2)]
    for cell in (frozen, running):
        cell.enter(program("/bin/sleep", "300"), Ended())
    await building.sandbox.cell(building.image)
    frozen.freeze()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""


async def test_a_server_that_is_killed_takes_everything_along(building: Building, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    name = f"killed-{os.getpid()}"
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVER,
        str(folder),
        name,
        "lone" if building.image.lone else "accompanied",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert server.stdout is not None
    assert server.stderr is not None
    async with asyncio.timeout(30):
        assert await server.stdout.readline() == b"ready\n"
    processes = [os.pidfd_open(int(pid)) for pid in descendants(server.pid)]
    assert len(processes) >= 7  # a zygote, and for each of three cells its first process and a guest
    server.send_signal(signal.SIGSTOP)
    end_a_guest(server.pid)  # which the server is told, and leaves unread
    server.send_signal(signal.SIGKILL)
    await server.wait()
    loop = asyncio.get_running_loop()
    for process in processes:
        gone = loop.create_future()
        loop.add_reader(process, gone.set_result, None)
        async with asyncio.timeout(10):
            await gone
        loop.remove_reader(process)
        os.close(process)
    assert await server.stderr.read() == b""
    groups = hierarchies.find(name, privileged=LEVEL == "jail")
    assert groups.sweep() == 0  # as the next server does
    assert groups.close()


def end_a_guest(server: int) -> None:
    """Kill those that run. Where one has a cell for itself, its first process ends when that has been told."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in map(int, descendants(server))}
    firsts = [os.pidfd_open(pid) for pid, name in names.items() if name == "first"]
    for pid, name in names.items():
        if name == "sleep":
            os.kill(pid, signal.SIGKILL)
    ended = select.poll()
    for each in firsts:
        ended.register(each, select.POLLIN)
    assert not firsts or ended.poll(10_000)
    for each in firsts:
        os.close(each)


def descendants(pid: int) -> list[str]:
    """The processes below a process."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it may go meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [child, *descendants(int(child))]
    return found
