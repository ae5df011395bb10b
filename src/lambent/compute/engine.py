"""The invocation engine: runs function versions in environments. Everything else about Lambda is somebody else's."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lambent.compute import packages
from lambent.compute.admission import Admission
from lambent.compute.boot import Plan
from lambent.compute.code import CodeFolder
from lambent.compute.environment import Environment
from lambent.compute.extensions.discovery import discover, obstacle
from lambent.compute.file_systems import FOLDER, FileSystems
from lambent.compute.fleet import Fleet
from lambent.compute.foresight import Foresight
from lambent.compute.freezer import Freezer
from lambent.compute.function import runtime_version_arn
from lambent.compute.household import Furniture, household
from lambent.compute.journal import Journal
from lambent.compute.loglines import Subject
from lambent.compute.managed import ManagedEnvironment
from lambent.compute.pool import Pool
from lambent.compute.pressure import MemoryPressure
from lambent.compute.runtimes import Runtimes
from lambent.compute.sandbox.api import Image
from lambent.compute.scale import starts_at_once
from lambent.compute.snapshots import Prepared, Snapshots
from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.kernel.facts import LogStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from lambent.compute.boot import Origin
    from lambent.compute.code import Blobs
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.group import Allocation
    from lambent.compute.managed import Owner as ManagedOwner
    from lambent.compute.occupancy import Closable
    from lambent.compute.pooled import Kind, Owner
    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Cell, Sandbox
    from lambent.compute.squad import Bounds
    from lambent.kernel.authority import Authority, Roles, SessionCredentials
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import Facts
    from lambent.kernel.ids import Ids
    from lambent.kernel.settings import Settings
    from lambent.kernel.tasks import Supervisor

log = logging.getLogger(__name__)


class Engine:
    """`folder` is the engine's own and holds nothing that cannot be made again, unpacked code, clients and scratch, but
    for the functions' file systems.

    `endpoint` answers the URL at which functions reach this server's AWS services; `serve` answers calls of them that
    come to a further listening socket, which it takes over; `sandbox` is closed with the engine. `host` are the
    environment variables by which interpreters are found (PATH, HOME, PYENV_ROOT, UV_PYTHON_INSTALL_DIR,
    ASDF_DATA_DIR); functions see none. Made and used on a running event loop.
    """

    def __init__(
        self,
        *,
        folder: Path,
        settings: Settings,
        blobs: Blobs,
        facts: Facts,
        authority: Authority,
        roles: Roles,
        clock: Clock,
        ids: Ids,
        supervisor: Supervisor,
        endpoint: Callable[[], str],
        host: Mapping[str, str],
        serve: Callable[[socket.socket], Closable],
        sandbox: Sandbox,
    ) -> None:
        self._facts = facts
        self._authority = authority
        self._roles = roles
        self._clock = clock
        self._ids = ids
        self._endpoint = endpoint
        self._serve = serve
        self._supervisor = supervisor
        self.closing = False
        """Whether the server stops: what fails from then on says nothing about a function."""
        folder = folder.resolve()  # functions work in other folders
        self._code = CodeFolder(folder / "code", blobs, ids)
        self._runtimes = Runtimes(folder / "runtimes", clock, supervisor, host)
        self._sandbox = sandbox
        self._file_systems = FileSystems(folder / FOLDER, settings.file_systems, sandbox)
        self._freezer = Freezer(clock)
        self._foresight = Foresight(sandbox, clock, settings.environment_idle_s)
        self._sdk_wanted: dict[tuple[str, tuple[str, ...]], bool] = {}
        self._snapshots = Snapshots(self._prepared, supervisor)
        self._admission = Admission(clock, settings.concurrency)
        self._pool = Pool(
            self._environment,
            self._admission,
            clock,
            supervisor,
            MemoryPressure(),
            capacity=settings.concurrency,
            idle_s=settings.environment_idle_s,
            margin_s=limits.CREDENTIALS_MARGIN_S,
            starts=starts_at_once(os.cpu_count() or 1),
        )
        self._fleet = Fleet(
            self._managed,
            clock,
            supervisor,
            vcpus=limits.MANAGED_VCPUS_PER_CORE * (os.cpu_count() or 1),
            idle_s=settings.environment_idle_s,
            margin_s=limits.CREDENTIALS_MARGIN_S,
        )

    @property
    def level(self) -> str:
        """The sandbox level that environments run at."""
        return self._sandbox.level

    @property
    def size(self) -> int:
        """Environments that live."""
        return self._pool.size + self._fleet.size

    def invoke(self, function: FunctionVersion, invocation: Invocation) -> Awaitable[Outcome]:
        """Run `function` once. A failure of the function is an outcome, not an exception.

        What is awaited raises AwsError: TooManyRequestsException over the concurrency limit, InvalidRuntimeException
        where this machine cannot run it any more, EFSMountFailureException or S3FilesMountFailureException where a
        file system cannot be had.
        """
        if function.managed is not None:
            return self._fleet.invoke(function, invocation)
        return self._pool.invoke(function, invocation)

    async def prepare(self, code_sha256: str) -> None:
        """Unpack the package with that sha256 (hex). Raises AwsError InvalidParameterValueException in AWS's words."""
        await self._code.unpacked(code_sha256)

    async def prune(self) -> None:
        """Remove the unpacked code of packages whose blobs are gone, and what a server that was killed has left."""
        await self._code.prune()

    async def refusal(self, runtime: str) -> str | None:
        """Why this machine cannot run functions of `runtime`, and what would help; None where it can.

        A function runs on the machine's own architecture, whichever it was created for: the languages do not care, and
        a package with native code for another one fails to import it, by name.
        """
        return await self._runtimes.refusal(runtime)

    def retire(self, function_arn: str, version: str | None = None, keep: str | None = None) -> None:
        """Let no invocation that comes from now on meet an environment of `function_arn` (unqualified), or of that
        version of it, as it was; those of the revision `keep` stay."""
        self._pool.retire(function_arn, version, keep)
        self._snapshots.retire(function_arn, version)

    def reserve(self, function_arn: str, executions: int | None) -> None:
        """Give `function_arn` (unqualified) that many executions of its own, and no more; None where it has none."""
        self._admission.reserve(function_arn, executions)

    def provision(self, function: FunctionVersion, count: int) -> None:
        """Have `count` environments of `function` initialised at any time from now on. Raises AwsError while the engine
        is closing."""
        self._pool.provision(function, count)

    def deprovision(self, function: FunctionVersion) -> None:
        """Have none ready any more."""
        self._pool.deprovision(function)

    def provisioned(self, function: FunctionVersion) -> Allocation | None:
        """How far it is; None where nothing is wanted."""
        return self._pool.allocation(function)

    def field(self, function: FunctionVersion, bounds: Bounds) -> None:
        """Have environments of `function`, which is on managed instances, within `bounds` from now on. Raises AwsError
        while the engine is closing."""
        self._fleet.field(function, bounds)

    def withdraw(self, function: FunctionVersion) -> None:
        """Have none of that version any more; what runs comes to its end."""
        self._fleet.withdraw(function)

    async def complete(self, function: FunctionVersion) -> bool:
        """Wait until as many of them are there as are wanted at least; False where none are wanted any more. Raises
        AwsError with one of AWS's StateReasonCodes for a code."""
        return await self._fleet.complete(function)

    async def snapshot(self, function: FunctionVersion) -> None:
        """Initialise `function` once, and keep what is then to be forked, where that can be. Raises AwsError with one
        of AWS's StateReasonCodes for a code."""
        await self._snapshots.find(function)

    async def close(self) -> None:
        """End every environment and wait until nothing is left of them."""
        self.closing = True
        await self._pool.close()
        await self._fleet.close()
        await self._snapshots.close()
        self._freezer.close()
        self._foresight.close()
        await self._sandbox.close()
        await self._runtimes.close()

    async def _environment(self, function: FunctionVersion, owner: Owner, kind: Kind) -> Environment:
        if function.snap_start and kind == "on-demand":
            environment = await self._restored(function, owner)
            if environment is not None:
                return environment
        furniture, stream = await self._furniture(function, kind)
        image = await self._image(furniture)
        self._foresight.used(image)
        make = partial(self._sandbox.cell, image)
        return self._built(furniture, stream, owner, await make(), make, "init")

    async def _managed(self, function: FunctionVersion, owner: ManagedOwner) -> ManagedEnvironment:
        furniture, stream = await self._furniture(function, "lambda-managed-instances")
        image = await self._image(furniture)
        make = partial(self._sandbox.cell, image)
        cell = await make()
        plan, journal = self._planned(furniture, stream, make, "init")
        return ManagedEnvironment(plan, cell, journal, self._clock, self._ids, self._supervisor, owner)

    async def _prepared(self, function: FunctionVersion, owner: Owner) -> Prepared:
        """An environment that is to be a snapshot. Other programs than the runtime's own client cannot be forked."""
        furniture, stream = await self._furniture(function, "snap-start")
        sdk = await self._wants_sdk(function, furniture.task, furniture.opt)
        image = Image(furniture.runtime, sdk=sdk, branches=not (furniture.extensions or furniture.runtime.custom))
        make = partial(self._sandbox.cell, image)
        cell = await make()
        return Prepared(self._built(furniture, stream, owner, cell, make, "snapshot"), cell, furniture)

    async def _restored(self, function: FunctionVersion, owner: Owner) -> Environment | None:
        """An environment from the snapshot; None where there is none, and INIT will do or tell why not."""
        try:
            snapshot = await self._snapshots.find(function)
            if snapshot is None:
                return None
            furniture, stream = self._renewed(snapshot.furniture)
            return self._built(furniture, stream, owner, await snapshot.branch(), snapshot.branch, "restore")
        except (AwsError, OSError) as error:
            log.warning("%s:%s is not restored from a snapshot: %s", function.arn, function.version, error)
            return None

    async def _furniture(self, function: FunctionVersion, kind: Kind) -> tuple[Furniture, LogStream]:
        runtime = await self._runtimes.find(function.runtime)
        if runtime is None:
            raise await self._unsupported(function)
        task, opt = await self._code.unpacked(function.code_sha256), await self._code.laid(function.layers)
        names, hindrance = ((), None) if opt is None else await asyncio.to_thread(_extensions, opt)
        issue = await self._issuer(function)
        stream = self._stream(function)
        furniture = Furniture(
            function=function,
            runtime=runtime,
            task=task,
            opt=opt,
            volumes=await self._file_systems.volumes(function, runtime, task),
            extensions=names,
            obstacle=hindrance,
            credentials=issue(),
            issue=issue,
            credentials_token=self._ids.bytes(16).hex(),
            kind=kind,
            log_stream=stream.name,
            metadata_token=self._ids.bytes(16).hex(),
            endpoint=self._endpoint(),
            serve=self._serve,
        )
        return furniture, stream

    def _renewed(self, furniture: Furniture) -> tuple[Furniture, LogStream]:
        """That of an environment from a snapshot with `furniture`, whose token stays: clients that were made in INIT
        hold on to it."""
        stream = self._stream(furniture.function)
        renewed = msgspec.structs.replace(
            furniture,
            log_stream=stream.name,
            metadata_token=self._ids.bytes(16).hex(),
            endpoint=limits.CELL_ENDPOINT,
        )
        return renewed, stream

    async def _image(self, furniture: Furniture) -> Image:
        """What the cell of an environment is furnished with. Extensions are guests beside the first, and to show file
        systems takes more rights than a first guest ever has."""
        sdk = await self._wants_sdk(furniture.function, furniture.task, furniture.opt)
        return Image(furniture.runtime, sdk=sdk, lone=not (furniture.extensions or furniture.volumes))

    def _built(
        self,
        furniture: Furniture,
        stream: LogStream,
        owner: Owner,
        cell: Cell,
        make: Callable[[], Awaitable[Cell]],
        origin: Origin,
    ) -> Environment:
        plan, journal = self._planned(furniture, stream, make, origin)
        return Environment(plan, cell, journal, self._clock, self._ids, self._supervisor, self._freezer, owner)

    def _planned(
        self, furniture: Furniture, stream: LogStream, make: Callable[[], Awaitable[Cell]], origin: Origin
    ) -> tuple[Plan, Journal]:
        plan = Plan(
            function=furniture.function,
            kind=furniture.kind,
            origin=origin,
            cell=make,
            household=partial(household, furniture),
            credentials=furniture.credentials_for,
            # With SnapStart a function asks for new ones by itself.
            expires=math.inf if furniture.kind == "snap-start" else furniture.credentials.expires,
        )
        return plan, self._journal(furniture.function, furniture.runtime, stream, furniture.kind)

    async def _wants_sdk(self, function: FunctionVersion, task: Path, opt: Path | None) -> bool:
        key = function.code_sha256, function.layers
        wants = self._sdk_wanted.get(key)
        if wants is None:
            wants = await asyncio.to_thread(packages.sdk_wanted, task, opt)
            if len(self._sdk_wanted) >= limits.PACKAGES_REMEMBERED:
                del self._sdk_wanted[next(iter(self._sdk_wanted))]
            self._sdk_wanted[key] = wants
        return wants

    def _journal(self, function: FunctionVersion, runtime: Runtime, stream: LogStream, kind: Kind) -> Journal:
        subject = Subject(
            function=function,
            runtime_version=runtime.identifier,
            runtime_version_arn=runtime_version_arn(function.region, function.runtime),
            initialization=kind,
        )
        return Journal(self._facts, self._clock, stream, subject, self._supervisor)

    async def _issuer(self, function: FunctionVersion) -> Callable[[], SessionCredentials]:
        """What gives credentials of the execution role as it is now."""
        role = await self._roles.find(function.role)
        role_id = None if role is None else role.role_id
        return partial(self._authority.session, function.role, function.name, limits.CREDENTIALS_S, role_id)

    def _stream(self, function: FunctionVersion) -> LogStream:
        day = datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y/%m/%d")
        name = function.name if function.logging_configured else ""
        return LogStream(
            account=function.account,
            region=function.region,
            group=function.log_group,
            name=f"{day}/{name}[{function.version}]{self._ids.bytes(16).hex()}",
        )

    async def _unsupported(self, function: FunctionVersion) -> AwsError:
        reason = await self._runtimes.refusal(function.runtime)
        return AwsError("InvalidRuntimeException", reason or "The runtime is gone.", Type="User")


def _extensions(opt: Path) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    return tuple(discover(opt)), obstacle(opt)
