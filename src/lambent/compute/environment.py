"""An execution environment: one place where one function version runs, one invocation at a time.

starting -> init -> idle <-> busy -> stopping -> gone. INIT has 10 s of its own; where it fails, a fresh process runs it
again within the first invocation and under the function's timeout, as on AWS. The clock of a timeout is the server's.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import enum
import signal
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from lambent.compute import folders, loglines
from lambent.compute.client import Client
from lambent.compute.function import Outcome
from lambent.compute.loglines import Report, Status
from lambent.kernel import limits
from lambent.kernel.clock import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lambent.compute.function import FunctionVersion, Invocation
    from lambent.compute.journal import Journal
    from lambent.compute.sandbox.api import Sandbox
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids


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
    command: tuple[str, ...]
    variables: Mapping[str, str]
    scratch: Path
    """A folder of this environment alone."""
    expires: float
    """When its credentials end, in seconds since the epoch."""


class Owner(Protocol):
    """The pool."""

    def ready(self, environment: Environment) -> None:
        """INIT is over: the environment takes an invocation now."""

    def finished(self, environment: Environment) -> None:
        """The invocation is over; `environment.state` says whether it can take another."""

    def gone(self, environment: Environment) -> None:
        """Nothing of the environment is left."""


class _Running(msgspec.Struct):
    """The invocation in progress. Times are of the monotonic clock."""

    invocation: Invocation
    answer: asyncio.Future[Outcome]
    began: float
    deadline: float


class Environment:
    """The state machine. All of it runs on the event loop, in callbacks of the client and the clock."""

    def __init__(self, plan: Plan, sandbox: Sandbox, journal: Journal, clock: Clock, ids: Ids, owner: Owner) -> None:
        self.plan = plan
        self.state = State.STARTING
        self.retired = False
        """Set where it must not take another invocation."""
        self.idle_since = 0.0
        self._sandbox = sandbox
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._owner = owner
        self._client: Client | None = None
        self._alarm = Alarm(clock)
        self._sequence = 0
        self._running: _Running | None = None
        self._unreported: Callable[[], bytes | None] | None = None
        self._loop = asyncio.get_running_loop()
        self._boots = 0
        self._boot_began = 0.0
        self._init_ms: float | None = None
        self._initialised = False
        self._peak = 0
        self._measured = 0.0

    @property
    def initialised(self) -> bool:
        """Whether INIT has succeeded; where not, the first invocation repeats it."""
        return self._initialised

    def start(self) -> None:
        """Begin INIT. Raises OSError where no process can be started; nothing is left of the environment then."""
        try:
            self._boot()
        except OSError:
            self.state = State.GONE
            self._clear()
            raise
        self._journal.init_start()
        self.state = State.INIT
        self._alarm.set(self._clock.monotonic() + limits.INIT_S, self._init_timed_out)

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Run `invocation` and resolve `answer`. The environment must be idle."""
        assert self.state is State.IDLE
        self._tell_report()
        now = self._clock.monotonic()
        deadline = now + self.plan.function.timeout_s
        self.state = State.BUSY
        self._sequence += 1
        self._running = _Running(invocation, answer, now, deadline)
        self._journal.start(invocation.request_id, tail=invocation.tail)
        self._alarm.set(deadline, self._timed_out)
        if self._client is not None:
            self._send(self._client)
            return
        try:
            self._boot()
        except OSError as error:
            self._fail("Runtime.ExitError", f"Runtime could not be started: {error.strerror}", "error")

    def stop(self) -> None:
        """End the environment; an invocation in progress ends with it. Harmless when it has ended."""
        self.retired = True
        if self.state in (State.STOPPING, State.GONE):
            return
        if self._running is not None:
            self._fail("Sandbox.Failure", "The environment was stopped", "failure")
            return
        self._end()

    def heard(self, client: Client, kind: bytes, sequence: int, body: bytes) -> None:
        if client is not self._client:
            return
        if kind in b"YF" and sequence == 0 and not self._initialised:
            self.printed(client)
            client.pass_answer()
            if kind == b"Y":
                self._init_done(client)
            else:
                self._init_failed(body)
        elif kind in b"REB" and self._running is not None and sequence == self._sequence:
            self._answered(client, kind, body)

    def printed(self, client: Client) -> None:
        if client is not self._client:
            return
        self._tell_report()
        if messages := client.take():
            self._journal.write(messages)

    def exited(self, client: Client, status: int) -> None:
        if client is not self._client:
            return
        self._measure()
        client.pass_answer()
        self.printed(client)
        self._client = None
        match self.state:
            case State.INIT:
                self._init_over("error", "Runtime.ExitError")
            case State.BUSY:
                self._crashed(_problem(status))
            case _:
                self._gone()

    def _boot(self) -> None:
        self._boot_began = self._clock.monotonic()
        plan = self.plan
        self._boots += 1
        scratch = plan.scratch / str(self._boots)
        scratch.mkdir()
        variables = {"TMPDIR": str(scratch), **plan.variables}
        self._client = Client(self._sandbox, self._clock, self, self._ids.bytes(16), plan.command, variables, scratch)

    def _init_done(self, client: Client) -> None:
        self._initialised = True
        self._measure()
        if self._running is not None:
            self._send(client)
            return
        self._init_ms = self._since_boot()
        self._alarm.clear()
        self.state = State.IDLE
        self._owner.ready(self)

    def _init_failed(self, error: bytes) -> None:
        kind = _error_type(error)
        if self._running is None:
            self._init_over("error", kind)
        else:
            self._journal.init_failed("invoke", self._since_boot(), "error", kind)
            self._finish(error, "error", kind)

    def _init_timed_out(self) -> None:
        self._init_over("timeout", None)

    def _init_over(self, status: Status, error_type: str | None) -> None:
        """INIT has failed before any invocation: the environment takes one all the same, and tries again in it."""
        self._alarm.clear()
        if self._client is not None:
            self._kill(self._client)
            self._client = None
        self._journal.init_failed("init", self._since_boot(), status, error_type)
        self.state = State.IDLE
        self._owner.ready(self)

    def _send(self, client: Client) -> None:
        running = self._running
        assert running is not None
        invocation = running.invocation
        deadline = self._clock.time() + running.deadline - self._clock.monotonic()
        head = (
            f"{invocation.request_id}\n{int(deadline * 1000)}\n{invocation.invoked_arn}\n{invocation.trace_id or ''}\n"
        ).encode()
        if invocation.client_context:
            head += invocation.client_context
        client.event(self._sequence, head, invocation.payload)

    def _answered(self, client: Client, kind: bytes, body: bytes) -> None:
        self.printed(client)
        if kind == b"R":
            self._finish(body, "success", None)
        elif kind == b"E":
            self._finish(body, "error", _error_type(body))
        else:
            limit = limits.INVOKE_PAYLOAD_BYTES
            problem = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            self._finish(_error(problem, "Function.ResponseSizeTooLarge"), "error", "Function.ResponseSizeTooLarge")

    def _timed_out(self) -> None:
        running = self._running
        assert running is not None
        if self._client is not None:
            self._kill(self._client)
        timeout = self.plan.function.timeout_s
        request_id = running.invocation.request_id
        self._journal.write((loglines.timed_out(self._clock.time(), request_id, timeout),))
        self._fail("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds", "timeout")

    def _crashed(self, problem: str) -> None:
        assert self._running is not None
        self._journal.write((loglines.exited(self._running.invocation.request_id, problem),))
        self._fail("Runtime.ExitError", problem, "error")

    def _fail(self, kind: str, problem: str, status: Status) -> None:
        """End the invocation with an error of the platform's, and the environment with it."""
        assert self._running is not None
        self.retired = True
        text = f"RequestId: {self._running.invocation.request_id} Error: {problem}"
        self._finish(_error(text, kind), status, None if kind == "Sandbox.Timedout" else kind)

    def _finish(self, payload: bytes, status: Status, error_type: str | None) -> None:
        """Answer. The report follows once the answer is on its way, where nobody waits for it."""
        running = self._running
        assert running is not None
        self._running = None
        self._alarm.clear()
        reusable = self._initialised and not self.retired
        request_id = running.invocation.request_id
        duration = (self._clock.monotonic() - running.began) * 1000
        self._unreported = partial(self._report, request_id, self._sequence, duration, status, error_type)
        later = reusable and not running.invocation.tail
        tail = None if later else self._tell_report()
        if not running.answer.done():
            error: Literal["Unhandled"] | None = None if status == "success" else "Unhandled"
            running.answer.set_result(Outcome(payload=payload, error=error, log_tail=tail))
        if later:
            self._loop.call_soon(self._tell_report)  # behind the waking of who waits for the answer
        if reusable:
            self.state = State.IDLE
        self._owner.finished(self)
        if not reusable:
            self._end()

    def _tell_report(self) -> bytes | None:
        """End the last invocation in the log, if that is still to be done, and let through what came after it."""
        report, self._unreported = self._unreported, None
        if report is None:
            return None
        tail = report()
        if self._client is not None:
            self._client.pass_answer()
            self.printed(self._client)
        return tail

    def _report(
        self, request_id: str, sequence: int, duration: float, status: Status, error_type: str | None
    ) -> bytes | None:
        # Within a millisecond a function touches a few megabytes at most, and measuring costs as much as it does.
        if (
            duration > limits.MEMORY_UNMEASURED_MS
            or self._clock.monotonic() - self._measured > limits.MEMORY_MEASURED_S
        ):
            self._measure()
        report = Report(
            duration=duration,
            init_duration=self._init_ms if sequence == 1 else None,
            memory_mb=self.plan.function.memory_mb,
            peak_memory=self._peak,
            status=status,
            error_type=error_type,
        )
        return self._journal.end(request_id, report)

    def _measure(self) -> None:
        self._measured = self._clock.monotonic()
        if self._client is not None:
            self._peak = max(self._peak, self._client.peak_memory())

    def _end(self) -> None:
        self.retired = True
        self._alarm.stop()
        self.state = State.STOPPING
        if self._client is None:
            self._gone()
        else:
            self._client.kill()

    def _gone(self) -> None:
        self._alarm.stop()
        self._tell_report()
        self.state = State.GONE
        self._clear()
        self._owner.gone(self)

    def _clear(self) -> None:
        """Remove the scratch folder; most are empty, and the others may take long."""
        try:
            for boot in range(1, self._boots + 1):
                (self.plan.scratch / str(boot)).rmdir()
            self.plan.scratch.rmdir()
        except OSError:
            self._loop.run_in_executor(None, folders.remove, self.plan.scratch)

    def _kill(self, client: Client) -> None:
        """End the process, and take what it has said until now."""
        self._measure()
        client.kill()
        client.pass_answer()
        self.printed(client)

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


class _Error(msgspec.Struct, rename="camel"):
    error_type: str = "Runtime.Unknown"


def _error_type(payload: bytes) -> str:
    try:
        return msgspec.json.decode(payload, type=_Error).error_type
    except msgspec.DecodeError:
        return "Runtime.Unknown"
