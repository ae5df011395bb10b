"""Control groups: real ones where this machine lets us make them, and the files of every arrangement of trees."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambent.compute.sandbox.cgroups import Cgroup, Cgroups, MemoryWatch, Tree, cpu_share
from lambent.compute.sandbox.hierarchies import find
from lambent.compute.sandbox.killing import opened
from lambent.kernel.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

JOIN = "import os, sys\nfor fd in map(int, sys.argv[1].split(',')): os.write(fd, b'0')\nprint('in', flush=True)\n"
ECHO = JOIN + "for line in sys.stdin: print(line, end='', flush=True)\n"
V1_FILES = {
    "memory": {
        "memory.limit_in_bytes": "9223372036854771712",
        "memory.memsw.limit_in_bytes": "9223372036854771712",
        "memory.usage_in_bytes": "4096",
        "memory.max_usage_in_bytes": "8192",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    },
    "cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"},
    "pids": {"pids.max": "max"},
    "freezer": {"freezer.state": "THAWED"},
}
V2_CORE = {
    "cgroup.controllers": "",
    "cgroup.subtree_control": "",
    "cgroup.freeze": "0",
    "cgroup.kill": "",
}
V2_FILES = {
    "memory": {
        "memory.max": "max",
        "memory.swap.max": "max",
        "memory.current": "4096",
        "memory.peak": "8192",
        "memory.events": "low 0\nhigh 0\nmax 1\noom 1\noom_kill 2\n",
    },
    "cpu": {"cpu.max": "max 100000"},
    "pids": {"pids.max": "max"},
}


class FakeTrees:
    """A folder that behaves as mounted trees do: a new group has its files, one with only files can be removed, and the
    unified tree hands controllers down only from groups without processes."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.mounts = root / "mountinfo"
        self.own = root / "own"
        self.mounts.write_text("")
        self.own.write_text("")
        self._mkdir, self._rmdir = os.mkdir, os.rmdir
        self._trees: dict[Path, list[str] | None] = {}
        patch.setattr(os, "mkdir", self._make)
        patch.setattr(os, "rmdir", self._remove)
        patch.setattr("lambent.compute.sandbox.cgroups.write", self._write)
        patch.setattr("lambent.compute.sandbox.hierarchies.write", self._write)

    def mount(self, name: str, controllers: list[str] | None, below: str = "/", mode: str = "rw") -> Path:
        """Mount a tree of version 1 with its controllers, or (None) the unified one; returns where."""
        top = self.root / name
        self._mkdir(top)
        self._trees[top] = controllers
        system = "cgroup2" if controllers is None else "cgroup"
        features = ",".join(["rw", *(controllers or [])])
        with self.mounts.open("a") as table:
            table.write(f"31 23 0:28 {below} {top} {mode},relatime - {system} {system} {features}\n")
        self._furnish(top)
        return top

    def _top(self, path: Path) -> Path | None:
        return next((top for top in self._trees if path.is_relative_to(top)), None)

    def _furnish(self, path: Path) -> None:
        top = self._top(path)
        assert top is not None
        controllers = self._trees[top]
        (path / "cgroup.procs").write_text("")
        if controllers is None:
            handed = "memory cpu pids" if path == top else (path.parent / "cgroup.subtree_control").read_text()
            files = V2_CORE | {"cgroup.controllers": handed}
            self._add(path, [] if path == top else handed.split())
        else:
            files = {name: value for controller in controllers for name, value in V1_FILES.get(controller, {}).items()}
        for name, value in files.items():
            (path / name).write_text(value)

    def _add(self, path: Path, controllers: list[str]) -> None:
        for controller in controllers:
            for name, value in V2_FILES[controller].items():
                (path / name).write_text(value)

    def _make(self, path: str | Path, mode: int = 0o777) -> None:
        self._mkdir(path, mode)
        if self._top(Path(path)):
            self._furnish(Path(path))

    def _remove(self, path: str | Path) -> None:
        for entry in Path(path).iterdir() if self._top(Path(path)) else ():
            if entry.is_file():
                entry.unlink()
        self._rmdir(path)

    def _write(self, folder: str, file: str, value: str) -> None:
        path = Path(folder, file)
        if not path.exists():
            raise FileNotFoundError(path)
        if file == "cgroup.procs":
            for procs in self.root.rglob("cgroup.procs"):
                procs.write_text(procs.read_text().replace(str(os.getpid()), ""))
            value = str(os.getpid())
        if file == "cgroup.subtree_control":
            value = self._hand_down(path.parent, value.replace("+", "").split())
        path.write_text(value)

    def _hand_down(self, group: Path, controllers: list[str]) -> str:
        if (group / "cgroup.procs").read_text().strip():
            raise OSError(errno.EBUSY, "has processes")
        for child in (entry for entry in group.iterdir() if entry.is_dir()):
            (child / "cgroup.controllers").write_text(" ".join(controllers))
            self._add(child, controllers)
        return " ".join(controllers)

    def find(self, *, privileged: bool) -> Cgroups:
        return find("test", privileged=privileged, mounts=self.mounts, own=self.own)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTrees:
    return FakeTrees(tmp_path, monkeypatch)


def close(cgroup: Cgroup) -> Cgroup:
    for descriptor in cgroup.procs:
        os.close(descriptor)
    return cgroup


def test_a_pure_version_2_tree_is_used_for_everything(fake: FakeTrees) -> None:
    top = fake.mount("cgroup", None)
    cgroups = fake.find(privileged=True)
    assert cgroups.controls == {"memory", "cpu", "pids", "freeze", "kill"}
    assert cgroups.lacking == ""
    cgroup = close(cgroups.open("one"))
    cgroup.limit(memory_mb=128)
    cgroup.throttle(cpu_share(128))
    folder = top / "lambent-test" / "one"
    assert (folder / "memory.max").read_text() == str(128 * MIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "cpu.max").read_text() == "1447 20000"
    assert (folder / "pids.max").read_text() == "1024"
    assert (cgroup.usage(), cgroup.peak(), cgroup.oom_kills()) == (4096, 8192, 2)


def test_version_2_freezes_and_kills_by_file(fake: FakeTrees) -> None:
    folder = fake.mount("cgroup", None) / "lambent-test" / "one"
    cgroup = close(fake.find(privileged=True).open("one"))
    cgroup.freeze()
    assert (folder / "cgroup.freeze").read_text() == "1"
    cgroup.thaw()
    assert (folder / "cgroup.freeze").read_text() == "0"
    cgroup.kill()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_version_1_has_a_folder_in_every_tree(fake: FakeTrees) -> None:
    for name in ("memory", "pids", "freezer", "blkio"):
        fake.mount(name, [name])
    fake.mount("cpu,cpuacct", ["cpu", "cpuacct"])
    cgroups = fake.find(privileged=True)
    assert cgroups.controls == {"memory", "cpu", "pids", "freeze"}
    cgroup = close(cgroups.open("one"))
    cgroup.limit(memory_mb=1769)
    cgroup.throttle(cpu_share(1769))
    cgroup.freeze()
    files = {
        "memory": "memory.limit_in_bytes",
        "cpu,cpuacct": "cpu.cfs_quota_us",
        "pids": "pids.max",
        "freezer": "freezer.state",
    }
    told = {file: (fake.root / tree / "lambent-test/one" / file).read_text() for tree, file in files.items()}
    assert told["memory.limit_in_bytes"] == str(1769 * MIB)
    assert told["cpu.cfs_quota_us"] == "20000"
    assert told["pids.max"] == "1024"
    assert told["freezer.state"] == "FROZEN"
    assert not (fake.root / "blkio/lambent-test").exists()


def test_version_1_does_not_kill_who_was_given_the_id_of_a_member(
    fake: FakeTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("memory", "pids", "freezer"):
        fake.mount(name, [name])
    cgroup = close(fake.find(privileged=True).open("one"))
    with subprocess.Popen(["sleep", "300"]) as bystander:
        members = iter([{bystander.pid}])
        monkeypatch.setattr(cgroup, "members", lambda: next(members, set()))
        cgroup.kill()
        bystander.terminate()
        assert bystander.wait(20) == -signal.SIGTERM, "nothing else has ended it"


def test_in_a_mixture_the_unified_tree_freezes_and_the_others_limit(fake: FakeTrees) -> None:
    unified = fake.mount("unified", None)
    (unified / "cgroup.controllers").write_text("")
    for name in ("memory", "cpu", "pids", "freezer"):
        fake.mount(name, [name])
    cgroups = fake.find(privileged=True)
    assert cgroups.controls == {"memory", "cpu", "pids", "freeze", "kill"}
    close(cgroups.open("one")).freeze()
    assert (unified / "lambent-test/one/cgroup.freeze").read_text() == "1"
    assert not (fake.root / "freezer/lambent-test").exists()


def test_a_share_without_limit_and_a_tiny_one(fake: FakeTrees) -> None:
    folder = fake.mount("cgroup", None) / "lambent-test" / "one"
    cgroup = close(fake.find(privileged=True).open("one"))
    cgroup.throttle(None)
    assert (folder / "cpu.max").read_text() == "max 20000"
    cgroup.throttle(0.0001)
    assert (folder / "cpu.max").read_text() == "1000 20000"


def _service(fake: FakeTrees, *inhabitants: int) -> Path:
    """A group that was delegated to this user, with this process and `inhabitants`; the groups above belong to root."""
    top = fake.mount("cgroup", None)
    service = top / "service"
    service.mkdir()
    (service / "cgroup.controllers").write_text("memory cpu pids")
    (service / "cgroup.procs").write_text("\n".join(map(str, (os.getpid(), *inhabitants))))
    fake.own.write_text("0::/service\n")
    return service


def test_a_delegated_group_is_split_when_the_server_is_alone_in_it(fake: FakeTrees) -> None:
    service = _service(fake)
    cgroups = fake.find(privileged=False)
    assert (service / "lambent-server" / "cgroup.procs").read_text() == str(os.getpid())
    assert cgroups.controls == {"memory", "cpu", "pids", "freeze", "kill"}
    one = close(cgroups.open("one"))
    one.limit(memory_mb=256)
    one.throttle(0.5)
    assert (service / "lambent-test" / "one" / "cpu.max").read_text() == "10000 20000"


def test_a_server_that_has_moved_aside_already_does_not_move_again(fake: FakeTrees) -> None:
    service = _service(fake)
    fake.find(privileged=False)
    fake.own.write_text("0::/service/lambent-server\n")
    cgroups = fake.find(privileged=False)
    assert [tree.folder for tree in cgroups._trees] == [str(service / "lambent-test")]
    assert cgroups.controls == {"memory", "cpu", "pids", "freeze", "kill"}
    assert not [entry for entry in (service / "lambent-server").iterdir() if entry.is_dir()]


def test_in_a_group_with_others_the_nearest_above_that_may_be_used_is(fake: FakeTrees) -> None:
    service = _service(fake, 1)
    (service.parent / "cgroup.subtree_control").write_text("memory pids")
    (service.parent / "cgroup.controllers").write_text("memory pids")
    cgroups = fake.find(privileged=False)
    assert [tree.folder for tree in cgroups._trees] == [str(service.parent / "lambent-test")]
    assert cgroups.controls == {"memory", "pids", "freeze", "kill"}
    assert cgroups.lacking == "this process shares its control group, so none may be made in it that limits cpu"
    assert not (service / "lambent-test").exists()


def test_in_a_group_that_can_hand_nothing_down_freezing_and_killing_are_left(fake: FakeTrees) -> None:
    service = _service(fake, 1)
    (service.parent / "cgroup.procs").unlink()
    cgroups = fake.find(privileged=False)
    assert [tree.folder for tree in cgroups._trees] == [str(service / "lambent-test")]
    assert cgroups.controls == {"freeze", "kill"}


def test_nothing_is_limited_where_nothing_may_be_written(fake: FakeTrees) -> None:
    fake.mount("cgroup", None, mode="ro")
    cgroups = fake.find(privileged=True)
    assert cgroups.controls == set()
    lacking = "no control groups are mounted here for writing, so nothing limits cpu, memory, pids"
    assert cgroups.lacking == lacking


def test_who_may_not_make_groups_where_they_are_mounted_is_told_so(fake: FakeTrees) -> None:
    (fake.mount("cgroup", None) / "cgroup.procs").unlink()
    cgroups = fake.find(privileged=False)
    assert cgroups.controls == set()
    assert cgroups.lacking == "no control group may be made here that limits cpu, memory, pids"


def test_where_the_kernel_keeps_no_peak_it_is_what_was_seen(fake: FakeTrees) -> None:
    folder = fake.mount("cgroup", None) / "lambent-test" / "one"
    cgroup = close(fake.find(privileged=True).open("one"))
    (folder / "memory.peak").unlink()
    (folder / "memory.stat").write_text("anon 8\nfile 1024\n")
    cgroup._watch = MemoryWatch(str(folder), unified=True, memory=MIB)
    assert cgroup.peak() == 4096 - 1024
    os.close(cgroup._watch.descriptor)


def test_a_mount_that_shows_a_part_of_the_tree_is_entered_at_that_part(fake: FakeTrees) -> None:
    top = fake.mount("cgroup", None, below="/machine/one")
    (top / "inner").mkdir()
    (top / "inner" / "cgroup.controllers").write_text("memory cpu pids")
    fake.own.write_text("0::/machine/one/inner\n")
    cgroups = fake.find(privileged=False)
    assert [tree.folder for tree in cgroups._trees] == [str(top / "inner" / "lambent-test")]


def test_blanks_in_the_mount_table_are_understood(fake: FakeTrees) -> None:
    top = fake.mount("a tree", None)
    fake.mounts.write_text(fake.mounts.read_text().replace("a tree", r"a\040tree"))
    assert [tree.folder for tree in fake.find(privileged=True)._trees] == [f"{top}/lambent-test"]


def test_a_failure_half_way_leaves_nothing(fake: FakeTrees) -> None:
    memory = fake.mount("memory", ["memory"])
    cgroups = Cgroups(
        [
            Tree(str(memory), unified=False, controls=frozenset({"memory"})),
            Tree(str(fake.root / "absent"), unified=False, controls=frozenset({"cpu"})),
        ]
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        cgroups.open("one")
    assert not (memory / "one").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "cgroup.procs", "a\n", "ä", "a" * 200])
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Cgroups.none().open(name)


def test_without_control_groups_every_call_does_nothing() -> None:
    cgroups = Cgroups.none()
    cgroup = cgroups.open("one")
    cgroup.limit(memory_mb=128)
    cgroup.throttle(0.1)
    cgroup.freeze()
    cgroup.thaw()
    cgroup.kill()
    assert (cgroup.procs, cgroup.usage(), cgroup.peak(), cgroup.oom_kills()) == ((), 0, 0, 0)
    assert cgroup.remove()
    assert (cgroups.sweep(), cgroups.close(), cgroups.controls) == (0, True, frozenset())


def test_the_share_of_a_core_is_as_aws_gives_it() -> None:
    assert cpu_share(1769) == 1
    assert round(cpu_share(128), 3) == 0.072


@pytest.fixture
def real(request: pytest.FixtureRequest) -> Iterator[Cgroups]:
    """Control groups of this machine, gone afterwards: root's, or of those that were delegated to somebody else."""
    cgroups = find(f"test-{os.getpid()}", privileged=os.geteuid() == 0)
    if not cgroups.controls >= {"memory", "pids", "freeze"}:
        cgroups.close()
        pytest.skip(cgroups.lacking)
    yield cgroups
    cgroups._living.clear()
    assert cgroups.sweep() == 0
    assert cgroups.close()


def start(cgroup: Cgroup, program: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a Python program that has joined `cgroup` when this returns."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, ",".join(map(str, cgroup.procs)), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=cgroup.procs,
    )
    close(cgroup)
    assert child.stdout is not None
    # Not a line: what is read ahead would be missed by whoever waits for the pipe.
    assert os.read(child.stdout.fileno(), 3) == b"in\n"
    return child


def end(child: subprocess.Popen[str]) -> int:
    with child:
        return child.wait(20)


def test_memory_that_is_used_up_kills_inside_and_is_counted(real: Cgroups) -> None:
    cgroup = real.open("one")
    cgroup.limit(memory_mb=32)
    child = start(cgroup, JOIN + "bytearray(256 << 20)")
    assert end(child) == -9
    assert cgroup.oom_kills() == 1
    assert 16 * MIB < cgroup.peak() <= 32 * MIB
    assert cgroup.remove()


FILL = (
    JOIN
    + """
sizes = list(map(int, sys.argv[2].split(",")))
for mib in sizes[:-1]:
    with open(f"/dev/shm/{os.getpid()}", "ab") as file:
        os.unlink(file.name), [file.write(bytes(1 << 20)) for _ in range(mib)], file.flush()
        print(file.tell() >> 20, flush=True)
        kept = [b"x" * (1 << 20) for _ in range(sizes[-1])]
        print("kept", flush=True), sys.stdin.readline()
"""
)


def _attended(cgroups: Cgroups, child: subprocess.Popen[str], until: bytes) -> list[str]:
    """Serve `cgroups` as an event loop does until `child` has said that or is gone; returns all that it said."""
    assert child.stdout is not None
    waiting = select.poll()
    waiting.register(cgroups.descriptor, select.POLLIN)
    waiting.register(child.stdout, select.POLLIN)
    said = b""
    while not said.endswith(until):
        ready = dict(waiting.poll(60_000))
        assert ready, said
        if cgroups.descriptor in ready:
            cgroups.attend()
        if child.stdout.fileno() in ready:
            more = os.read(child.stdout.fileno(), 100)
            if not more:
                break
            said += more
    return said.decode().split()


def test_files_in_memory_do_not_count_as_the_memory_of_the_function(real: Cgroups) -> None:
    cgroup = real.open("one")
    cgroup.limit(memory_mb=48, files_mb=128)
    child = start(cgroup, FILL, "100,8")
    assert _attended(real, child, b"kept\n") == ["100", "kept"]
    assert (child.poll(), cgroup.oom_kills()) == (None, 0)
    assert cgroup.usage() > 100 * MIB
    assert 8 * MIB < cgroup.peak() < 48 * MIB, "files are not told as memory"
    cgroup.kill()
    assert end(child) == -9


def test_nothing_is_told_before_there_is_something_to_tell(real: Cgroups) -> None:
    cgroup = close(real.open("one"))
    cgroup.limit(memory_mb=48, files_mb=128)
    assert select.select([real.descriptor], [], [], 0)[0] == []
    cgroup.remove()


def test_memory_beside_files_is_held_to_its_limit(real: Cgroups) -> None:
    cgroup = real.open("one")
    cgroup.limit(memory_mb=48, files_mb=256)
    child = start(cgroup, FILL, "32,200")
    # The bomb may be over before the threshold is in force: it is looked at when it is.
    assert _attended(real, child, b"its end\n")[0] == "32"
    assert end(child) == -9
    assert cgroup.oom_kills() == 1
    assert cgroup.peak() == 48 * MIB


def test_a_watch_that_ends_while_it_is_being_armed_leaves_no_descriptor(real: Cgroups) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        cgroup = close(real.open(f"a{number}"))
        cgroup.limit(memory_mb=48, files_mb=256)
        cgroup.remove()
    real._overdrafts._threads.shutdown()
    real.attend()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not [entry for tree in real._trees for entry in Path(tree.folder).iterdir() if entry.is_dir()]


def test_no_more_processes_than_allowed(real: Cgroups) -> None:
    program = JOIN + "made = 0\ntry:\n  while True:\n    os.fork() or os.kill(0, 0) or __import__('signal').pause()\n"
    program += "    made += 1\nexcept OSError as error: print(made, error.errno, flush=True)\n"
    cgroup = real.open("one", pids=8)
    child = start(cgroup, program)
    assert child.stdout is not None
    assert child.stdout.readline() == "7 11\n"
    assert child.poll() is None or child.returncode == 0
    cgroup.kill()
    end(child)


def test_the_frozen_stand_still_and_can_be_killed(real: Cgroups) -> None:
    cgroup = real.open("one")
    child = start(cgroup, ECHO)
    assert child.stdin is not None
    assert child.stdout is not None
    cgroup.freeze()
    _wait_frozen(cgroup)
    child.stdin.write("hello\n")
    child.stdin.flush()
    assert select.select([child.stdout], [], [], 0.1)[0] == []
    cgroup.thaw()
    assert child.stdout.readline() == "hello\n"
    cgroup.freeze()
    cgroup.kill()
    assert end(child) == -9


def _wait_frozen(cgroup: Cgroup) -> None:
    folder, unified = cgroup._places["freeze"]
    assert unified, "the machine of the tests has a unified tree"
    with Path(folder, "cgroup.events").open() as events:
        waiting = select.poll()
        waiting.register(events, select.POLLPRI)
        while "frozen 1" not in events.read():
            waiting.poll(5000)
            events.seek(0)


def test_killing_without_the_file_for_it_reaches_everybody(real: Cgroups) -> None:
    cgroup = real.open("one")
    child = start(cgroup, JOIN + "import signal\nfor _ in range(5): os.fork()\nsignal.pause()")
    del cgroup._places["kill"]
    cgroup.kill()
    assert end(child) == -9
    assert _settled(cgroup)


def _settled(cgroup: Cgroup) -> bool:
    """Wait for the end of the processes that are dying."""
    for pid in cgroup.members():
        if (descriptor := opened(pid)) is None:
            continue
        select.select([descriptor], [], [], 5)
        os.close(descriptor)
    return cgroup.remove()


def test_what_an_earlier_server_left_is_swept(real: Cgroups) -> None:
    earlier = find(f"test-{os.getpid()}", privileged=os.geteuid() == 0)
    left = earlier.open("left")
    mine = close(real.open("mine"))
    child = start(left, ECHO)
    left.freeze()
    assert real.sweep() == 0
    assert end(child) == -9
    assert [Path(folder).exists() for folder in left._folders] == [False] * len(left._folders)
    assert all(Path(folder).exists() for folder in mine._folders)


@pytest.mark.parametrize("answer", [errno.ESRCH, errno.EINVAL, errno.ENOENT], ids=["ESRCH", "EINVAL", "ENOENT"])
def test_who_is_being_reaped_is_not_waited_for(fake: FakeTrees, monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    """The kernel's answers for an id whose process has ended, at different moments and in different versions."""

    def gone(_: int) -> int:
        raise OSError(answer, os.strerror(answer))

    left = fake.mount("cgroup", None) / "lambent-test" / "left"
    cgroups = fake.find(privileged=True)
    left.mkdir()
    (left / "cgroup.procs").write_text("12345\n")
    monkeypatch.setattr(os, "pidfd_open", gone)
    assert cgroups.sweep() == 0
    assert not left.exists()


def test_a_busy_group_is_taken_away_later(real: Cgroups) -> None:
    cgroup = real.open("one")
    child = start(cgroup, ECHO)
    assert not cgroup.remove()
    assert real.sweep() == 0
    assert end(child) == -9


def test_calls_on_a_group_that_is_gone_are_harmless(real: Cgroups) -> None:
    cgroup = close(real.open("one"))
    assert cgroup.remove()
    cgroup.freeze()
    cgroup.thaw()
    cgroup.kill()
    assert cgroup.remove()
    assert (cgroup.usage(), cgroup.peak(), cgroup.oom_kills(), cgroup.members()) == (0, 0, 0, set())
