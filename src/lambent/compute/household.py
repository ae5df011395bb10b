"""Who moves into a cell: a function version's code, programs and variables, put together for one environment."""

from __future__ import annotations

import hmac
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lambent.compute import variables
from lambent.compute.occupancy import Household
from lambent.compute.runtime_api.api import About
from lambent.compute.sandbox.api import Paths, Program, Tenancy
from lambent.kernel import limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from lambent.compute.function import FunctionVersion
    from lambent.compute.occupancy import Closable
    from lambent.compute.pooled import Kind
    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Cell, Volume
    from lambent.kernel.authority import SessionCredentials

FRAMES = 4
"""The descriptor of the first guest for framed log messages."""

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_NO_SUCH = "no such file or directory"
_SHEBANG_BYTES = 256
"""As many as the kernel reads."""

_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


class Furniture(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every cell that an environment has in its life."""

    function: FunctionVersion
    runtime: Runtime
    task: Path
    """The unpacked package on the host."""
    opt: Path | None
    """The unpacked layers on the host, laid over one another."""
    volumes: tuple[Volume, ...]
    """The file systems."""
    extensions: tuple[str, ...]
    """The names of the external extensions that they bring."""
    obstacle: tuple[str, str] | None
    """As `Household.obstacle`."""
    credentials: SessionCredentials
    issue: Callable[[], SessionCredentials]
    """Further credentials of the execution role."""
    credentials_token: str
    """What AWS_CONTAINER_AUTHORIZATION_TOKEN says."""
    kind: Kind
    log_stream: str
    metadata_token: str
    endpoint: str
    """The server's own URL, for cells that do not have one of their own."""
    serve: Callable[[socket.socket], Closable]

    def credentials_for(self, token: str) -> bytes | None:
        """As `runtime_api.Host.credentials`."""
        if not hmac.compare_digest(token.encode(), self.credentials_token.encode()):
            return None
        given = self.issue()
        expiration = datetime.fromtimestamp(given.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return msgspec.json.encode(
            _ContainerCredentials(given.access_key_id, given.secret_access_key, given.session_token, expiration)
        )


def household(furniture: Furniture, cell: Cell) -> Household:
    """Who moves into `cell`."""
    function = furniture.function
    wrapped = _WRAPPER in function.variables
    place = variables.Place(
        paths=cell.paths,
        kind=furniture.kind,
        runtime_api=cell.runtime_api_address,
        endpoint=furniture.endpoint if cell.endpoint is None else limits.CELL_ENDPOINT,
        log_stream=furniture.log_stream,
        metadata_token=furniture.metadata_token,
        frames=FRAMES if wrapped or furniture.runtime.custom else None,
    )
    values = variables.of_function(function, furniture.runtime, place, _access(furniture, cell))
    return Household(
        tenancy=Tenancy(
            name=f"{function.name}:{function.version}",
            task=furniture.task,
            layers=() if furniture.opt is None else (furniture.opt,),
            memory_mb=function.memory_mb,
            ephemeral_mb=function.ephemeral_mb,
            volumes=furniture.volumes,
        ),
        about=About(
            account=function.account,
            name=function.name,
            version=function.version,
            handler=function.handler,
            zone=f"{function.region}-az1",
            metadata_token=furniture.metadata_token,
            snap_start=furniture.kind == "snap-start",
            concurrent=function.managed is not None,
        ),
        runtime=Program(command=_command(furniture, cell), variables=values),
        extensions=furniture.extensions,
        obstacle=furniture.obstacle,
        extension_variables=variables.of_extensions(values) if furniture.extensions else {},
        serve=furniture.serve,
    )


def _access(furniture: Furniture, cell: Cell) -> dict[str, str]:
    if furniture.kind == "snap-start":
        return variables.container(cell.runtime_api_address, furniture.credentials_token)
    return variables.keys(furniture.credentials)


def _command(furniture: Furniture, cell: Cell) -> tuple[str, ...]:
    """What the first guest runs; nothing where it is the runtime's own client.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
    """
    runtime, paths = furniture.runtime, cell.paths
    if runtime.custom:
        return (_bootstrap(furniture, cell),)
    wrapper = furniture.function.variables.get(_WRAPPER)
    if wrapper is None:
        return ()
    interpreter = f"{paths.programs}/{Path(runtime.interpreter).name}"
    return _within(paths, wrapper), interpreter, "-S", "-B", "-u", f"{paths.runtime}/bootstrap.pyc"


def _within(paths: Paths, program: str) -> str:
    """Where guests find what a function names as AWS has it, at levels that have it elsewhere."""
    shown = Paths()
    for named, real in ((shown.task, paths.task), (shown.opt, paths.opt)):
        if program.startswith(f"{named}/"):
            return real + program.removeprefix(named)
    return program


def _bootstrap(furniture: Furniture, cell: Cell) -> str:
    """The custom runtime's program. Raises NoEntrypoint where the function has none.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
    """
    shown = Paths()  # wherever it stands here
    for root, within, named in (
        (furniture.task, cell.paths.task, shown.task),
        (furniture.opt, cell.paths.opt, shown.opt),
    ):
        if root is not None and (root / "bootstrap").is_file():
            if problem := _problem(furniture, root / "bootstrap"):
                raise NoEntrypoint(f"fork/exec {named}/bootstrap: {problem}")
            return f"{within}/bootstrap"
    raise NoEntrypoint(f"Couldn't find valid bootstrap(s): [{shown.task}/bootstrap {shown.opt}/bootstrap]")


def _problem(furniture: Furniture, bootstrap: Path) -> str | None:
    """Why the system would not run `bootstrap`, in its own words; None where it would."""
    if not bootstrap.stat().st_mode & _EXECUTABLE:
        return "permission denied"
    with bootstrap.open("rb") as program:
        line, _, _ = program.read(_SHEBANG_BYTES).partition(b"\n")
    if line.startswith(b"\x7fELF"):
        return None
    interpreter = line.removeprefix(b"#!").split()[:1] if line.startswith(b"#!") else []
    if not interpreter:
        return "exec format error"
    return None if _on_host(furniture, interpreter[0].decode("utf-8", "surrogateescape")).exists() else _NO_SUCH


def _on_host(furniture: Furniture, program: str) -> Path:
    """Where a program is that guests find at that path: what is not the function's is the host's in every cell."""
    shown = Paths()
    for named, real in ((shown.task, furniture.task), (shown.opt, furniture.opt)):
        if real is not None and program.startswith(f"{named}/"):
            return real / program.removeprefix(f"{named}/")
    return Path(program)


class NoEntrypoint(Exception):
    """A custom runtime has nothing to run: Runtime.InvalidEntrypoint, in AWS's words."""


class _ContainerCredentials(msgspec.Struct, frozen=True, rename="pascal"):
    """What the container credentials provider of SDKs expects.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """

    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str
