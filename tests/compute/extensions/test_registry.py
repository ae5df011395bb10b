"""The rules of extensions: who may register, who is waited for, what a failure is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambent.compute.extensions.registry import Extensions
from lambent.compute.runtime_api.api import About, Event, Refusal
from lambent.kernel.ids import SeededIds

NOT_ALLOWED = "State transition from {} to {} failed for extension {}. Error: State transition is not allowed"
INVOKE = b'{"events":["INVOKE"]}'
BOTH = b'{"events":["SHUTDOWN","INVOKE","INVOKE"]}'


class Watcher:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def registered(self) -> None:
        self.told.append(("registered",))

    def settled(self) -> None:
        self.told.append(("settled",))

    def extension_failed(self, name: str, kind: str, error: bytes) -> None:
        self.told.append((name, kind, error))


class Waiter:
    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    def deliver(self, event_identifier: str, body: bytes) -> None:
        assert len(event_identifier) == 36
        self.got.append(json.loads(body))


class Stage:
    def __init__(self, *expected: str) -> None:
        about = About(account="1", name="f", version="1", handler="", zone="z", metadata_token="t")
        self.watcher = Watcher()
        self.extensions = Extensions(about, expected, self.watcher, SeededIds())

    def register(self, name: str, body: bytes = INVOKE) -> str:
        return self.extensions.register(name, body, account=False)[0]

    def ask(self, identifier: str) -> Waiter:
        waiter = Waiter()
        self.extensions.ask(identifier, waiter)
        return waiter

    def ready(self, name: str = "internal", body: bytes = INVOKE) -> tuple[str, Waiter]:
        """One extension, initialised."""
        identifier = self.register(name, body)
        waiter = self.ask(identifier)
        self.extensions.close_registration()
        self.watcher.told.clear()
        return identifier, waiter

    def state(self, name: str) -> tuple[str, str | None]:
        return next((one.state, one.error_type) for one in self.extensions.listing() if one.name == name)


def event(number: int = 1) -> Event:
    return Event(
        sequence=number, request_id=str(number), invocation_id="n", deadline_ms=5, invoked_arn="arn", payload=b""
    )


def test_without_extensions_nobody_is_waited_for() -> None:
    stage = Stage()
    assert stage.extensions.registered
    stage.extensions.close_registration()
    assert stage.extensions.settled and stage.extensions.initialised
    stage.extensions.invoke(event())
    assert stage.extensions.settled
    assert stage.watcher.told == []


def test_init_waits_for_external_ones_to_register_and_for_all_to_ask() -> None:
    stage = Stage("a", "b")
    first = stage.register("a", BOTH)
    assert not stage.extensions.registered
    second = stage.register("b", b"{}")
    assert stage.watcher.told == [("registered",)]
    inner = stage.register("inner")
    stage.extensions.close_registration()
    for identifier in (first, second):
        stage.ask(identifier)
        assert not stage.extensions.initialised
    stage.ask(inner)
    assert stage.watcher.told == [("registered",), ("settled",)]
    assert stage.extensions.initialised
    told = [(one.name, one.external, one.state, one.events) for one in stage.extensions.listing()]
    assert told == [
        ("a", True, "Ready", ("INVOKE", "SHUTDOWN")),
        ("b", True, "Ready", ()),
        ("inner", False, "Ready", ("INVOKE",)),
    ]


def test_an_invocation_is_over_once_its_subscribers_ask_again() -> None:
    stage = Stage("deaf", "keen")
    deaf, keen = stage.register("deaf", b'{"events":[]}'), stage.register("keen")
    silent, hears = stage.ask(deaf), stage.ask(keen)
    stage.extensions.close_registration()
    assert stage.extensions.listening
    stage.watcher.told.clear()
    stage.extensions.invoke(event(7))
    assert (silent.got, hears.got[0]["requestId"]) == ([], "7")
    assert not stage.extensions.settled
    stage.ask(keen)
    assert stage.watcher.told == [("settled",)]


def test_an_event_that_nobody_waits_for_is_kept() -> None:
    stage = Stage()
    identifier, waiter = stage.ready()
    stage.extensions.leave(waiter)
    stage.extensions.invoke(event())
    assert not stage.extensions.settled
    assert stage.ask(identifier).got[0]["eventType"] == "INVOKE"
    stage.ask(identifier)
    assert stage.watcher.told == [("settled",)]


@pytest.mark.parametrize(
    ("name", "body", "kind", "message"),
    [
        ("", b"{}", "Extension.InvalidExtensionName", "Empty extension name"),
        ("x" * 256, b"{}", "Extension.InvalidExtensionName", "Extension name is too long"),
        ("inner", b'{"events":["FOO"]}', "Extension.InvalidEventType", "FOO: ErrorInvalidEventType"),
        (
            "inner",
            b'{"events":["SHUTDOWN"]}',
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        ),
        (
            "inner",
            b'{"configurationKeys":["k"]}',
            "InvalidRequestFormat",
            "configurationKeys are deprecated; use environment variables instead",
        ),
        ("outer", b'{"events":["FOO"]}', "Extension.InvalidEventType", "FOO: ErrorInvalidEventType"),
    ],
    ids=["nameless", "long", "event", "shutdown", "keys", "external"],
)
def test_a_registration_that_is_refused(name: str, body: bytes, kind: str, message: str) -> None:
    stage = Stage("outer")
    with pytest.raises(Refusal) as refused:
        stage.register(name, body)
    assert (refused.value.status, refused.value.kind, refused.value.message) == (403, kind, message)


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b'{"events":"x"}', b"[]", b'{"events":["\xff"]}', b'{"x":' + b"[" * 5000],
    ids=["empty", "no-json", "type", "array", "no-text", "deep"],
)
def test_a_registration_that_makes_no_sense(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        Stage().register("inner", body)
    assert (refused.value.status, refused.value.kind) == (403, "InvalidRequestFormat")


def test_a_name_registers_once() -> None:
    stage = Stage("outer")
    stage.register("outer")
    with pytest.raises(Refusal) as refused:
        stage.register("outer")
    assert refused.value.message == NOT_ALLOWED.format("Registered", "Registered", "outer")
    stage.register("inner")
    with pytest.raises(Refusal) as refused:
        stage.register("inner")
    assert refused.value.message == "Extension with this name already registered"


def test_registration_has_an_end_and_a_limit() -> None:
    stage = Stage("outer")
    for number in range(9):
        stage.register(f"inner{number}")
    with pytest.raises(Refusal) as refused:
        stage.register("eleventh")
    assert (refused.value.kind, refused.value.message) == (
        "Extension.TooManyExtensions",
        "Extension limit (10) reached",
    )
    stage.extensions.close_registration()
    with pytest.raises(Refusal) as refused:
        stage.register("late")
    assert refused.value.kind == "Extension.RegistrationClosed"
    assert refused.value.message == "Extension registration closed already"


def test_an_init_error_is_told_once_and_may_be_repeated() -> None:
    stage = Stage("outer")
    identifier = stage.register("outer")
    for _ in range(2):
        stage.extensions.init_error(identifier, "Extension.NoKey", b"why")
    assert stage.watcher.told[1:] == [("outer", "Extension.NoKey", b"why")]
    assert stage.state("outer") == ("InitError", "Extension.NoKey")
    stage.extensions.exited("outer", 1)
    assert len(stage.watcher.told) == 2
    with pytest.raises(Refusal) as refused:
        stage.ask(identifier)
    assert refused.value.message == NOT_ALLOWED.format("InitError", "Ready", identifier)


def test_an_init_error_is_too_late_for_one_that_is_ready() -> None:
    stage = Stage()
    identifier, _ = stage.ready()
    with pytest.raises(Refusal) as refused:
        stage.extensions.init_error(identifier, "x", b"")
    assert refused.value.message == NOT_ALLOWED.format("Ready", "InitError", identifier)


def test_an_exit_error_is_told_with_aws_s_type_and_shown_with_its_own() -> None:
    stage = Stage()
    identifier, _ = stage.ready()
    for _ in range(2):
        stage.extensions.exit_error(identifier, "boom" * 100, b"why")
    assert stage.watcher.told == [("internal", "Extension.ExitError", b"why")]
    assert stage.state("internal") == ("ExitError", ("boom" * 100)[:128])


@pytest.mark.parametrize(("status", "words"), [(0, b"exit code 0"), (3, b"exit status 3"), (-9, b"signal: killed")])
def test_an_extension_that_ends_before_its_time_has_crashed(status: int, words: bytes) -> None:
    stage = Stage("a", "b")
    stage.extensions.exited("a", status)
    stage.extensions.exited("b", status)
    assert stage.watcher.told == [("a", "Extension.Crash", words)]
    assert stage.state("b") == ("Exited", "Extension.Crash")


@pytest.mark.parametrize(
    ("reason", "error_type", "problem"),
    [
        ("PermissionDenied", "PermissionDenied", "fork/exec /opt/extensions/a: permission denied"),
        ("TooManyExtensions", "TooManyExtensions", "ErrTooManyExtensions"),
        ("Exec format error", "UnknownError", "fork/exec /opt/extensions/a: exec format error"),
    ],
)
def test_an_extension_that_cannot_start(reason: str, error_type: str, problem: str) -> None:
    stage = Stage("a")
    stage.extensions.launch_failed("a", reason)
    assert stage.watcher.told == [("a", "Extension.LaunchError", problem.encode())]
    assert stage.state("a") == ("LaunchError", error_type)


def test_shutdown_reaches_its_subscribers_and_lets_everybody_exit() -> None:
    stage = Stage("waiting", "busy", "deaf")
    waiting, busy, deaf = (stage.register(name, BOTH) for name in ("waiting", "busy", "deaf"))
    waiters = [stage.ask(identifier) for identifier in (waiting, busy, deaf)]
    stage.extensions.close_registration()
    stage.extensions.invoke(event())
    waiters[0] = stage.ask(waiting)
    stage.watcher.told.clear()
    stage.extensions.shutdown("timeout", 99)
    shutdown = {"eventType": "SHUTDOWN", "deadlineMs": 99, "shutdownReason": "timeout"}
    assert waiters[0].got == [shutdown]
    assert stage.ask(busy).got == [shutdown]
    for name in ("waiting", "busy", "deaf"):
        stage.extensions.exited(name, 0)
    assert stage.watcher.told == []
    assert stage.state("deaf") == ("Exited", None)


def test_a_closed_one_tells_nothing() -> None:
    stage = Stage("a")
    identifier = stage.register("a")
    stage.extensions.close_registration()
    stage.watcher.told.clear()
    stage.extensions.close()
    stage.ask(identifier)
    stage.extensions.exited("a", 1)
    assert stage.watcher.told == []
