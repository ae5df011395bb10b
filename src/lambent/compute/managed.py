"""An environment on managed instances: one place where one function version runs, several invocations at a time.

starting -> init -> idle -> stopping -> gone; idle whenever INIT is over. INIT is not repeated, nor is anything reset:
what has failed is replaced. An invocation whose time is up has failed, and runs on: its worker is free again when it
has answered all the same. A worker may have died instead, which nobody tells: who asks in its place takes that, and
where nobody does, the environment is replaced after as much time again.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from lambent.compute import endings
from lambent.compute.dwelling import Dwelling
from lambent.compute.function import Outcome
from lambent.compute.guests import Guests
from lambent.compute.household import NoEntrypoint
from lambent.compute.progress import Running
from lambent.compute.runtime_api.workers import Workers
from lambent.compute.state import State
from lambent.compute.streaming import Nowhere, Stream
from lambent.kernel import limits

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.boot import Plan
    from lambent.compute.extensions.api import Reason
    from lambent.compute.function import Invocation
    from lambent.compute.journal import Journal
    from lambent.compute.occupancy import Household
    from lambent.compute.runtime_api.api import Sink
    from lambent.compute.sandbox.api import Cell
    from lambent.compute.telemetry.events import Status
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor


class Owner(Protocol):
    """Who an environment belongs to. All of it is called on the event loop."""

    def ready(self, environment: ManagedEnvironment) -> None:
        """INIT has succeeded: it takes invocations now."""

    def finished(self, environment: ManagedEnvironment) -> None:
        """It has room for one invocation more."""

    def worn(self, environment: ManagedEnvironment) -> None:
        """A worker of it has died, or does not come to an end: it will never have as much room again as it had."""

    def gone(self, environment: ManagedEnvironment) -> None:
        """Nothing of it is left, and nothing of its invocations. `init_problem` says whether INIT has failed."""


class _Task(msgspec.Struct):
    """An invocation that takes a worker. One whose time is up is over for everybody but the worker."""

    running: Running
    alarm: Timer
    overdue: bool = False


class ManagedEnvironment(Dwelling):
    """The state machine. All of it runs on the event loop, in callbacks of the guests and the clock."""

    def __init__(
        self,
        plan: Plan,
        cell: Cell,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        supervisor: Supervisor,
        owner: Owner,
    ) -> None:
        super().__init__(plan, cell, journal, clock, ids, supervisor)
        assert plan.function.managed is not None
        self._owner = owner
        self._most = plan.function.managed.concurrency
        self._workers = Workers(_Ear(self), self._most)
        self._tasks: dict[int, _Task] = {}
        self._sequence = 0
        self._limit: Timer | None = None

    @property
    def running(self) -> int:
        """The workers that are taken."""
        return len(self._tasks)

    @property
    def room(self) -> int:
        """How many invocations it can take now. A worker that asks takes the place of one whose time is up."""
        if self.state is not State.IDLE or self.retired:
            return 0
        return min(self._most - self._awaited, max(self._most - len(self._tasks), self._workers.asking))

    def start(self) -> None:
        """Begin INIT. Never raises: the owner is told how it went, of a failure to start at the next turn."""
        cell, self._cell = self._cell, None
        assert cell is not None
        self.state = State.INIT
        self._boot.begin(invoked=False)
        try:
            self._move_in(cell)
        except (OSError, NoEntrypoint) as error:
            kind = "Runtime.InvalidEntrypoint" if isinstance(error, NoEntrypoint) else "Runtime.ExitError"
            self._loop.call_soon(self._init_over, "error", kind)
            return
        self._limit = self._clock.call_later(self.plan.init_limit_s, partial(self._init_over, "timeout", None))

    def begin(self, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        """Run `invocation` and resolve `answer`. There must be room."""
        assert self.room > 0 and self._guests is not None
        self._sequence += 1
        now = self._clock.monotonic()
        timeout = self.function.timeout_s
        running = Running(invocation, answer, now, now + timeout)
        alarm = self._clock.call_later(timeout, partial(self._timed_out, self._sequence))
        self._tasks[self._sequence] = _Task(running, alarm)
        self._progress.start(running)
        deadline_ms = int((self._clock.time() + timeout) * 1000)
        self._workers.event(self._guests.event(self._sequence, invocation, deadline_ms))

    def retire(self) -> None:
        """Take no invocation more, and end with the last one that somebody waits for."""
        self.retired = True
        if not self._awaited:
            self.stop()

    def stop(self) -> None:
        """End it; invocations in progress end with it. Harmless when it has ended."""
        if self.state not in (State.STOPPING, State.GONE):
            self._break_off("Sandbox.Failure", "The environment was stopped", "failure")
            self._end("spindown")

    # Of the guests.

    def init_succeeded(self) -> None:
        """Of the guests."""
        self._initialised = True
        self._clear_limit()
        self._tell_init_done("success", None)
        self.state = State.IDLE
        self._owner.ready(self)

    def init_failed(self, error: bytes, kind: str) -> None:  # noqa: ARG002 nobody waits for the error itself
        """Of the guests: the runtime or an extension says why it cannot."""
        self._init_over("error", kind)

    def runtime_done(self) -> None:
        """Of the guests: the runtime is ready for its first event."""
        self._boot.runtime_done("success", None)

    def settling(self) -> None:
        """As `answered`."""

    def settled(self) -> None:
        """Of the guests; extensions have no part in invocations here."""

    def answered(self, payload: bytes, *, failed: bool) -> None:
        """Of the guests, for runtimes that answer in packets; there is none here."""

    def broken(self, payload: bytes, kind: str) -> None:
        """As `answered`."""

    def too_large(self) -> None:
        """As `answered`."""

    def streaming(self, content_type: str) -> Sink:  # noqa: ARG002 a watcher's shape
        """As `answered`."""
        return Nowhere()

    def extension_failed(self, kind: str, problem: str) -> None:
        """Of the guests: without its extensions an environment does not go on. `problem` is AWS's sentence."""
        if self.state is State.INIT:
            self._init_over("error", kind)
        elif self.state is State.IDLE:
            self._break_off(kind, problem, "error")
            self._end("failure")

    def printed(self) -> None:
        """Of the guests: there is output."""
        self._take_output()

    def exited(self, status: int) -> None:
        """Of the guests: the runtime has ended, with all its workers."""
        self._progress.measure(self._guests)
        self.printed()
        kind = endings.kind_of_runtime(status, out_of_memory=self._guests is not None and self._guests.out_of_memory)
        if self.state is State.INIT:
            self._init_over("error", kind)
        elif self.state is State.IDLE:
            self._break_off(kind, endings.of_runtime(status), "error")
            self._end("failure")

    def gone(self) -> None:
        """Of the guests: every process has ended."""
        self._clear_limit()
        self._journal.close()
        self.state = State.GONE
        self._owner.gone(self)

    # Of the workers, each of which answers for one invocation.

    def asked(self) -> None:
        """One of them has no event. It may be there for one that has died."""
        if self._awaited < len(self._tasks):
            self._owner.finished(self)

    def ready(self) -> None:
        """The first of them asks for an event."""
        if self._guests is not None:
            self._guests.ready()

    def initialisation_failed(self, error: bytes, kind: str) -> None:
        """One of them says that it cannot."""
        if self._guests is not None:
            self._guests.init_failed(error, kind)

    def answer(self, sequence: int, payload: bytes, kind: str | None) -> None:
        """The answer to one invocation; where the function has failed, its error JSON and the type of the error."""
        running = self._answering(sequence)
        if running is not None:
            self._note(running, payload, "success" if kind is None else "error", kind)

    def begin_stream(self, sequence: int, content_type: str) -> Sink:
        """The answer to one invocation begins. Its caller takes it from here on."""
        running = self._answering(sequence)
        if running is None:
            return Nowhere()
        running.stream = Stream(self._clock, partial(self._streamed, running), content_type)
        running.outcome = Outcome(payload=b"", stream=running.stream)
        if running.answer.done():
            running.stream.cancel()  # its caller is gone already, and nobody will ever read
        running.resolve()
        return running.stream

    def done(self, sequence: int) -> None:
        """The answer has come whole: its worker is free."""
        task = self._tasks.pop(sequence, None)
        if task is None:
            return
        if task.overdue:
            task.alarm.cancel()
        else:
            self._report(task)
        self._freed()

    @property
    def _awaited(self) -> int:
        """How many invocations are in progress whose time is not up. The code of one that failed may run for ever."""
        return sum(not task.overdue for task in self._tasks.values())

    def _guests_in(self, cell: Cell, household: Household) -> Guests:
        connections = limits.RUNTIME_API_CONNECTIONS + limits.RUNTIME_API_CONNECTIONS_PER_WORKER * self._most
        return Guests(cell, household, self._clock, self._ids, self, self, self._workers, connections)

    def _init_over(self, status: Status, error_type: str | None) -> None:
        """INIT has failed: nothing is served, and nothing is tried again in here."""
        if self.state is not State.INIT:
            return  # it was stopped before it could be told
        self.init_problem = error_type or status
        self._clear_limit()
        self._silence()
        self._tell_init_done(status, error_type)
        self._let_go()
        self.gone()

    def _clear_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _answering(self, sequence: int) -> Running | None:
        """The invocation that is being answered; None where its time is up. What was printed before is in the log."""
        task = self._tasks.get(sequence)
        if task is None or task.overdue or self._guests is None:
            return None
        self._guests.drain()
        self.printed()
        return task.running

    def _note(self, running: Running, payload: bytes, status: Status, kind: str | None) -> None:
        """Note the answer. Its caller has it when the worker is done with it, and may ask for the worker again."""
        running.ended = self._clock.monotonic()
        running.status, running.error_type = status, kind
        if running.outcome is None:
            running.outcome = Outcome(payload=payload, error=None if status == "success" else "Unhandled")

    def _streamed(self, running: Running, stream: Stream) -> None:
        """The last byte of a streamed answer is written, or it has broken off."""
        if running.status == "success":
            running.ended = self._clock.monotonic()
            if stream.error_type is not None:
                running.status, running.error_type = "error", stream.error_type

    def _timed_out(self, sequence: int) -> None:
        """The invocation has failed. If it has a worker, that is not free before it has answered."""
        task = self._tasks[sequence]
        timeout = self.function.timeout_s
        self._journal.timed_out(task.running.invocation.request_id, timeout)
        self._fail(task, "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds", "timeout")
        if self._workers.withdraw(sequence):
            del self._tasks[sequence]
            self._freed()
        elif self.retired and not self._awaited:
            self.stop()
        else:
            task.alarm = self._clock.call_later(timeout, partial(self._given_up, sequence))

    def _given_up(self, sequence: int) -> None:
        """The worker of an invocation whose time is long up has not answered. Where all of them are accounted for
        without it, another one is there in its place."""
        if self.state is not State.IDLE or self.retired:
            return
        if self._workers.asking + self._awaited >= self._most:
            del self._tasks[sequence]
            self._workers.forget(sequence)
        else:
            self._owner.worn(self)

    def _fail(self, task: _Task, kind: str, problem: str, status: Status) -> None:
        """Answer an invocation with an error of the platform's."""
        running = task.running
        task.overdue = True
        payload = endings.error(kind, f"RequestId: {running.invocation.request_id} Error: {problem}")
        if running.stream is not None:
            running.stream.fail(kind, payload)
        self._note(running, payload, status, None if status == "timeout" else kind)
        self._report(task)

    def _break_off(self, kind: str, problem: str, status: Status) -> None:
        """Fail every invocation in progress."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            if task.overdue:
                task.alarm.cancel()
            else:
                self._journal.exited(task.running.invocation.request_id, problem, kind)
                self._fail(task, kind, problem, status)

    def _report(self, task: _Task) -> None:
        running = task.running
        running.over = self._clock.monotonic()
        task.alarm.cancel()
        running.resolve()
        self._progress.over(running)
        self._progress.report(running, self._guests, first=False)
        if running.stream is not None:
            running.stream.end()
            running.stream.complete()

    def _freed(self) -> None:
        if self.retired and not self._awaited:
            self.stop()
        else:
            self._owner.finished(self)

    def _end(self, reason: Reason) -> None:
        self._clear_limit()
        self._workers.end()
        self._leave(reason)


class _Ear:
    """What the Runtime API tells of the workers, told to their environment."""

    def __init__(self, environment: ManagedEnvironment) -> None:
        self._environment = environment

    def ready(self) -> None:
        self._environment.ready()

    def init_failed(self, error: bytes, kind: str) -> None:
        self._environment.initialisation_failed(error, kind)

    def answered(self, sequence: int, body: bytes) -> None:
        self._environment.answer(sequence, body, None)

    def failed(self, sequence: int, body: bytes, kind: str) -> None:
        self._environment.answer(sequence, body, kind)

    def broken(self, sequence: int, body: bytes, kind: str) -> None:
        self._environment.answer(sequence, body, kind)

    def too_large(self, sequence: int) -> None:
        kind, limit = "Function.ResponseSizeTooLarge", limits.INVOKE_PAYLOAD_BYTES
        problem = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
        self._environment.answer(sequence, endings.error(kind, problem), kind)

    def streaming(self, sequence: int, content_type: str) -> Sink:
        return self._environment.begin_stream(sequence, content_type)

    def waiting(self, sequence: int) -> None:
        self._environment.done(sequence)

    def asked(self) -> None:
        self._environment.asked()

    def restore_ready(self) -> None:
        """Never told: nothing here is made from a snapshot."""

    def restored(self) -> None:
        """As `restore_ready`."""

    def restore_failed(self, error: bytes, kind: str) -> None:
        """As `restore_ready`."""
