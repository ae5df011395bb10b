"""The invocation engine: runs function versions in environments. Everything else about Lambda is somebody else's."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.compute import folders, variables
from lambent.compute.client import mark
from lambent.compute.code import CodeFolder
from lambent.compute.environment import Environment, Plan
from lambent.compute.function import runtime_version_arn
from lambent.compute.journal import Journal
from lambent.compute.loglines import JsonLines, TextLines
from lambent.compute.pool import Pool
from lambent.compute.runtimes import Runtimes
from lambent.compute.sandbox.process import ProcessSandbox
from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.kernel.facts import LogStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.compute.code import Blobs
    from lambent.compute.environment import Owner
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Sandbox
    from lambent.kernel.authority import Authority, Roles, SessionCredentials
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import Facts
    from lambent.kernel.ids import Ids
    from lambent.kernel.settings import Settings
    from lambent.kernel.tasks import Supervisor


class Engine:
    """`folder` is the engine's own and holds nothing that cannot be made again: unpacked code, clients, scratch.

    `endpoint` answers the URL at which functions reach this server's AWS services. `host` are the environment variables
    by which interpreters are found (PATH, HOME, PYENV_ROOT, UV_PYTHON_INSTALL_DIR, ASDF_DATA_DIR); functions see none.
    Made and used on a running event loop.
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
        sandbox: Sandbox | None = None,
    ) -> None:
        self._facts = facts
        self._authority = authority
        self._roles = roles
        self._clock = clock
        self._ids = ids
        self._endpoint = endpoint
        self._sandbox: Sandbox = sandbox or ProcessSandbox()
        folder = folder.resolve()  # functions work in other folders
        self._code = CodeFolder(folder / "code", blobs, ids)
        self._runtimes = Runtimes(folder / "runtimes", clock, supervisor, host)
        self._scratch = folder / "scratch"
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._litter = list(self._scratch.iterdir())
        # A server that was killed took its guests along, but not what had left their process groups.
        self._sandbox.clear([mark(folder) for folder in self._litter])
        self._pool = Pool(
            self._environment,
            clock,
            supervisor,
            settings.concurrency,
            settings.environment_idle_s,
            limits.CREDENTIALS_MARGIN_S,
        )

    @property
    def level(self) -> str:
        """The sandbox level that environments run at."""
        return self._sandbox.level

    @property
    def size(self) -> int:
        """Environments that live."""
        return self._pool.size

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """Run `function` once. A failure of the function is an outcome, not an exception.

        Raises AwsError: TooManyRequestsException over the concurrency limit, InvalidRuntimeException where this
        machine cannot run it any more.
        """
        return await self._pool.invoke(function, invocation)

    async def prepare(self, code_sha256: str) -> None:
        """Unpack the package with that sha256 (hex). Raises AwsError InvalidParameterValueException in AWS's words."""
        await self._code.unpacked(code_sha256)

    async def prune(self) -> None:
        """Remove the unpacked code of packages whose blobs are gone, and what a server that was killed has left."""
        while self._litter:
            await asyncio.to_thread(folders.remove, self._litter.pop())
        await self._code.prune()

    async def refusal(self, runtime: str) -> str | None:
        """Why this machine cannot run functions of `runtime`, and what would help; None where it can.

        A function runs on the machine's own architecture, whichever it was created for: the languages do not care, and
        a package with native code for another one fails to import it, by name.
        """
        return await self._runtimes.refusal(runtime)

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """Let no invocation that comes from now on meet an environment of `function_arn` (unqualified), or of that
        version of it, as it was."""
        self._pool.retire(function_arn, version)

    async def close(self) -> None:
        """End every environment and wait until nothing is left of them."""
        await self._pool.close()
        await self._sandbox.close()
        await self._runtimes.close()
        await asyncio.to_thread(folders.remove, self._scratch)

    async def _environment(self, function: FunctionVersion, owner: Owner) -> Environment:
        runtime = await self._runtimes.find(function.runtime)
        if runtime is None:
            raise await self._unsupported(function)
        root = await self._code.unpacked(function.code_sha256)
        stream = LogStream(
            account=function.account,
            region=function.region,
            group=function.log_group,
            name=self._stream_name(function),
        )
        return Environment(
            self._plan(function, runtime, root, stream.name, await self._credentials(function)),
            self._sandbox,
            self._journal(function, runtime, stream),
            self._clock,
            self._ids,
            owner,
        )

    async def _credentials(self, function: FunctionVersion) -> SessionCredentials:
        role = await self._roles.find(function.role)
        role_id = None if role is None else role.role_id
        return self._authority.session(function.role, function.name, limits.CREDENTIALS_S, role_id)

    def _plan(
        self, function: FunctionVersion, runtime: Runtime, root: Path, stream: str, credentials: SessionCredentials
    ) -> Plan:
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        return Plan(
            function=function,
            command=runtime.command,
            variables=variables.build(function, runtime, root, stream, self._endpoint(), credentials),
            scratch=scratch,
            expires=credentials.expires,
        )

    def _journal(self, function: FunctionVersion, runtime: Runtime, stream: LogStream) -> Journal:
        arn = runtime_version_arn(function.region, function.runtime)
        lines = (JsonLines if function.log_format == "JSON" else TextLines)(function, runtime.identifier, arn)
        return Journal(self._facts, self._clock, stream, lines)

    def _stream_name(self, function: FunctionVersion) -> str:
        day = datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y/%m/%d")
        return f"{day}/[{function.version}]{self._ids.bytes(16).hex()}"

    async def _unsupported(self, function: FunctionVersion) -> AwsError:
        reason = await self._runtimes.refusal(function.runtime)
        return AwsError("InvalidRuntimeException", reason or "The runtime is gone.", Type="User")
