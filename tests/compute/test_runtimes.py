"""Finding interpreters: the exact version or a refusal that helps, in all the places where they are installed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambent.compute.runtimes import Runtimes
from lambent.kernel import limits
from lambent.kernel.clock import SystemClock, VirtualClock
from lambent.kernel.tasks import Supervisor
from tests.compute.test_failures import gone
from tests.compute.workshop import RUNTIME, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.kernel.clock import Clock, Timer

VERSION = RUNTIME.removeprefix("python")
ANSWER = '{"version": "3.14.0", "implementation": "cpython", "prefix": "/opt", "executable": "/opt/bin/py"}'
REAL = Path(f"{sys.base_prefix}/bin/{RUNTIME}").resolve()


def runtimes(tmp_path: Path, variables: Mapping[str, str], clock: Clock | None = None) -> Runtimes:
    clock = clock or SystemClock()
    found_by = {"HOME": str(tmp_path / "home"), **variables}
    return Runtimes(tmp_path / "runtimes", clock, Supervisor(clock), found_by)


def install(place: Path, target: Path = REAL) -> None:
    place.mkdir(parents=True)
    (place / f"python{VERSION}").symlink_to(target)


def homeless() -> Path:
    """What Python says of a user that is in no list of users."""
    raise RuntimeError("Could not determine home directory.")


def script(place: Path, text: str, name: str = f"python{VERSION}") -> Path:
    place.mkdir(parents=True)
    file = place / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def hanging(tmp_path: Path) -> str:
    """The text of a script that hangs with a child that keeps its output open; `hanging_now` waits for it."""
    os.mkfifo(tmp_path / "hanging")
    return f"/bin/sleep 300 &\necho $! $$ > {tmp_path}/hanging\nwait"


async def hanging_now(tmp_path: Path) -> list[int]:
    return [int(pid) for pid in (await asyncio.to_thread((tmp_path / "hanging").read_text)).split()]


class Patience(VirtualClock):
    """Runs out once the interpreter that is proven is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._awaited = asyncio.Event()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        self._awaited.set()
        return super().call_later(delay, callback)

    async def run_out(self) -> None:
        await self._awaited.wait()
        await self.advance(limits.INTERPRETER_CHECK_S)


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("PATH", "bin"),
        ("PYENV_ROOT", f"versions/{VERSION}.1/bin"),
        ("UV_PYTHON_INSTALL_DIR", f"cpython-{VERSION}.9-linux-x86_64-gnu/bin"),
        ("ASDF_DATA_DIR", f"installs/python/{VERSION}.4/bin"),
    ],
)
async def test_interpreters_are_found_where_tools_install_them(tmp_path: Path, variable: str, place: str) -> None:
    install(tmp_path / "tool" / place)
    variables = {variable: str(tmp_path / "tool" / ("bin" if variable == "PATH" else ""))}
    found = await runtimes(tmp_path, variables).find(RUNTIME)
    assert found is not None
    assert found.program == REAL
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.identifier == f"python:{VERSION}.v{sys.version_info[2]}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_user_without_a_home_has_the_interpreters_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", homeless)
    install(tmp_path / "bin")
    found = await runtimes(tmp_path, {"HOME": "", "PATH": str(tmp_path / "bin")}).find(RUNTIME)
    assert found is not None
    assert found.program == REAL


async def test_a_folder_of_another_user_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyenv" / "versions").mkdir(parents=True, mode=0)
    install(tmp_path / "bin")
    variables = {"PYENV_ROOT": str(tmp_path / "pyenv"), "ASDF_DATA_DIR": "/root/.asdf", "PATH": str(tmp_path / "bin")}
    assert await runtimes(tmp_path, variables).find(RUNTIME) is not None


async def test_an_impostor_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "a", "echo hello")
    script(tmp_path / "b", 'echo \'{"version": "3.7.1", "implementation": "cpython"}\'')
    script(tmp_path / "c", f'echo \'{{"version": "{VERSION}.1", "implementation": "pypy"}}\'')
    install(tmp_path / "d")
    path = ":".join(str(tmp_path / name) for name in "abcd")
    found = await runtimes(tmp_path, {"PATH": path}).find(RUNTIME)
    assert found is not None
    assert found.program == REAL


async def test_an_interpreter_that_hangs_is_passed_over_and_ended_with_what_it_has_started(tmp_path: Path) -> None:
    clock = Patience()
    script(tmp_path / "a", hanging(tmp_path))
    install(tmp_path / "b")
    finding = asyncio.ensure_future(runtimes(tmp_path, {"PATH": f"{tmp_path}/a:{tmp_path}/b"}, clock).find(RUNTIME))
    hung = await hanging_now(tmp_path)
    await clock.run_out()
    found = await finding
    assert found is not None
    assert found.program == REAL
    for pid in hung:
        await gone(pid)


async def test_an_interpreter_that_hung_is_refused_until_it_changes(tmp_path: Path) -> None:
    clock = Patience()
    finder = runtimes(tmp_path, {"PATH": str(tmp_path / "bin")}, clock)
    if await finder.find("python3.14") is not None:
        pytest.skip("Python 3.14 is installed for everybody")
    works = f"echo '{ANSWER}'"
    file = script(tmp_path / "bin", f"[ -e {tmp_path}/mended ] && {works} && exit\n{hanging(tmp_path)}", "python3.14")
    asking = asyncio.ensure_future(finder.refusal("python3.14"))
    await hanging_now(tmp_path)
    await clock.run_out()
    assert "Python 3.14" in str(await asking)
    assert "Python 3.14" in str(await finder.refusal("python3.14"))
    (tmp_path / "mended").touch()
    os.utime(file, (1, 1))
    assert await finder.refusal("python3.14") is None


async def test_a_caller_that_goes_away_leaves_an_interpreter_that_can_be_proven(tmp_path: Path) -> None:
    script(tmp_path / "a", f'[ -e {tmp_path}/mended ] && exec {REAL} "$@"\n{hanging(tmp_path)}')
    clock = Patience()
    finder = runtimes(tmp_path, {"PATH": str(tmp_path / "a")}, clock)
    finding = asyncio.ensure_future(finder.find(RUNTIME))
    hung = await hanging_now(tmp_path)
    finding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finding
    (tmp_path / "mended").touch()
    found = await finder.find(RUNTIME)
    assert found is not None
    assert found.program == REAL
    await clock.run_out()
    for pid in hung:
        await gone(pid)
    await finder.close()


async def test_an_interpreter_that_is_proven_is_not_run_again_until_it_changes(tmp_path: Path) -> None:
    counted = tmp_path / "runs"
    script(tmp_path / "bin", f'echo run >> {counted}\nexec {REAL} "$@"')
    finder = runtimes(tmp_path, {"PATH": str(tmp_path / "bin")})
    for _ in range(3):
        assert await finder.find(RUNTIME) is not None
    assert counted.read_text() == "run\n"
    os.utime(tmp_path / "bin" / f"python{VERSION}", (1, 1))
    assert await finder.find(RUNTIME) is not None
    assert counted.read_text() == "run\nrun\n"


async def test_a_missing_version_is_refused_with_what_to_install_and_found_once_it_is_there(tmp_path: Path) -> None:
    finder = runtimes(tmp_path, {"PATH": str(tmp_path / "bin")})
    if await finder.find("python3.14") is not None:
        pytest.skip("Python 3.14 is installed for everybody")
    refusal = await finder.refusal("python3.14")
    assert refusal is not None
    for words in ("Python 3.14", "uv python install 3.14", "pyenv install 3.14", "apt-get install python3.14"):
        assert words in refusal
    script_of = tmp_path / "bin"
    script_of.mkdir()
    file = script_of / "python3.14"
    file.write_text(f"#!/bin/sh\necho '{ANSWER}'\n")
    file.chmod(0o755)
    assert await finder.refusal("python3.14") is None


@pytest.mark.parametrize("runtime", ["nodejs22.x", "java21", "provided", "dotnet8", "ruby3.4", "python3.8", "go"])
async def test_runtimes_that_are_not_built_are_refused_by_name(shop: Workshop, runtime: str) -> None:
    refusal = await shop.engine.refusal(runtime)
    assert refusal is not None
    assert runtime in refusal
