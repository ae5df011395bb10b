"""Which runtimes this machine can run: the interpreter that a function asks for, found and proven, or why not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lambent.compute import folders, packages
from lambent.kernel import limits
from lambent.kernel.clock import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor

log = logging.getLogger(__name__)

_PYTHON = re.compile(r"python3\.(\d+)")
_PYTHONS = range(9, 15)
_HOMELESS = Path("/nonexistent")
_CUSTOM = {"provided.al2": "al2", "provided.al2023": "al2023"}
_CLIENT = (
    "bootstrap.py",
    "descriptors.py",
    "failures.py",
    "kinds.py",
    "logs.py",
    "obstacles.py",
    "snapshots.py",
    "sockets.py",
    "values.py",
    "workers.py",
)


class Runtime(msgspec.Struct, frozen=True, cache_hash=True):
    """A runtime that runs here. A custom runtime has neither interpreter nor client: the function brings both."""

    name: str
    version: str
    """The interpreter's full version; of a custom runtime, its system's name."""
    prefix: Path | None = None
    """The installation of the interpreter on the host."""
    interpreter: str = ""
    """The interpreter within `prefix`: `bin/python3.13`."""
    client: Path | None = None
    """The folder with the runtime client on the host, compiled for the interpreter."""
    packages: tuple[Path, ...] = ()
    """Files and folders of the host that the runtime brings along, the AWS SDK: found by their own names."""

    @property
    def custom(self) -> bool:
        """Whether the function brings the program that asks for events."""
        return self.client is None

    @property
    def program(self) -> Path | None:
        """The interpreter on the host."""
        return None if self.prefix is None else self.prefix / self.interpreter

    @property
    def identifier(self) -> str:
        """As INIT_START names it: `python:3.13.v5`, `provided:al2023.v1`."""
        if self.custom:
            return f"provided:{self.version}.v1"
        language, _, patch = self.version.rpartition(".")
        return f"python:{language}.v{patch}"


class _Answer(msgspec.Struct, frozen=True):
    version: str
    implementation: str
    prefix: str
    executable: str


class Runtimes:
    """Finds interpreters and remembers what it has proven, by path and modification time. `folder` is its own."""

    def __init__(self, folder: Path, clock: Clock, supervisor: Supervisor, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._clock = clock
        self._supervisor = supervisor
        self._variables = variables
        self._proven: dict[tuple[Path, int], Runtime | None] = {}
        self._chosen: dict[str, tuple[Path, int]] = {}
        self._lock = asyncio.Lock()
        self._proofs: set[asyncio.Future[Runtime | None]] = set()
        folders.remove(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def refusal(self, runtime: str) -> str | None:
        """Why a function of this runtime cannot run here; None where it can."""
        if runtime in _CUSTOM:
            return None
        match = _PYTHON.fullmatch(runtime)
        if match is None or int(match[1]) not in _PYTHONS:
            built = "python3.9 to python3.14, provided.al2 and provided.al2023"
            return f"Runtime {runtime} is not built in Lambent yet; {built} are."
        if await self.find(runtime) is None:
            return _missing(runtime.removeprefix("python"))
        return None

    async def find(self, runtime: str) -> Runtime | None:
        """The runtime of that name, or None where no interpreter of exactly that version works."""
        if runtime in _CUSTOM:
            return Runtime(runtime, _CUSTOM[runtime])
        chosen = self._chosen.get(runtime)
        if chosen is not None and _modified(chosen[0]) == chosen[1]:
            return self._proven[chosen]
        async with self._lock:
            for key in self._candidates(runtime):
                if key not in self._proven:
                    self._proven[key] = await self._proof(runtime, key[0])
                if self._proven[key] is not None:
                    self._chosen[runtime] = key
                    return self._proven[key]
        return None

    def _candidates(self, runtime: str) -> Iterator[tuple[Path, int]]:
        """Interpreters that carry the name, best first, each once."""
        seen: set[Path] = set()
        for path in _places(runtime.removeprefix("python"), self._variables):
            with contextlib.suppress(OSError):
                real = path.resolve(strict=True)
                if real not in seen and len(seen) < limits.INTERPRETERS_TRIED:
                    seen.add(real)
                    yield real, real.stat().st_mtime_ns

    async def close(self) -> None:
        """Wait for the interpreters that are being proven, INTERPRETER_CHECK_S at most."""
        while self._proofs:
            await asyncio.wait(self._proofs)

    async def _proof(self, runtime: str, path: Path) -> Runtime | None:
        """Prove to the end, also without its caller: asyncio cannot be stopped cleanly while it starts a process."""
        proof = self._supervisor.start(f"prove {path}", self._prove(runtime, path))
        self._proofs.add(proof)
        proof.add_done_callback(self._proofs.discard)
        return await asyncio.shield(proof)

    async def _prove(self, runtime: str, path: Path) -> Runtime | None:
        """Run the interpreter once: it says what it is, and compiles the runtime client."""
        version = runtime.removeprefix("python")
        home = Path(tempfile.mkdtemp(dir=self._folder))
        client = home / "client"
        client.mkdir()
        answer = await self._ask(path, version, client)
        if answer is None or answer.implementation != "cpython" or not answer.version.startswith(f"{version}."):
            return None
        prefix, program = Path(answer.prefix), Path(answer.executable)
        if not program.is_relative_to(prefix):
            log.warning("%s does not lie in its own installation %s", program, prefix)
            return None
        return Runtime(
            name=runtime,
            version=answer.version,
            prefix=prefix,
            interpreter=str(program.relative_to(prefix)),
            client=client,
            packages=await asyncio.to_thread(packages.offered, version),
        )

    async def _ask(self, path: Path, version: str, folder: Path) -> _Answer | None:
        with as_file(files("lambent.compute.bootstraps") / "python") as sources:
            arguments = [version, str(folder), *(str(sources / name) for name in _CLIENT)]
            try:
                process = await asyncio.create_subprocess_exec(
                    path,
                    "-I",
                    "-S",
                    "-B",
                    sources / "prepare.py",
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env={},
                    start_new_session=True,
                )
            except OSError as error:
                log.warning("%s does not start: %s", path, error)
                return None
            try:
                async with deadline(self._clock, limits.INTERPRETER_CHECK_S):
                    out, problem = await process.communicate()
            except TimeoutError:
                log.warning("%s hangs: it did not answer in %d s", path, limits.INTERPRETER_CHECK_S)
                return None
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)  # a script may wait for the interpreter that it started
                    await process.wait()
        try:
            return msgspec.json.decode(out, type=_Answer)
        except msgspec.DecodeError:
            log.warning("%s is no working interpreter: %s", path, problem.decode(errors="replace").strip())
            return None


def _places(version: str, variables: Mapping[str, str]) -> Iterator[Path]:
    """Where an interpreter of `version` (`3.13`) may be."""
    name = f"python{version}"
    home = _home(variables)
    for folder in variables.get("PATH", "").split(":"):
        # A shim is no interpreter: it is a script that picks one by the folder it is called in.
        if folder.startswith("/") and Path(folder).name != "shims":
            yield Path(folder) / name
    managed = (
        (Path(variables.get("PYENV_ROOT") or home / ".pyenv") / "versions", f"{version}.*"),
        (Path(variables.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"), f"cpython-{version}.*"),
        (Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs/python", f"{version}.*"),
    )
    for versions, pattern in managed:
        with contextlib.suppress(PermissionError):  # another user's
            for installed in sorted(versions.glob(pattern), key=_patch, reverse=True):
                yield installed / "bin" / name
    for folder in ("/usr/local/bin", "/usr/bin"):
        yield Path(folder) / name


def _home(variables: Mapping[str, str]) -> Path:
    """The folder of the server's user; one that is not there for who has none, as in a container."""
    try:
        return Path(variables.get("HOME") or Path.home())
    except RuntimeError:
        return _HOMELESS


def _patch(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.name)[:3])


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _missing(version: str) -> str:
    return (
        f"No Python {version} was found on this machine. Install one, for example with `uv python install {version}`, "
        f"`pyenv install {version}` or `apt-get install python{version}`, and try again."
    )
