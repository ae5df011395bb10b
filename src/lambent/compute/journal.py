"""An environment's journal: what it and the platform say, told in order to its log and to extensions that listen."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lambent.compute import loglines
from lambent.compute.loglines import JsonLines, Start, TextLines
from lambent.compute.telemetry import events, levels, subscriptions
from lambent.compute.telemetry.levels import Level
from lambent.compute.telemetry.relay import Relay
from lambent.kernel import limits
from lambent.kernel.facts import LogEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lambent.compute.loglines import Lines, Report, Response, Subject
    from lambent.compute.runtime_api.api import Version
    from lambent.compute.telemetry.events import Phase, Status
    from lambent.compute.telemetry.frames import Frame
    from lambent.compute.telemetry.wires import Connect
    from lambent.kernel.clock import Clock
    from lambent.kernel.facts import Facts, LogStream
    from lambent.kernel.tasks import Supervisor


class Journal:
    """Writes one log stream, and tells the extensions of the environment that subscribe to its telemetry.

    Extensions can subscribe from `init_start` to `init_report`; they are told all that has come since. `flush` belongs
    before SHUTDOWN, `close` at the end of the environment.

    A START waits for the next thing to be told, so that a quiet invocation is told once. In JSON format the log takes
    what its levels let through, in text all; subscribers get everything in either: the levels are those of the log.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """

    def __init__(self, facts: Facts, clock: Clock, stream: LogStream, subject: Subject, supervisor: Supervisor) -> None:
        self._facts = facts
        self._clock = clock
        self._stream = stream
        self._subject = subject
        self._function = subject.function
        self._relay = Relay(clock, supervisor)
        self._structured = subject.function.log_format == "JSON"
        self._lines = _lines(subject)
        self._level = _level(subject.function.log_level) if self._structured else Level.TRACE
        self._waiting: list[LogEvent] = []
        self._told = 0
        self._tail: _Tail | None = None
        """From INIT until it is known whether the first invocation wants it, then while one does."""
        self._started: dict[str, Start] = {}
        """The invocations in progress, by request id."""

    @property
    def attended(self) -> bool:
        """Whether anybody learns of more than the log as text says: `runtime_done` is for them alone."""
        return self._structured or self._relay.active

    @property
    def heard(self) -> bool:
        """Whether an extension has subscribed, so that `flush` is worth its while."""
        return self._relay.heard

    def init_start(self, phase: Phase = "init") -> None:
        """INIT begins. `phase` is `invoke` where it is repeated within an invocation, `snap-start` for a snapshot.
        Earlier subscriptions end."""
        self._relay.open()
        function, subject = self._function, self._subject
        before_any = phase == "init" and subject.initialization == "on-demand"
        if before_any and self._structured:
            self._tail = _Tail()
        self._tell(
            events.InitStart(
                initialization_type=subject.initialization,
                phase=phase,
                runtime_version=subject.runtime_version,
                runtime_version_arn=subject.runtime_version_arn,
                function_name=function.name,
                function_version=function.version,
                instance_id=self._stream.name,
                instance_max_memory=function.memory_mb * limits.MIB,
            )
        )
        if before_any and not self._structured:
            self._tail = _Tail()  # AWS's has all of INIT but the line that tells of its start

    def init_runtime_done(self, phase: Phase, status: Status, error_type: str | None = None) -> None:
        """The runtime has asked for its first event, or has failed before it."""
        kind = self._subject.initialization
        self._tell(events.InitRuntimeDone(initialization_type=kind, phase=phase, status=status, error_type=error_type))

    def init_report(self, phase: Phase, duration_ms: float, status: Status, error_type: str | None = None) -> None:
        """INIT is over, extensions included. Also where all is well: the format decides what the log says of it. Nobody
        subscribes after it."""
        self._tell(
            events.InitReport(
                initialization_type=self._subject.initialization,
                phase=phase,
                status=status,
                error_type=error_type,
                metrics=events.Duration(loglines.rounded(duration_ms)),
            )
        )
        self._relay.seal()

    def restore_start(self) -> None:
        """The environment is made from a snapshot (SnapStart). Extensions can subscribe until `restore_report`."""
        self._relay.open()
        function, subject = self._function, self._subject
        self._tell(
            events.RestoreStart(
                runtime_version=subject.runtime_version,
                runtime_version_arn=subject.runtime_version_arn,
                function_name=function.name,
                function_version=function.version,
                instance_id=self._stream.name,
                instance_max_memory=function.memory_mb * limits.MIB,
            )
        )

    def restore_runtime_done(self, status: Status, error_type: str | None = None) -> None:
        """The runtime has run its after-restore hooks, or has failed to."""
        self._tell(events.RestoreRuntimeDone(status=status, error_type=error_type))

    def restore_report(self, duration_ms: float, status: Status, error_type: str | None = None) -> None:
        """The restore is over."""
        metrics = events.Duration(loglines.rounded(duration_ms))
        self._tell(events.RestoreReport(status=status, error_type=error_type, metrics=metrics))
        self._relay.seal()

    def start(
        self, request_id: str, *, tail: bool = False, trace_id: str | None = None, tenant_id: str | None = None
    ) -> None:
        """An invocation begins. `tail`: `end` is to return the last of its log, to which belongs, for the first one on
        demand, all that INIT has told. `trace_id` is the tracing header that the runtime gets. Where INIT is repeated
        within the invocation, AWS tells START behind its INIT_REPORT."""
        now = self._clock.time()
        start = self._started[request_id] = Start(request_id, now, loglines.sampled(trace_id), tenant_id)
        if self._relay.active:
            self._relay.tell(now, start.record(self._function))
        if not tail:
            self._tail = None
        elif self._tail is None:
            self._tail = _Tail()
        stamp = self._stamp(now)
        for line in self._lines.start(now, start):
            self._waiting.append(LogEvent(stamp, line))
            if self._tail is not None:
                self._tail.add(line)

    def write(self, messages: Iterable[str]) -> None:
        """Tell messages of the function, each one event; a line of text ends with its newline."""
        now = self._clock.time()
        if self._relay.active:
            messages = list(messages)
            for message in messages:
                self._relay.tell(now, events.Line(text=message, structured=self._structured))
        if self._structured:
            self._log(self._passing(now, messages))
        else:
            stamp = self._stamp(now)
            self._log([LogEvent(stamp, message) for message in messages])

    def framed(self, frames: Sequence[Frame]) -> None:
        """Tell messages of the function that have come through the framed log descriptor."""
        now = self._clock.time()
        if self._relay.active:
            for frame in frames:
                self._relay.tell(now, events.Line(text=frame.text, structured=self._structured))
        self._log(
            [
                LogEvent(self._stamp(now, frame.time), frame.text)
                for frame in frames
                if frame.level is None or frame.level >= self._level
            ]
        )

    def write_extension(self, messages: Sequence[str]) -> None:
        """Tell lines of an external extension; they have no level. Internal extensions write with the function."""
        now = self._clock.time()
        if self._relay.active:
            for message in messages:
                self._relay.tell(now, events.ExtensionLine(text=message, structured=self._structured))
        stamp = self._stamp(now)
        self._log([LogEvent(stamp, message) for message in messages])

    def runtime_done(
        self,
        request_id: str,
        status: Status,
        *,
        duration_ms: float,
        produced_bytes: int,
        response: Response | None = None,
        error_type: str | None = None,
    ) -> None:
        """The runtime is done with the invocation: it asks for the next, or was ended; extensions may go on. To be told
        at once, for many an extension asks for its own next event only when it has heard of this, and before `end`.
        `produced_bytes` is the size of the answer; `response` is None where there was none."""
        if not self.attended:
            return
        start = self._started[request_id]
        self._tell(
            events.RuntimeDone(
                request_id=request_id,
                tenant_id=start.tenant_id,
                status=status,
                error_type=error_type,
                tracing=start.tracing(),
                spans=() if response is None else response.spans(start.began),
                metrics=events.Produced(loglines.rounded(duration_ms), produced_bytes),
            )
        )

    def end(self, request_id: str, report: Report) -> bytes | None:
        """An invocation that has started is over: END and REPORT. Returns the last 4 KiB of its log where they were
        wanted."""
        start = self._started.pop(request_id)
        now = self._clock.time()
        if self._relay.active:
            self._relay.tell(now, events.End(request_id=request_id))
            self._relay.tell(now, start.report(report))
        stamp = self._stamp(now)
        self._log([LogEvent(stamp, line) for line in self._lines.end(now, start, report)])
        tail, self._tail = self._tail, None
        return None if tail is None else tail.bytes()

    def extension(self, name: str, state: str, subscribed: Iterable[str], error_type: str | None = None) -> None:
        """What has become of an extension by the end of INIT: its state (`Ready`, `LaunchError`, ...) and the events
        that it is registered for."""
        self._tell(events.Extension(name=name, state=state, events=tuple(subscribed), error_type=error_type))

    def timed_out(self, request_id: str, timeout_s: float) -> None:
        """The function's time is up."""
        self.fault(loglines.timed_out(self._clock.time(), request_id, timeout_s))

    def exited(self, request_id: str, problem: str, error_type: str = "Runtime.ExitError") -> None:
        """The runtime, or an extension, has ended within an invocation; `problem` is AWS's sentence for it."""
        self.fault(loglines.exited(request_id, problem, error_type))

    def fault(self, text: str) -> None:
        """Any other reason why an invocation has broken off: `text`, with its newline."""
        self._tell(events.Fault(text=text))

    def subscribe(self, extension: str, version: Version, body: bytes, connect: Connect) -> None:
        """Subscribe an extension to telemetry as the JSON in `body` says; it listens where `connect` reaches. Once more
        by the same API changes nothing. Raises Refusal in AWS's words."""
        subscription = subscriptions.parse(version, body)
        if not self._relay.subscribe(extension, subscription, connect, self._dropped):
            return
        kind = events.TelemetrySubscription if version == subscriptions.TELEMETRY_API else events.LogsSubscription
        self._tell(kind(name=extension, state="Subscribed", types=subscription.types))

    async def flush(self) -> None:
        """Wait until subscribers have what was told until now, at most TELEMETRY_FLUSH_S."""
        await self._relay.flush()

    def close(self) -> None:
        """Tell subscribers nothing more, and let go of the connections to them. The log stays open."""
        self._relay.close()

    def _tell(self, record: events.Record) -> None:
        now = self._clock.time()
        if self._relay.active:
            self._relay.tell(now, record)
        self._log_event(now, record)

    def _dropped(self, record: events.LogsDropped) -> None:
        """A subscriber has not kept up. The log says it; other subscribers have nothing to do with it."""
        self._log_event(self._clock.time(), record)

    def _log_event(self, now: float, record: events.Record) -> None:
        if lines := self._lines.event(now, record):
            stamp = self._stamp(now)
            self._log([LogEvent(stamp, line) for line in lines])

    def _passing(self, now: float, messages: Iterable[str]) -> list[LogEvent]:
        """What the application log level lets through; what has no level always passes."""
        passing = []
        for message in messages:
            found = levels.read(message)
            if found is None:
                passing.append(LogEvent(self._stamp(now), message))
            elif found.level >= self._level:
                passing.append(LogEvent(self._stamp(now, found.time), message))
        return passing

    def _stamp(self, now: float, own: float | None = None) -> int:
        """The timestamp of an event, in milliseconds. The time that a message gives itself is believed as far as it
        keeps the order and does not lie ahead: it is the function's word."""
        arrived = int(now * 1000)
        stamp = arrived if own is None or own >= now else int(own * 1000)
        self._told = max(stamp, self._told)
        return self._told

    def _log(self, told: list[LogEvent]) -> None:
        if not told:
            return
        if self._tail is not None:
            for event in told:
                self._tail.add(event.message)
        if self._waiting:
            told = self._waiting + told
            self._waiting = []
        self._facts.log(self._stream, told)


class _Tail:
    """The last LOG_TAIL_BYTES of what was added."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._size = 0

    def add(self, message: str) -> None:
        data = message.encode() if message.endswith("\n") else message.encode() + b"\n"
        self._messages.append(data)
        self._size += len(data)
        while self._size - len(self._messages[0]) >= limits.LOG_TAIL_BYTES:
            self._size -= len(self._messages.popleft())

    def bytes(self) -> bytes:
        return b"".join(self._messages)[-limits.LOG_TAIL_BYTES :]


def _lines(subject: Subject) -> Lines:
    if subject.function.log_format == "JSON":
        return JsonLines(subject, _level(subject.function.system_log_level))
    return TextLines(subject)


def _level(name: str) -> Level:
    level = levels.named(name)
    assert level is not None, "levels come from the service, which has checked them"
    return level
