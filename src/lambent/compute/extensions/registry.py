"""The extensions of one environment as a state machine: who is registered, what each is doing, and who waits for whom.

Started -> Registered -> Ready -> Running -> Ready ..., and from there to InitError, ExitError, LaunchError or Exited.
External extensions are programs that are known beforehand; any other name that registers is an internal one.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.compute import endings, guestjson
from lambent.compute.extensions.api import Extension
from lambent.compute.runtime_api.api import Refusal
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.compute.extensions.api import EventType, Reason, Waiter, Watcher
    from lambent.compute.runtime_api.api import About, Event
    from lambent.kernel.ids import Ids

_KNOWN_ERROR = re.compile(r"Extension\.[A-Z][a-zA-Z]+")
_OBSTACLES = ("PermissionDenied", "TooManyExtensions")
"""What keeps an extension from being started and has a name of its own."""
_EVENT_TYPES: tuple[EventType, ...] = ("INVOKE", "SHUTDOWN")


class State(enum.Enum):
    """Where an extension is; the values are AWS's names, which extensions see in errors and people in logs."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXITED = "Exited"


class _Registration(msgspec.Struct):
    events: list[str] | None = None
    configuration_keys: list[str] | None = msgspec.field(default=None, name="configurationKeys")


_registration = guestjson.decoder(_Registration)


class _Agent:
    """One extension. Between two of its requests `event` is the body that it has not fetched yet."""

    __slots__ = ("error_type", "event", "events", "external", "identifier", "name", "registered", "state", "waiter")

    def __init__(self, name: str, identifier: str, *, external: bool) -> None:
        self.name = name
        self.identifier = identifier
        self.external = external
        self.registered = False
        self.state = State.STARTED
        self.events: tuple[EventType, ...] = ()
        self.error_type: str | None = None
        self.waiter: Waiter | None = None
        self.event: bytes | None = None


class Extensions:
    """`expected` are the names of the external extensions that are started; they are taken to be running."""

    def __init__(self, about: About, expected: Iterable[str], watcher: Watcher, ids: Ids) -> None:
        self._about = about
        self._watcher = watcher
        self._ids = ids
        self._agents: dict[str, _Agent] = {}
        self._named: dict[str, _Agent] = {}
        for name in expected:
            self._add(name, external=True)
        self._unregistered = len(self._agents)
        self.listening = False
        """Whether any of them is told of invocations."""
        self._closed = False
        self._initialised = False
        self._waited_for = False
        self._stopping = False
        self._failed = False

    # What the environment asks.

    @property
    def registered(self) -> bool:
        """Whether every external extension has registered; so from the beginning where there is none."""
        return not self._unregistered

    @property
    def settled(self) -> bool:
        """Whether nobody has to be waited for: registration is closed, and each extension waits for its next event."""
        if not self._agents:  # as in most environments
            return self._closed
        return self._closed and all(
            agent.state is State.READY and agent.event is None for agent in self._agents.values()
        )

    @property
    def initialised(self) -> bool:
        """Whether INIT is over for the extensions; nobody can subscribe to telemetry any more."""
        return self._initialised

    @property
    def internal(self) -> bool:
        """Whether an extension within the runtime has registered."""
        return any(not agent.external for agent in self._agents.values())

    @property
    def external(self) -> bool:
        """Whether an extension that is a program of its own has registered."""
        return any(agent.external and agent.registered for agent in self._agents.values())

    def subscribers(self, event: EventType) -> list[str]:
        """The names of those that get `event`."""
        return [agent.name for agent in self._agents.values() if event in agent.events]

    def listing(self) -> list[Extension]:
        """All of them, external ones first, as the log and telemetry show them."""
        return [
            Extension(
                name=agent.name,
                external=agent.external,
                state=agent.state.value,
                events=agent.events,
                error_type=agent.error_type,
            )
            for agent in self._agents.values()
        ]

    # What the environment tells.

    def launch_failed(self, name: str, reason: str) -> None:
        """The external extension `name` could not be started: `PermissionDenied` where it is not executable,
        `TooManyExtensions`, or what the system says. Its own lines tell the reason, others that it is a LaunchError."""
        agent = self._named[name]
        agent.state = State.LAUNCH_ERROR
        said = {"PermissionDenied": "permission denied"}.get(reason, reason.lower())
        problem = f"fork/exec /opt/extensions/{name}: {said}"
        if reason == "TooManyExtensions":
            problem = "ErrTooManyExtensions"
        agent.error_type = reason if reason in _OBSTACLES else "UnknownError"
        self._fail(agent, "Extension.LaunchError", problem.encode())

    def close_registration(self) -> None:
        """The runtime is initialised. `Watcher.settled` follows, unless `settled` is true already."""
        self._closed = True
        self._begin_wait()

    def invoke(self, event: Event) -> None:
        """Tell the subscribers of an invocation. `Watcher.settled` follows, unless `settled` is true already."""
        if not self.listening:
            return
        body = _invoke_event(event)
        for agent in self._agents.values():
            if "INVOKE" in agent.events:
                self._send(agent, body)
        self._begin_wait()

    def shutdown(self, reason: Reason, deadline_ms: int) -> None:
        """Tell the subscribers that the environment ends, at `deadline_ms` since the epoch. From now on, an extension
        may exit; one that is busy learns of it when it asks for its next event."""
        self._stopping = True
        body = msgspec.json.encode({"eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason})
        for agent in self._agents.values():
            if "SHUTDOWN" in agent.events:
                self._send(agent, body)

    def close(self) -> None:
        """All is over: nobody is told anything any more, and nobody waits."""
        self._stopping = True
        self._waited_for = False
        for agent in self._agents.values():
            agent.waiter = agent.event = None

    def exited(self, name: str, status: int) -> None:
        """The program of the external extension `name` has ended: before SHUTDOWN, that is a crash. `status` is its
        exit code, or the negated number of the signal that ended it."""
        agent = self._named[name]
        agent.waiter = None
        if self._stopping:
            agent.state = State.EXITED
        elif agent.state not in (State.INIT_ERROR, State.EXIT_ERROR, State.LAUNCH_ERROR):
            agent.state = State.EXITED
            agent.error_type = "Extension.Crash"
            self._fail(agent, "Extension.Crash", endings.of_process(status).encode())

    # What the extensions ask. Each raises Refusal where it may not.

    def register(self, name: str, body: bytes, *, account: bool) -> tuple[str, bytes]:
        """The identifier that is given to the extension, and the answer's JSON, with the account where it is wanted."""
        if not name or len(name) > limits.EXTENSION_NAME_LENGTH:
            message = "Extension name is too long" if name else "Empty extension name"
            raise Refusal(403, "Extension.InvalidExtensionName", message)
        events = _wanted(body)
        if self._about.concurrent and "INVOKE" in events:
            raise Refusal(403, "Extension.InvalidEventType", "INVOKE: ErrorInvalidEventType")
        agent = self._named.get(name)
        if agent is not None and agent.external:
            self._register_external(agent, events)
        else:
            agent = self._register_internal(name, events)
        return agent.identifier, self._welcome(account=account)

    def ask(self, identifier: str, waiter: Waiter) -> None:
        """/extension/event/next: `waiter` gets the next event, now or later."""
        agent = self._find(identifier, f"Unknown extension {identifier}")
        abandoned = agent.state is State.READY and agent.waiter is None
        if agent.state not in (State.REGISTERED, State.RUNNING) and not abandoned:
            raise _not_allowed(agent, State.READY, identifier)
        agent.state = State.READY
        agent.waiter = waiter
        if agent.event is not None:
            self._deliver(agent)
        self._tell_settled()

    def leave(self, waiter: Waiter) -> None:
        """The connection of a waiter has ended; the extension may ask again."""
        for agent in self._agents.values():
            if agent.waiter is waiter:
                agent.waiter = None

    def init_error(self, identifier: str, kind: str, error: bytes) -> None:
        """/extension/init/error."""
        agent = self._find(identifier, "Unknown Lambda-Extension-Identifier")
        if agent.state is State.INIT_ERROR:
            return
        if agent.state is not State.REGISTERED:
            raise _not_allowed(agent, State.INIT_ERROR, identifier)
        self._reported(agent, State.INIT_ERROR, kind, error)

    def exit_error(self, identifier: str, kind: str, error: bytes) -> None:
        """/extension/exit/error."""
        agent = self._find(identifier, "Unknown Lambda-Extension-Identifier")
        if agent.state is State.EXIT_ERROR:
            return
        if agent.state not in (State.REGISTERED, State.READY, State.RUNNING):
            raise _not_allowed(agent, State.EXITED, identifier)
        self._reported(agent, State.EXIT_ERROR, kind, error)

    def name(self, identifier: str) -> str:
        """The name of the extension that was given `identifier`."""
        return self._find(identifier, f"Unknown extension {identifier}").name

    def _add(self, name: str, *, external: bool) -> _Agent:
        agent = _Agent(name, self._ids.uuid(), external=external)
        self._agents[agent.identifier] = self._named[name] = agent
        return agent

    def _find(self, identifier: str, problem: str) -> _Agent:
        agent = self._agents.get(identifier)
        if agent is None:
            raise Refusal(403, "Extension.UnknownExtensionIdentifier", problem)
        return agent

    def _register_external(self, agent: _Agent, events: list[str]) -> None:
        agent_events = _event_types(events, external=True)
        if agent.state is not State.STARTED:
            raise _not_allowed(agent, State.REGISTERED, agent.name)
        self._enter(agent, agent_events)
        self._unregistered -= 1
        if not self._unregistered:
            self._watcher.registered()

    def _register_internal(self, name: str, events: list[str]) -> _Agent:
        agent_events = _event_types(events, external=False)
        if self._closed:
            raise Refusal(403, "Extension.RegistrationClosed", "Extension registration closed already")
        if name in self._named:
            raise Refusal(403, "Extension.InvalidExtensionState", "Extension with this name already registered")
        if len(self._agents) >= limits.EXTENSIONS:
            message = f"Extension limit ({limits.EXTENSIONS}) reached"
            raise Refusal(403, "Extension.TooManyExtensions", message)
        agent = self._add(name, external=False)
        self._enter(agent, agent_events)
        return agent

    def _enter(self, agent: _Agent, events: tuple[EventType, ...]) -> None:
        agent.events = events
        agent.registered = True
        agent.state = State.REGISTERED
        self.listening = self.listening or "INVOKE" in events

    def _welcome(self, *, account: bool) -> bytes:
        about = self._about
        told = {"functionName": about.name, "functionVersion": about.version, "handler": about.handler}
        if account:
            told["accountId"] = about.account
        return msgspec.json.encode(told) + b"\n"

    def _send(self, agent: _Agent, body: bytes) -> None:
        agent.event = body
        if agent.waiter is not None:
            self._deliver(agent)

    def _deliver(self, agent: _Agent) -> None:
        waiter, body = agent.waiter, agent.event
        assert waiter is not None and body is not None
        agent.waiter = agent.event = None
        agent.state = State.RUNNING
        waiter.deliver(self._ids.uuid(), body)

    def _reported(self, agent: _Agent, state: State, kind: str, error: bytes) -> None:
        agent.state = state
        agent.error_type = kind[: limits.EXTENSION_ERROR_TYPE_LENGTH]
        agent.waiter = agent.event = None
        self._fail(agent, kind if _KNOWN_ERROR.fullmatch(kind) else f"Extension.{state.value}", error)

    def _fail(self, agent: _Agent, kind: str, error: bytes) -> None:
        if not self._failed and not self._stopping:
            self._failed = True
            self._watcher.extension_failed(agent.name, kind, error)

    def _begin_wait(self) -> None:
        self._waited_for = not self.settled
        self._initialised = self._initialised or not self._waited_for

    def _tell_settled(self) -> None:
        if self._waited_for and self.settled:
            self._waited_for = False
            self._initialised = True
            self._watcher.settled()


def _wanted(body: bytes) -> list[str]:
    """The events that a registration asks for."""
    try:
        registration = _registration(body)
    except guestjson.Malformed as error:
        raise Refusal(403, "InvalidRequestFormat", str(error)) from None
    if registration.configuration_keys:
        message = "configurationKeys are deprecated; use environment variables instead"
        raise Refusal(403, "InvalidRequestFormat", message)
    return registration.events or []


def _event_types(events: list[str], *, external: bool) -> tuple[EventType, ...]:
    """`events` without repetition, or a refusal: internal extensions cannot have SHUTDOWN."""
    for event in events:
        if event not in _EVENT_TYPES:
            raise Refusal(403, "Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
        if event == "SHUTDOWN" and not external:
            message = f"{event}: ShutdownEventNotSupportedForInternalExtension"
            raise Refusal(403, "Extension.InvalidEventType", message)
    return tuple(event for event in _EVENT_TYPES if event in events)


def _not_allowed(agent: _Agent, wanted: State, shown: str) -> Refusal:
    message = (
        f"State transition from {agent.state.value} to {wanted.value} failed for extension {shown}. "
        "Error: State transition is not allowed"
    )
    return Refusal(403, "Extension.InvalidExtensionState", message)


def _invoke_event(event: Event) -> bytes:
    told: dict[str, Any] = {
        "eventType": "INVOKE",
        "deadlineMs": event.deadline_ms,
        "requestId": event.request_id,
        "invokedFunctionArn": event.invoked_arn,
    }
    if event.trace_id:
        told["tracing"] = {"type": "X-Amzn-Trace-Id", "value": event.trace_id}
    return msgspec.json.encode(told)
