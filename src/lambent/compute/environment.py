"""An execution environment: one place where one function version runs, one invocation at a time.

starting -> init -> idle <-> busy -> stopping -> gone. INIT has a time of its own; where it fails, it is repeated in a
new cell within the first invocation and under the function's timeout, as on AWS. The clock of a timeout is ours.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import enum
import math
import signal
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from lambent.compute.function import Outcome
from lambent.compute.guests import Guests, discard
from lambent.compute.household import NoEntrypoint
from lambent.compute.loglines import Report, Response
from lambent.compute.streaming import Stream
from lambent.kernel import limits
from lambent.kernel.clock import Alarm
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lambent.compute.extensions.api import Reason
    from lambent.compute.freezer import Freezer
    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.compute.guests import Household
    from lambent.compute.journal import Journal
    from lambent.compute.pooled import Kind, Owner
    from lambent.compute.runtime_api.api import Sink, Version
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.events import Phase, Status
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor


Origin = Literal["init", "snapshot", "restore"]
"""How an environment comes to be: by INIT; by an INIT after which it is a snapshot, and never invoked; or from one."""


class State(enum.Enum):
    """Where an environment is in its life."""

    STARTING = "starting"
    INIT = "init"
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    GONE = "gone"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is built from."""

    function: FunctionVersion
    kind: Kind
    origin: Origin
    cell: Callable[[], Awaitable[Cell]]
    """A new cell for it."""
    household: Callable[[Cell], Household]
    """Who moves into a cell of its."""
    credentials: Callable[[str], bytes | None]
    """As `runtime_api.Host.credentials`."""
    expires: float
    """When its credentials end, in seconds since the epoch."""


class _Running(msgspec.Struct):
    """The invocation in progress. Times are of the monotonic clock."""

    invocation: Invocation
    answer: asyncio.Future[Outcome]
    began: float
    deadline: float
    started: bool = False
    """Whether the log has its START."""
    outcome: Outcome | None = None
    """The answer, once there is one."""
    status: Status = "success"
    error_type: str | None = None
    runtime_done: bool = False
    """Whether extensions have heard that the runtime is done."""
    stream: Stream | None = None
    ended: float = 0.0
    """When the answer came."""

    @property
    def produced(self) -> int:
        """Bytes of the answer."""
        if self.stream is not None:
            return self.stream.size
        return 0 if self.outcome is None else len(self.outcome.payload)


class Environment:
    """The state machine. All of it runs on the event loop, in callbacks of the guests and the clock."""

    def __init__(
        self,
        plan: Plan,
        cell: Cell,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        supervisor: Supervisor,
        freezer: Freezer,
        owner: Owner,
    ) -> None:
        self.plan = plan
        self.function = plan.function
        self.expires = plan.expires
        self.state = State.STARTING
        self.retired = False
        """Set where it must not take another invocation."""
        self.idle_since = 0.0
        self.init_problem: str | None = None
        """Why INIT has failed before any invocation: an error type, or `timeout`."""
        self._cell: Cell | None = cell
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._supervisor = supervisor
        self._freezer = freezer
        self._owner = owner
        self._guests: Guests | None = None
        self._alarm = Alarm(clock)
        self._sequence = 0
        self._running: _Running | None = None
        self._unreported: Callable[[], bytes | None] | None = None
        self._loop = asyncio.get_running_loop()
        self._boot_began = 0.0
        self._init_ms: float | None = None
        self._initialised = False
        self._init_open = False
        self._runtime_initialised = False
        self._peak = 0
        self._measured = 0.0

    @property
    def parked(self) -> bool:
        """Whether it is a snapshot that can be restored from."""
        return self._guests is not None and self._guests.parked

    @property
    def initialised(self) -> bool:
        """Whether INIT has succeeded; where not, the first invocation repeats it."""
        return self._initialised

    def start(self) -> None:
        """Begin INIT. Never raises: the owner is told how it went, of a failure to start at the next turn."""
        cell, self._cell = self._cell, None
        assert cell is not None
        self.state = State.INIT
        self._begin_init()
        try:
            self._move_in(cell)
        except OSError as error:
            self.state = State.GONE
            self._journal.close()
            self._loop.call_soon(self._owner.failed, self, error)
            return
        except NoEntrypoint:
            self._loop.call_soon(self._init_over, "error", "Runtime.InvalidEntrypoint")
            return
        self._alarm.set(self._clock.monotonic() + self._init_limit(), self._init_timed_out)

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Run `invocation` and resolve `answer`. The environment must be idle."""
        assert self.state is State.IDLE
        self._freezer.wake(self)
        self._tell_report()
        now = self._clock.monotonic()
        deadline = now + self.function.timeout_s
        self.state = State.BUSY
        self._sequence += 1
        self._running = running = _Running(invocation, answer, now, deadline)
        self._alarm.set(deadline, self._timed_out)
        if self._guests is None:
            if invocation.tail:
                self._journal.keep_tail()
            self._supervisor.start(f"init {self.function.name} again", self._init_again(running))
        else:
            self._send(self._guests)

    def stop(self) -> None:
        """End the environment; an invocation in progress ends with it. Harmless when it has ended."""
        self.retired = True
        if self.state in (State.STOPPING, State.GONE):
            return
        if self._running is not None:
            self._fail("Sandbox.Failure", "The environment was stopped", "failure")
            return
        self._end("spindown")

    def freeze(self) -> None:
        """Stop the clock within, between invocations."""
        if self._guests is not None and self.state is State.IDLE:
            self._guests.freeze()

    def thaw(self) -> None:
        """End a freeze."""
        if self._guests is not None:
            self._guests.thaw()

    def init_succeeded(self) -> None:
        """Of the guests."""
        assert self._guests is not None
        self._initialised = True
        self._measure()
        self._tell_init_done(self._phase, "success", None)
        if self._running is not None:
            self._send(self._guests)
            return
        self._init_ms = self._since_boot()
        self._alarm.clear()
        self._rest()
        self._owner.ready(self)

    def init_failed(self, error: bytes, kind: str) -> None:
        """Of the guests: the runtime or an extension says why it cannot."""
        if self._running is None:
            self._init_over("error", kind)
        else:
            self._tell_init_done("invoke", "error", kind)
            self._answer(error, "error", kind)
            self._finish()

    def answered(self, payload: bytes, kind: str | None) -> None:
        """Of the guests: the answer to the running event."""
        self.printed()
        self._answer(payload, "success" if kind is None else "error", kind)

    def too_large(self) -> None:
        """Of the guests: the answer was too large, and AWS keeps no environment that gave one."""
        limit = limits.INVOKE_PAYLOAD_BYTES
        problem = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
        kind = "Function.ResponseSizeTooLarge"
        self.printed()
        self.retired = True
        self._answer(_error(problem, kind), "error", kind)

    def streaming(self, content_type: str) -> Sink:
        """Of the guests: the answer begins. Its caller takes it from here on."""
        running = self._running
        assert running is not None
        running.stream = Stream(self._clock, self._streamed, content_type)
        running.outcome = Outcome(payload=b"", stream=running.stream)
        if running.answer.done():
            running.stream.cancel()  # its caller is gone already, and nobody will ever read
        self._resolve(running)
        return running.stream

    def runtime_done(self) -> None:
        """Of the guests: the runtime asks for an event. Told at once, for extensions may wait to hear of it."""
        if not self._initialised:
            self._tell_init_runtime_done(self._phase, "success", None)
        elif self._running is not None:
            self._tell_runtime_done(self._running, self._response(self._running))

    def settled(self) -> None:
        """Of the guests: everybody has done with the invocation."""
        if self._running is None:
            return
        if self._running.outcome is None:
            self._break_off("Runtime.Unknown", "Runtime asked for another event without an answer")
        else:
            self._finish()

    def extension_printed(self, messages: list[str]) -> None:
        """Of the guests."""
        self._journal.write_extension(messages)

    def extension_failed(self, kind: str, problem: str) -> None:
        """Of the guests: without its extensions an environment does not go on. `problem` is AWS's sentence."""
        if self.state is State.INIT:
            self._init_over("error", kind)
        elif self._running is not None:
            self._break_off(kind, problem)
        else:
            self._end("failure")

    def printed(self) -> None:
        """Of the guests: there is output."""
        self._tell_report()
        if self._guests is None:
            return
        if messages := self._guests.take():
            self._journal.write(messages)
        if frames := self._guests.take_framed():
            self._journal.framed(frames)

    def exited(self, status: int) -> None:
        """Of the guests: the runtime has ended."""
        self._measure()
        self.printed()
        match self.state:
            case State.INIT:
                self._init_over("error", "Runtime.ExitError")
            case State.BUSY:
                self._break_off("Runtime.ExitError", _problem(status))
            case _:
                self._end("failure")

    def gone(self) -> None:
        """Of the guests: every process has ended."""
        self._alarm.stop()
        self._tell_report()
        self._journal.close()
        self.state = State.GONE
        self._owner.gone(self)

    def subscribe(self, extension: str, version: Version, body: bytes) -> None:
        """Of the Runtime API: an extension wants the log as it comes."""
        self._journal.subscribe(extension, version, body, self.connect)

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to what an extension listens on. Raises OSError."""
        if self._guests is None:
            raise OSError("nobody lives there any more")
        return await self._guests.connect(port)

    def credentials(self, token: str) -> bytes | None:
        """Of the Runtime API: SnapStart environments fetch their credentials."""
        return self.plan.credentials(token)

    async def _init_again(self, running: _Running) -> None:
        """Repeat INIT in a new cell, within the first invocation."""
        try:
            cell = await self.plan.cell()
            if self._running is not running:
                discard(cell)
                return
            self._begin_init()
            self._move_in(cell)
        except OSError as error:
            if self._running is running:
                self._break_off("Runtime.ExitError", f"Runtime could not be started: {error.strerror}")
        except NoEntrypoint as problem:
            self._break_off("Runtime.InvalidEntrypoint", str(problem))

    def _begin_init(self) -> None:
        self._init_open, self._runtime_initialised = True, False
        self._boot_began = self._clock.monotonic()
        if self.plan.origin == "restore":
            self._journal.restore_start()
        else:
            self._journal.init_start(self._phase)

    def _move_in(self, cell: Cell) -> None:
        """Raises OSError where nothing can be started, NoEntrypoint where there is nothing to start; `cell` is gone."""
        try:
            household = self.plan.household(cell)
        except (NoEntrypoint, OSError):
            discard(cell)
            raise
        self._guests = Guests(cell, household, self._clock, self._ids, self, self)
        try:
            self._guests.start()
        except OSError:
            self._let_go()
            raise

    def _init_limit(self) -> float:
        """Seconds. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib"""
        if self.plan.origin == "restore":
            return limits.RESTORE_S
        if self.plan.kind == "on-demand":
            return limits.INIT_S
        return max(limits.INIT_AHEAD_S, float(self.function.timeout_s))

    def _init_timed_out(self) -> None:
        self._init_over("timeout", None)

    def _init_over(self, status: Status, error_type: str | None) -> None:
        """INIT has failed before any invocation: the environment takes one all the same, and tries again in it."""
        if self.state is not State.INIT:
            return  # it was stopped before it could be told
        self.init_problem = error_type or status
        self._alarm.clear()
        self._silence()
        self._tell_init_done(self._phase, status, error_type)
        self._let_go()
        if self.plan.origin == "restore":
            self._restore_failed(status)
            return
        self.state = State.IDLE
        self._owner.ready(self)

    def _restore_failed(self, status: Status) -> None:
        """What cannot be restored is not initialised either: the invocation is refused.

        https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
        """
        self._journal.close()
        self.state = State.GONE
        if status == "timeout":
            kind, problem = "SnapStartTimeoutException", "The snapshot was not restored within the time limit."
        else:
            kind, problem = "SnapStartException", "The snapshot was not restored: see the function's log."
        self._owner.failed(self, AwsError(kind, problem, Type="User"))

    @property
    def _phase(self) -> Phase:
        """Of the INIT in progress."""
        if self._running is not None:
            return "invoke"
        return "snap-start" if self.plan.origin == "snapshot" else "init"

    def _tell_init_runtime_done(self, phase: Phase, status: Status, error_type: str | None) -> None:
        """Once for each INIT: when the runtime asks for an event, or when INIT has failed before that."""
        if not self._runtime_initialised:
            self._runtime_initialised = True
            if self.plan.origin == "restore":
                self._journal.restore_runtime_done(status, error_type)
            else:
                self._journal.init_runtime_done(phase, status, error_type)

    def _tell_init_done(self, phase: Phase, status: Status, error_type: str | None) -> None:
        self._init_open = False
        self._tell_init_runtime_done(phase, status, error_type)
        for extension in self._guests.extensions() if self._guests is not None else ():
            self._journal.extension(extension.name, extension.state, extension.events, extension.error_type)
        if self.plan.origin == "restore":
            self._journal.restore_report(self._since_boot(), status, error_type)
        else:
            self._journal.init_report(phase, self._since_boot(), status, error_type)

    def _send(self, guests: Guests) -> None:
        running = self._running
        assert running is not None
        self._start_told(running)
        deadline = self._clock.time() + running.deadline - self._clock.monotonic()
        guests.invoke(self._sequence, running.invocation, int(deadline * 1000))

    def _start_told(self, running: _Running) -> None:
        """Tell START once. Where INIT has to be repeated, that comes before it."""
        if not running.started:
            running.started = True
            invocation = running.invocation
            self._journal.start(
                invocation.request_id,
                tail=invocation.tail,
                trace_id=invocation.trace_id,
                tenant_id=invocation.tenant_id,
            )

    def _end_init(self, running: _Running, status: Status, error_type: str | None) -> None:
        """Tell START before what has ended `running`, and before that how an INIT has ended that was still repeated."""
        if self._init_open:
            self._tell_init_done("invoke", status, error_type)
        self._start_told(running)

    def _timed_out(self) -> None:
        running = self._running
        assert running is not None
        self._silence()
        self._end_init(running, "timeout", None)
        timeout = self.function.timeout_s
        self._journal.timed_out(running.invocation.request_id, timeout)
        self._fail("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds", "timeout")

    def _break_off(self, kind: str, problem: str) -> None:
        """Somebody within has ended, or cannot be started: the invocation fails as AWS's `kind`."""
        running = self._running
        assert running is not None
        self._end_init(running, "error", kind)
        self._journal.exited(running.invocation.request_id, problem, kind)
        self._fail(kind, problem, "error")

    def _fail(self, kind: str, problem: str, status: Status) -> None:
        """End the invocation with an error of the platform's, and the environment with it."""
        running = self._running
        assert running is not None
        self.retired = True
        text = f"RequestId: {running.invocation.request_id} Error: {problem}"
        payload, kind_told = _error(text, kind), None if kind == "Sandbox.Timedout" else kind
        if running.stream is not None:
            running.stream.fail(kind, payload)
        if running.outcome is None:
            self._answer(payload, status, kind_told)
        else:  # the answer is on its way, but somebody was not done
            running.status, running.error_type = status, kind_told
        self._finish()

    def _answer(self, payload: bytes, status: Status, error_type: str | None) -> None:
        """Note the answer, and give it to who waits unless the end of the log is wanted with it."""
        running = self._running
        assert running is not None
        running.ended = self._clock.monotonic()
        running.status, running.error_type = status, error_type
        running.outcome = Outcome(payload=payload, error=None if status == "success" else "Unhandled")
        if not running.invocation.tail:
            self._resolve(running)

    def _streamed(self, stream: Stream) -> None:
        """The last byte of a streamed answer is written, or it has broken off."""
        running = self._running
        if running is not None and running.stream is stream and running.status == "success":
            running.ended = self._clock.monotonic()
            if stream.error_type is not None:
                running.status, running.error_type = "error", stream.error_type

    def _resolve(self, running: _Running) -> None:
        if not running.answer.done():
            assert running.outcome is not None
            running.answer.set_result(running.outcome)

    def _finish(self) -> None:
        """The invocation is over. The report follows once the answer is on its way, where nobody waits for it."""
        running = self._running
        assert running is not None
        self._running = None
        self._alarm.clear()
        self._end_init(running, running.status, running.error_type)
        self._tell_runtime_done(running)
        reusable = self._initialised and not self.retired
        self._unreported = partial(self._report, running, self._sequence)
        if reusable and not running.invocation.tail:
            self._loop.call_soon(self._tell_report)  # behind the waking of who waits for the answer
        else:
            tail = self._tell_report()
            assert running.outcome is not None
            running.outcome = msgspec.structs.replace(running.outcome, log_tail=tail)
        if running.stream is not None:
            running.stream.end()
            running.stream.complete(running.outcome.log_tail if running.outcome else None)
        self._resolve(running)
        if reusable:
            self._rest()
        self._owner.finished(self)
        if not reusable:
            self._end("timeout" if running.status == "timeout" else "failure")

    def _rest(self) -> None:
        self.state = State.IDLE
        if self.plan.origin != "snapshot":
            self._freezer.rest(self)

    def _tell_report(self) -> bytes | None:
        """End the last invocation in the log, if that is still to be done, and let through what came after it."""
        report, self._unreported = self._unreported, None
        if report is None:
            return None
        tail = report()
        if self._guests is not None:
            self._guests.pass_answer()
            self.printed()
        return tail

    def _response(self, running: _Running) -> Response:
        """How the runtime has answered, now that it asks for the next event."""
        first = running.ended if running.stream is None else running.stream.first or running.ended
        return Response(
            latency=(first - running.began) * 1000,
            duration=(running.ended - first) * 1000,
            overhead=(self._clock.monotonic() - running.ended) * 1000,
        )

    def _tell_runtime_done(self, running: _Running, response: Response | None = None) -> None:
        """Once for each invocation: when the runtime asks for the next, or when it is ended before that."""
        if not running.runtime_done:
            running.runtime_done = True
            self._journal.runtime_done(
                running.invocation.request_id,
                running.status,
                duration_ms=self._duration(running),
                produced_bytes=running.produced,
                response=response,
                error_type=running.error_type,
            )

    def _duration(self, running: _Running) -> float:
        """Milliseconds until the answer was there, or until now."""
        return ((running.ended or self._clock.monotonic()) - running.began) * 1000

    def _report(self, running: _Running, sequence: int) -> bytes | None:
        now = self._clock.monotonic()
        duration = self._duration(running)
        # A measure costs a tenth of a short invocation, and the kernel remembers the peak for the next one.
        late = now - self._measured > limits.MEMORY_MEASURED_S
        if late or running.invocation.tail or duration > limits.MEMORY_UNMEASURED_MS:
            self._measure()
        restored = self._init_ms if sequence == 1 and self.plan.origin == "restore" else None
        report = Report(
            duration=duration,
            init_duration=self._init_ms if sequence == 1 and self.plan.kind == "on-demand" else None,
            restore_duration=restored,
            billed_restore=math.ceil(restored or 0.0),
            memory_mb=self.function.memory_mb,
            peak_memory=self._peak,
            status=running.status,
            error_type=running.error_type,
        )
        return self._journal.end(running.invocation.request_id, report)

    def _measure(self) -> None:
        self._measured = self._clock.monotonic()
        if self._guests is not None:
            self._peak = max(self._peak, self._guests.peak_memory())

    def _silence(self) -> None:
        """Let nobody within go on, and take what they have said until now."""
        self._measure()
        if self._guests is not None:
            self._guests.silence()
            self._guests.pass_answer()
            self.printed()

    def _let_go(self) -> None:
        """End the guests for good; what runs next does so in a new cell."""
        self._silence()
        guests, self._guests = self._guests, None
        if guests is not None:
            guests.abandon()

    def _end(self, reason: Reason) -> None:
        self.retired = True
        self._alarm.stop()
        self._freezer.wake(self)
        self.state = State.STOPPING
        if self._guests is None:
            self._loop.call_soon(self.gone)
            return
        self._guests.retire()
        if self._journal.heard:
            self._supervisor.start(f"stop {self.function.name}", self._flush_and_stop(self._guests, reason))
        else:
            self._guests.shutdown(reason)

    async def _flush_and_stop(self, guests: Guests, reason: Reason) -> None:
        """Let extensions have the last of the telemetry before they are told to go."""
        await self._journal.flush()
        guests.shutdown(reason)

    def _since_boot(self) -> float:
        return (self._clock.monotonic() - self._boot_began) * 1000


def _problem(status: int) -> str:
    """AWS's words for the end of a runtime."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    return f"Runtime exited with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"


def _error(message: str, kind: str) -> bytes:
    return msgspec.json.encode({"errorType": kind, "errorMessage": message})
