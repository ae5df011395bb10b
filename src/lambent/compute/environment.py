"""An execution environment: one place where one function version runs, one invocation at a time.

starting -> init -> idle <-> busy -> stopping -> gone. INIT has a time of its own; where it fails, it is repeated in a
new cell within the first invocation and under the function's timeout, as on AWS. The clock of a timeout is ours.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lambent.compute import endings
from lambent.compute.boot import restore_failure
from lambent.compute.dwelling import Dwelling
from lambent.compute.function import Outcome
from lambent.compute.guests import Guests, discard
from lambent.compute.household import NoEntrypoint
from lambent.compute.progress import Running
from lambent.compute.state import State
from lambent.compute.streaming import Stream
from lambent.kernel import limits
from lambent.kernel.clock import Alarm

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.boot import Plan
    from lambent.compute.extensions.api import Reason
    from lambent.compute.freezer import Freezer
    from lambent.compute.function import Invocation
    from lambent.compute.journal import Journal
    from lambent.compute.occupancy import Household
    from lambent.compute.pooled import Owner
    from lambent.compute.runtime_api.api import Sink
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.events import Status
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor


log = logging.getLogger(__name__)


class Environment(Dwelling):
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
        super().__init__(plan, cell, journal, clock, ids, supervisor)
        self.idle_since = 0.0
        self._freezer = freezer
        self._owner = owner
        self._alarm = Alarm(clock)
        self._sequence = 0
        self._running: Running | None = None
        self._unreported: Running | None = None
        """The last invocation, while the log has no REPORT of it."""

    @property
    def parked(self) -> bool:
        """Whether it is a snapshot that can be restored from."""
        return self._guests is not None and self._guests.parked

    def start(self) -> None:
        """Begin INIT. Never raises: the owner is told how it went, of a failure to start at the next turn."""
        cell, self._cell = self._cell, None
        assert cell is not None
        self.state = State.INIT
        self._boot.begin(invoked=False)
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
        self._alarm.set(self._clock.monotonic() + self.plan.init_limit_s, self._init_timed_out)

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Run `invocation` and resolve `answer`. The environment must be idle."""
        assert self.state is State.IDLE
        self._freezer.wake(self)
        if self._unreported is not None:
            self._tell_report()
        now = self._clock.monotonic()
        deadline = now + self.function.timeout_s
        self.state = State.BUSY
        self._sequence += 1
        self._running = running = Running(invocation, answer, now, deadline)
        self._alarm.set(deadline, self._timed_out)
        if self._guests is None:
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
        self._loop.call_soon(self._measure)  # behind the event that somebody waits to have sent
        self._tell_init_done("success", None)
        if self._running is not None:
            self._send(self._guests)
            return
        self._alarm.clear()
        self._rest()
        self._owner.ready(self)

    def init_failed(self, error: bytes, kind: str) -> None:
        """Of the guests: the runtime or an extension says why it cannot."""
        if self._running is None:
            self._init_over("error", kind)
        else:
            self._tell_init_done("error", kind)
            self._fail_with(error, "error", kind)
            self._finish()

    def answered(self, payload: bytes, *, failed: bool) -> None:
        """Of the guests: the answer to the running event. Of an error that the function itself tells only the caller
        hears: for the platform, a runtime that goes on has succeeded."""
        self._take_output()
        self._answer(payload, failed=failed)

    def broken(self, payload: bytes, kind: str) -> None:
        """Of the guests: the answer to the running event is none."""
        self._take_output()
        self._fail_with(payload, "error", kind)

    def too_large(self) -> None:
        """Of the guests: the answer was too large, and AWS keeps no environment that gave one."""
        limit = limits.INVOKE_PAYLOAD_BYTES
        problem = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
        kind = "Function.ResponseSizeTooLarge"
        self.printed()
        self.retired = True
        self._fail_with(endings.error(kind, problem), "error", kind)

    def streaming(self, content_type: str) -> Sink:
        """Of the guests: the answer begins. Its caller takes it from here on."""
        running = self._running
        assert running is not None
        running.stream = Stream(self._clock, self._streamed, content_type)
        running.outcome = Outcome(payload=b"", stream=running.stream)
        if running.answer.done():
            running.stream.cancel()  # its caller is gone already, and nobody will ever read
        running.resolve()
        return running.stream

    def settling(self) -> None:
        """Of the guests: the answer is given, and whoever comes next need not wait long."""
        if not self.retired and self._running is not None and not self._running.invocation.tail:
            self._owner.settling(self)

    def runtime_done(self) -> None:
        """Of the guests: the runtime asks for an event. Told at once, for extensions may wait to hear of it."""
        if not self._initialised:
            self._boot.runtime_done("success", None)
        elif self._running is not None:
            self._progress.runtime_done(self._running)

    def settled(self) -> None:
        """Of the guests: everybody has done with the invocation."""
        if self._running is None:
            return
        if self._running.outcome is None:
            self._break_off("Runtime.Unknown", "Runtime asked for another event without an answer")
        else:
            self._finish()

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
        if self._unreported is not None:
            self._tell_report()
        self._take_output()

    def exited(self, status: int) -> None:
        """Of the guests: the runtime has ended."""
        self._progress.measure(self._guests)
        self.printed()
        kind = endings.kind_of_runtime(status, out_of_memory=self._guests is not None and self._guests.out_of_memory)
        match self.state:
            case State.INIT:
                self._init_over("error", kind)
            case State.BUSY:
                self._break_off(kind, endings.of_runtime(status))
            case _:
                self._end("failure")

    def gone(self) -> None:
        """Of the guests: every process has ended."""
        self._alarm.stop()
        self._tell_report()
        self._journal.close()
        self.state = State.GONE
        self._owner.gone(self)

    async def _init_again(self, running: Running) -> None:
        """Repeat INIT in a new cell, within the first invocation."""
        try:
            cell = await self.plan.cell()
            if self._running is not running:
                discard(cell)
                return
            self._boot.begin(invoked=True)
            self._move_in(cell)
        except OSError as error:
            if self._running is running:
                log.warning("%s could not be started: %s", self.function.arn, error)
                self._break_off("Runtime.ExitError", endings.NOT_STARTED)
        except NoEntrypoint as problem:
            self._break_off("Runtime.InvalidEntrypoint", str(problem))

    def _guests_in(self, cell: Cell, household: Household) -> Guests:
        return Guests(cell, household, self._clock, self._ids, self, self)

    def _init_timed_out(self) -> None:
        self._init_over("timeout", None)

    def _init_over(self, status: Status, error_type: str | None) -> None:
        """INIT has failed before any invocation: the environment takes one all the same, and tries again in it."""
        if self.state is not State.INIT:
            return  # it was stopped before it could be told
        self.init_problem = error_type or status
        self._alarm.clear()
        self._silence()
        self._tell_init_done(status, error_type)
        self._let_go()
        if self.plan.origin == "restore":
            self._journal.close()
            self.state = State.GONE
            self._owner.failed(self, restore_failure(status))
            return
        self.state = State.IDLE
        self._owner.ready(self)

    def _measure(self) -> None:
        self._progress.measure(self._guests)

    def _send(self, guests: Guests) -> None:
        running = self._running
        assert running is not None
        self._progress.start(running)
        deadline = self._clock.time() + running.deadline - self._clock.monotonic()
        guests.invoke(self._sequence, running.invocation, int(deadline * 1000))

    def _end_init(self, running: Running, status: Status, error_type: str | None) -> None:
        """Tell START before what has ended `running`, and before that how an INIT has ended that was still repeated."""
        if self._boot.under_way:
            self._tell_init_done(status, error_type)
        self._progress.start(running)

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
        payload, kind_told = endings.error(kind, text), None if kind == "Sandbox.Timedout" else kind
        if running.stream is not None:
            running.stream.fail(kind, payload)
        if running.outcome is None:
            self._fail_with(payload, status, kind_told)
        else:  # the answer is on its way, but somebody was not done
            running.status, running.error_type = status, kind_told
        self._finish()

    def _fail_with(self, payload: bytes, status: Status, error_type: str | None) -> None:
        """Answer with what is no success of the runtime's either."""
        running = self._running
        assert running is not None
        running.status, running.error_type = status, error_type
        self._answer(payload, failed=True)

    def _answer(self, payload: bytes, *, failed: bool) -> None:
        """Note the answer, and give it to who waits unless the end of the log is wanted with it."""
        running = self._running
        assert running is not None
        running.ended = self._clock.monotonic()
        running.outcome = Outcome(payload=payload, error="Unhandled" if failed else None)
        if not running.invocation.tail:
            running.resolve()

    def _streamed(self, stream: Stream) -> None:
        """The last byte of a streamed answer is written, or it has broken off."""
        running = self._running
        if running is not None and running.stream is stream and running.status == "success":
            running.ended = self._clock.monotonic()
            if stream.error_type is not None:
                running.status, running.error_type = "error", stream.error_type

    def _finish(self) -> None:
        """The invocation is over. The report follows once the answer is on its way, where nobody waits for it."""
        running = self._running
        assert running is not None
        self._running = None
        self._alarm.clear()
        running.over = self._clock.monotonic()
        if not running.started:
            self._end_init(running, running.status, running.error_type)
        if not running.runtime_done:
            self._progress.over(running)
        reusable = self._initialised and not self.retired
        self._unreported = running
        if reusable and not running.invocation.tail:
            self._loop.call_soon(self._tell_report)  # behind the waking of who waits for the answer
        else:
            tail = self._tell_report()
            assert running.outcome is not None
            running.outcome = msgspec.structs.replace(running.outcome, log_tail=tail)
        if running.stream is not None:
            running.stream.end()
            running.stream.complete(running.outcome.log_tail if running.outcome else None)
        if not running.answer.done():
            running.resolve()
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
        running, self._unreported = self._unreported, None
        if running is None:
            return None
        tail = self._progress.report(running, self._guests, first=self._sequence == 1)
        if self._guests is not None:
            self._guests.pass_answer()
            self._take_output()
        return tail

    def _end(self, reason: Reason) -> None:
        self._alarm.stop()
        self._freezer.wake(self)
        self._leave(reason)
