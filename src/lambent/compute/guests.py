"""All that runs for an environment in one cell: the runtime, through whichever door it comes, and the extensions.

Extensions start first and register; then the runtime starts, and INIT is over once it and they all ask for an event. A
runtime that is Lambent's own client answers in packets; any other one comes over HTTP. Whoever asks first is the one.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.compute import endings, guestjson
from lambent.compute.channel import secret
from lambent.compute.client import Client
from lambent.compute.extensions import shutdown
from lambent.compute.extensions.registry import Extensions
from lambent.compute.pipe import Pipe
from lambent.compute.residents import ExtensionResident, Resident
from lambent.compute.runtime_api import failures
from lambent.compute.runtime_api.api import Event
from lambent.compute.runtime_api.runtime import Runtime
from lambent.compute.runtime_api.server import RuntimeApi
from lambent.compute.sandbox.api import Program
from lambent.compute.streaming import Nowhere
from lambent.compute.telemetry.frames import Frames
from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.extensions.api import Extension, Reason
    from lambent.compute.extensions.shutdown import Shutdown
    from lambent.compute.function import Invocation
    from lambent.compute.occupancy import Household, Watcher
    from lambent.compute.runtime_api.api import Host, Sink
    from lambent.compute.runtime_api.parts import Machine
    from lambent.compute.runtime_api.workers import Workers
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.frames import Frame
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.ids import Ids

log = logging.getLogger(__name__)

Door = Literal["packets", "http"]


class Guests:
    """Takes over `cell`. `start` begins INIT.

    A runtime that takes several events at a time has `workers`, whose listener tells here of INIT only. `connections`
    to the Runtime API may be open at once.
    """

    def __init__(
        self,
        cell: Cell,
        household: Household,
        clock: Clock,
        ids: Ids,
        watcher: Watcher,
        host: Host,
        workers: Workers | None = None,
        connections: int = limits.RUNTIME_API_CONNECTIONS,
    ) -> None:
        self._cell = cell
        self._household = household
        self._clock = clock
        self._ids = ids
        self._watcher = watcher
        self._client = Client(cell, clock, self, secret(ids))
        self._output = self._client.output
        self._frames = Frames()
        self._framed = Pipe(cell.frames, self._frames, clock, self.printed)
        self._endpoint = None if cell.endpoint is None else household.serve(cell.endpoint)
        self._extensions = Extensions(household.about, household.extensions, self, ids)
        self._single = Runtime(self)
        self._machine: Machine = self._single if workers is None else workers
        self._api = RuntimeApi(
            cell.runtime_api,
            clock=clock,
            about=household.about,
            runtime=self._machine,
            host=host,
            extensions=self._extensions,
            connections=connections,
        )
        self.parked = False
        """Whether the runtime is ready to be forked, and not for an event: a snapshot's."""
        self._runtime: Resident | None = None
        self._others: dict[str, ExtensionResident] = {}
        self._living: set[Resident] = set()
        self._door: Door | None = None
        self._sequence = 0
        self._answered = True
        self._runtime_waits = False
        self._initialised = False
        self._settled = True
        self._ending = self._leaving = self._abandoned = False
        self._ends: list[Timer] = []
        self._burst: Timer | None = None

    def start(self) -> None:
        """Begin INIT. Raises OSError where the cell lets nobody in; `abandon` is due then."""
        self._cell.furnish(self._household.tenancy)
        self._burst = self._clock.call_later(limits.INIT_BURST_S, self._cell.pace)
        if self._household.obstacle is not None:
            # Not from within: who has called does not expect to be told before this returns.
            asyncio.get_running_loop().call_soon(self._extensions.launch_failed, *self._household.obstacle)
            return
        for name in self._household.extensions:
            self._let_in_extension(name)
        if not self._household.extensions:
            self._let_runtime_in()

    def invoke(self, sequence: int, invocation: Invocation, deadline_ms: int) -> None:
        """Send one event to everybody who is to have it; `deadline_ms` is of the epoch."""
        self._sequence = sequence
        self._answered = self._settled = self._runtime_waits = False
        if self._door == "packets":
            self._client.event(sequence, invocation, deadline_ms)
            if not self._extensions.listening:
                return
        event = self.event(sequence, invocation, deadline_ms)
        self._extensions.invoke(event)
        if self._door == "http":
            self._single.event(event)

    @property
    def runtime_started(self) -> bool:
        """Whether the runtime has been let in, which waits for the extensions."""
        return self._runtime is not None

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to `take`, framed or not."""
        return not (self._output.messages or self._frames.messages)

    def take(self) -> list[str]:
        """The log messages since the last `take`; what was printed after an answer waits for `pass_answer`."""
        return self._output.take()

    def take_framed(self) -> list[Frame]:
        """The log messages that came framed since the last time."""
        return self._frames.take()

    def extensions(self) -> list[Extension]:
        """Them all, as the log shows them."""
        return self._extensions.listing()

    def pass_answer(self) -> None:
        """Let `take` go on behind the answer."""
        self._output.pass_mark()

    def peak_memory(self) -> int:
        """Bytes, measured; where the kernel has ended somebody for want of memory, all there was."""
        usage = self._cell.usage()
        return self._household.tenancy.memory_mb * limits.MIB if usage.out_of_memory else usage.peak_memory

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has ended somebody for want of memory."""
        return self._cell.usage().out_of_memory

    def freeze(self) -> None:
        """Stop the clock for all of them."""
        self._cell.freeze()

    def thaw(self) -> None:
        """End a freeze."""
        self._cell.thaw()

    def silence(self) -> None:
        """End the runtime at once, and take in what it has printed. Extensions are left to hear why."""
        if self._extensions.listing() and self._runtime is not None:
            self._runtime.signal(signal.SIGKILL)
        else:
            self._cell.kill()
        self.drain()

    def retire(self) -> None:
        """Hear nobody any more but for what they print, and that they are gone. `shutdown` is to follow."""
        self._ending = True

    def shutdown(self, reason: Reason) -> None:
        """The SHUTDOWN phase: as long as extensions may take, then the end; `gone` follows."""
        self._ending = True
        if self._leaving:
            return
        self._leaving = True
        plan = shutdown.plan(self._extensions)
        if plan.total_s > 0 and self._living:
            self._leave_in_order(plan, reason)
        else:
            self._cell.kill()
            if not self._living:
                asyncio.get_running_loop().call_soon(self._gone)

    def abandon(self) -> None:
        """End everybody at once and tell the watcher nothing any more. What was printed until now stands in `take`."""
        self._ending = self._abandoned = True
        self._cell.kill()
        self._close()

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to what a guest listens on. Raises OSError."""
        connection = await self._cell.socket()
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    # What the packet door and the pipes tell.

    def heard(self, kind: bytes, sequence: int, body: bytes) -> None:
        if kind in b"YSF" and sequence == 0 and self._door is None and not self._ending:
            self._watcher.printed()
            self._output.pass_mark()
            if kind != b"F":
                self.parked = kind == b"S"
                self._runtime_ready("packets")
            else:
                self._watcher.init_failed(body, failures.kind(_decoded(body).error_type.encode()))
        elif kind in b"REB" and self._door == "packets" and self._takes_answer(sequence):
            if kind == b"B":
                self._watcher.too_large()
            else:
                self._watcher.answered(body, failed=kind == b"E")
            self._runtime_done()

    def printed(self) -> None:
        self._watcher.printed()

    def hung_up(self) -> None:
        if self._runtime is not None and self._door == "packets":
            self._runtime.signal(signal.SIGKILL)  # a client that has closed its channel will never answer

    # What the Runtime API tells.

    def ready(self) -> None:
        self._runtime_ready("http")

    def init_failed(self, error: bytes, kind: str) -> None:
        if not self._initialised and not self._ending:
            self.drain()
            self._watcher.init_failed(error, kind)

    def answered(self, sequence: int, body: bytes) -> None:
        if self._takes_answer(sequence):
            self.drain()
            self._watcher.answered(body, failed=False)
            self._watcher.settling()

    def failed(self, sequence: int, body: bytes, kind: str) -> None:  # noqa: ARG002 a listener's shape
        if self._takes_answer(sequence):
            self.drain()
            self._watcher.answered(body, failed=True)
            self._watcher.settling()

    def broken(self, sequence: int, body: bytes, kind: str) -> None:
        if self._takes_answer(sequence):
            self.drain()
            self._watcher.broken(body, kind)
            self._watcher.settling()

    def too_large(self, sequence: int) -> None:
        if self._takes_answer(sequence):
            self.drain()
            self._watcher.too_large()

    def streaming(self, sequence: int, content_type: str) -> Sink:
        return self._watcher.streaming(content_type) if self._takes_answer(sequence) else Nowhere()

    def waiting(self, sequence: int) -> None:
        if sequence == self._sequence and not self._ending:
            self.drain()
            self._watcher.printed()
            self._runtime_done()

    def restore_ready(self) -> None:
        self._single.restore()  # it was not made from a snapshot, so what would follow a restore follows at once

    def restored(self) -> None:
        self._runtime_ready("http")

    def restore_failed(self, error: bytes, kind: str) -> None:
        self.init_failed(error, kind)

    # What the extensions' state machine tells.

    def registered(self) -> None:
        try:
            self._let_runtime_in()
        except OSError as error:
            log.warning("%s could not be started: %s", self._household.tenancy.name, error)
            self._watcher.init_failed(endings.error("Runtime.ExitError", endings.NOT_STARTED), "Runtime.ExitError")

    def settled(self) -> None:
        self._look_round()

    def extension_failed(self, name: str, kind: str, error: bytes) -> None:  # noqa: ARG002 EXTENSION lines tell the name
        if not self._ending:
            self._watcher.extension_failed(kind, _sentence(error) or kind)

    # What the processes' ends tell.

    def runtime_left(self, guest: Resident, status: int) -> None:
        """The runtime's process is gone."""
        self._living.discard(guest)
        if self._ending:
            self._look_for_end()
        elif (streaming := self._machine.streaming) is None:
            self._runtime_ended(status)
        else:  # what it wrote before its end goes out first
            streaming.add_done_callback(lambda _: self._runtime_ended(status))

    def extension_left(self, guest: Resident, status: int) -> None:
        """An extension's process is gone."""
        self._living.discard(guest)
        if self._ending:
            self._look_for_end()
        else:
            self._extensions.exited(guest.name, status)

    def _runtime_ended(self, status: int) -> None:
        if not self._ending:
            self.drain()
            self._watcher.exited(status)

    def _let_runtime_in(self) -> None:
        self._runtime = Resident("", self.runtime_left)
        self._runtime.process = self._cell.enter(self._household.runtime, self._runtime)
        self._living.add(self._runtime)

    def _let_in_extension(self, name: str) -> None:
        guest = ExtensionResident(name, self.extension_left, self._clock, self._ids, self._watcher)
        command = (f"{self._cell.paths.opt}/extensions/{name}",)
        program = Program(command=command, variables=self._household.extension_variables)
        try:
            guest.process = self._cell.start(program, guest.writing, guest)
        except OSError as error:
            guest.close()
            reason = error.strerror or str(error)
            asyncio.get_running_loop().call_soon(self._extensions.launch_failed, name, reason)
        else:
            self._others[name] = guest
            self._living.add(guest)
        finally:
            os.close(guest.writing)

    def _leave_in_order(self, plan: Shutdown, reason: Reason) -> None:
        """Let everybody finish who may, for as long as they may."""
        self._ends = [self._clock.call_later(plan.total_s, self._cell.kill)]
        if self._runtime in self._living:
            assert self._runtime is not None
            self._runtime.signal(signal.SIGTERM)
            self._ends.append(self._clock.call_later(plan.runtime_s, partial(self._runtime.signal, signal.SIGKILL)))
        self._extensions.shutdown(reason, int((self._clock.time() + plan.total_s) * 1000))
        for name in plan.killed:
            if name in self._others:
                self._others[name].signal(signal.SIGKILL)

    def _runtime_ready(self, door: Door) -> None:
        if self._door is None and not self._ending:
            self._door = door
            self._extensions.close_registration()
            self._runtime_done()

    def _runtime_done(self) -> None:
        self._runtime_waits = True
        self._watcher.runtime_done()
        self._look_round()

    def _look_round(self) -> None:
        """Tell the watcher once everybody is done with what there was to do."""
        if not self._runtime_waits or not self._extensions.settled or self._ending:
            return
        if not self._initialised:
            self._initialised = True
            self._calm_down()
            self._watcher.init_succeeded()
        elif not self._settled:
            self._settled = True
            if self._extensions.listening:
                self._take_in()
            self._watcher.settled()

    def _calm_down(self) -> None:
        """INIT is over, and with it the time of all the processor that is free."""
        if self._burst is not None:
            self._burst.cancel()
        self._cell.pace()

    def _takes_answer(self, sequence: int) -> bool:
        if self._answered or sequence != self._sequence or self._ending:
            return False
        self._answered = True
        return True

    def _take_in(self) -> None:
        """Let what extensions have said of an event, internal ones among the function's output, stand in its log."""
        self.drain()
        self._watcher.printed()
        for other in self._others.values():
            other.drain()

    def drain(self) -> None:
        """Take in what has been printed until now; it stands in `take`."""
        self._client.drain()
        self._framed.drain()

    def event(self, sequence: int, invocation: Invocation, deadline_ms: int) -> Event:
        """`invocation` as guests are told of it; `deadline_ms` is of the epoch."""
        return Event(
            sequence=sequence,
            request_id=invocation.request_id,
            invocation_id=self._ids.uuid(),
            deadline_ms=deadline_ms,
            invoked_arn=invocation.invoked_arn,
            payload=invocation.payload,
            trace_id=invocation.trace_id,
            client_context=invocation.client_context,
            cognito_identity=invocation.cognito_identity,
            tenant_id=invocation.tenant_id,
            streaming=invocation.streaming,
        )

    def _look_for_end(self) -> None:
        if not self._living and not self._abandoned:
            self._gone()

    def _gone(self) -> None:
        self._leaving = self._abandoned = True
        self._cell.kill()
        self._close()
        self._watcher.printed()
        self._watcher.gone()

    def _close(self) -> None:
        """Let go of everything but the processes."""
        for timer in (*self._ends, self._burst):
            if timer is not None:
                timer.cancel()
        self._client.close()
        self._framed.close()
        self._extensions.close()
        self._api.close()
        if self._endpoint is not None:
            self._endpoint.close()
        for guest in self._living:
            guest.close()


def discard(cell: Cell) -> None:
    """Clear a cell away that nobody has moved into."""
    with suppress(ProcessLookupError):  # nothing is left of it
        if (endpoint := cell.endpoint) is not None:  # first, for who moves in looks at it first
            endpoint.close()
        os.close(cell.output)
        os.close(cell.frames)
        for each in (cell.channel, cell.runtime_api):
            each.close()
    cell.kill()


class _Error(msgspec.Struct, rename="camel"):
    error_type: str = "Runtime.Unknown"
    error_message: str = ""


def _sentence(error: bytes) -> str:
    """What an extension says of its failure, or how its program has ended."""
    return _decoded(error).error_message or ("" if error.startswith(b"{") else error.decode(errors="replace"))


_decode_error = guestjson.decoder(_Error)


def _decoded(error: bytes) -> _Error:
    """What an error says, as far as it is the JSON that it should be."""
    try:
        return _decode_error(error)
    except guestjson.Malformed:
        return _Error()
