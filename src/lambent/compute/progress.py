"""One invocation in progress, and what the journal of its environment is told of it from START to REPORT."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.loglines import Report, Response
from lambent.kernel import limits

if TYPE_CHECKING:
    import asyncio

    from lambent.compute.boot import Boot, Plan
    from lambent.compute.function import Invocation, Outcome
    from lambent.compute.guests import Guests
    from lambent.compute.journal import Journal
    from lambent.compute.streaming import Stream
    from lambent.compute.telemetry.events import Status
    from lambent.kernel.clock import Clock


class Running(msgspec.Struct):
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
    over: float = 0.0
    """When everybody had done with it."""

    @property
    def responded(self) -> bool:
        """Whether the function has given a result, and not an error or nothing."""
        return self.stream is not None or (self.outcome is not None and self.outcome.error is None)

    @property
    def produced(self) -> int:
        """Bytes of the function's result; AWS counts none of an error."""
        if self.stream is not None:
            return self.stream.size
        return len(self.outcome.payload) if self.outcome is not None and self.responded else 0

    def resolve(self) -> None:
        """Give the outcome to who waits for it."""
        if not self.answer.done():
            assert self.outcome is not None
            self.answer.set_result(self.outcome)


class Progress:
    """Tells the journal of an environment's invocations, and measures what they use."""

    def __init__(self, plan: Plan, boot: Boot, journal: Journal, clock: Clock) -> None:
        self._plan = plan
        self._boot = boot
        self._journal = journal
        self._clock = clock
        self._peak = 0
        self._measured = 0.0

    def start(self, running: Running) -> None:
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

    def runtime_done(self, running: Running) -> None:
        """The runtime asks for the next event, after an answer to this one or without."""
        if self._journal.attended:
            self._tell_runtime_done(running, self._response(running) if running.responded else None)
        running.runtime_done = True

    def over(self, running: Running) -> None:
        """The invocation is over, whether the runtime is done or not."""
        self._tell_runtime_done(running, None)

    def report(self, running: Running, guests: Guests | None, *, first: bool) -> bytes | None:
        """Tell END and REPORT; the end of the log, where it is wanted. `first` is for the environment's first one."""
        now = self._clock.monotonic()
        duration = self._duration(running)
        # A measure costs a tenth of a short invocation, and the kernel remembers the peak for the next one.
        late = now - self._measured > limits.MEMORY_MEASURED_S
        if late or running.invocation.tail or duration > limits.MEMORY_UNMEASURED_MS:
            self.measure(guests)
        took = self._boot.took_ms if first else None
        restored = took if self._plan.origin == "restore" else None
        report = Report(
            duration=duration,
            init_duration=took if self._plan.kind == "on-demand" else None,
            restore_duration=restored,
            billed_restore=math.ceil(restored or 0.0),
            memory_mb=self._plan.function.memory_mb,
            peak_memory=self._peak,
            status=running.status,
            error_type=running.error_type,
        )
        return self._journal.end(running.invocation.request_id, report)

    def measure(self, guests: Guests | None) -> None:
        """Take note of the memory that `guests` have used at most."""
        self._measured = self._clock.monotonic()
        if guests is not None:
            self._peak = max(self._peak, guests.peak_memory())

    def _response(self, running: Running) -> Response:
        """How the runtime has answered, now that it asks for the next event."""
        first = running.ended if running.stream is None else running.stream.first or running.ended
        return Response(
            latency=(first - running.began) * 1000,
            duration=(running.ended - first) * 1000,
            overhead=(self._clock.monotonic() - running.ended) * 1000,
        )

    def _tell_runtime_done(self, running: Running, response: Response | None) -> None:
        """Once for each invocation: when the runtime asks for the next, or when it is ended before that."""
        if not running.runtime_done:
            running.runtime_done = True
            self._journal.runtime_done(
                running.invocation.request_id,
                running.status,
                duration_ms=(self._clock.monotonic() - running.began) * 1000,
                produced_bytes=running.produced,
                response=response,
                error_type=running.error_type,
            )

    def _duration(self, running: Running) -> float:
        """Milliseconds until everybody had done with it, extensions included; at the end of its time exactly that."""
        if running.status == "timeout":
            return self._plan.function.timeout_s * 1000.0
        return (running.over - running.began) * 1000
