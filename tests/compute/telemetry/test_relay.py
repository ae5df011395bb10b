"""The relay: who gets what, from when on, and at which cost where nobody listens."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambent.compute.runtime_api.api import Refusal
from lambent.compute.telemetry import events, subscriptions
from lambent.compute.telemetry.relay import Relay
from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock, settle
from lambent.kernel.tasks import Supervisor
from tests.compute.telemetry.listeners import PATIENCE_S, connect, http_listener, tcp_sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lambent.compute.telemetry.subscriptions import Subscription


class Stage:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.supervisor = Supervisor(self.clock)
        self.relay = Relay(self.clock, self.supervisor)
        self.relay.open()

    def subscribe(self, name: str, subscription: Subscription) -> bool:
        return self.relay.subscribe(name, subscription, connect, lambda _: None)

    def line(self, text: str) -> None:
        self.relay.tell(self.clock.time(), events.Line(text=text, structured=False))


def asking(port: int, *types: str, api: Any = subscriptions.TELEMETRY_API, schema: str = "2022-12-13") -> Subscription:
    destination = {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}"}
    request = {"schemaVersion": schema, "types": types, "destination": destination}
    return subscriptions.parse(api, json.dumps(request).encode())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.relay.close()
    await stage.supervisor.stop()


async def test_events_from_before_a_subscription_come_first(stage: Stage) -> None:
    async with http_listener() as listener:
        stage.line("one")
        await stage.clock.advance(5)
        stage.line("two")
        stage.subscribe("x", asking(listener.port, "function"))
        stage.line("three")
        await stage.relay.flush()
        assert [event["record"] for event in listener.events] == ["one", "two", "three"]
        assert [event["time"][-7:] for event in listener.events] == ["20.000Z", "25.000Z", "25.000Z"]


async def test_everybody_gets_the_types_and_the_schema_they_asked_for(stage: Stage) -> None:
    async with http_listener() as first, http_listener() as second, http_listener() as third:
        stage.subscribe("first", asking(first.port, "platform", "extension"))
        stage.subscribe("second", asking(second.port, "function", schema="2022-07-01"))
        stage.subscribe("third", asking(third.port, "platform", api=subscriptions.LOGS_API, schema="2020-08-15"))
        stage.relay.seal()
        stage.relay.tell(0.0, events.End(request_id="r"))
        stage.relay.tell(0.0, events.Extension(name="e", state="Ready", events=()))
        stage.relay.tell(0.0, events.Line(text="{}", structured=True))
        stage.relay.tell(0.0, events.ExtensionLine(text="{}", structured=True))
        await stage.relay.flush()
        assert [(event["type"], event["record"]) for event in first.events][1] == ("extension", {})
        assert [event["type"] for event in first.events] == ["platform.extension", "extension"]
        assert [(event["type"], event["record"]) for event in second.events] == [("function", "{}")]
        assert [event["type"] for event in third.events] == ["platform.end", "platform.extension"]


async def test_what_comes_before_a_subscription_is_bounded(stage: Stage) -> None:
    async with http_listener() as listener:
        for number in range(limits.TELEMETRY_REPLAY_ITEMS + 7):
            stage.line(str(number))
        stage.subscribe("x", asking(listener.port, "function", "platform"))
        await stage.relay.flush()
        dropped, *lines = listener.events
        assert dropped["record"]["droppedRecords"] == 7
        assert [line["record"] for line in lines] == [str(number) for number in range(limits.TELEMETRY_REPLAY_ITEMS)]


async def test_long_lines_from_before_are_bounded_by_their_size(stage: Stage) -> None:
    for _ in range(100):
        stage.line("x" * 100_000)
    memory = stage.relay._memory
    assert memory is not None
    assert memory._size <= limits.TELEMETRY_REPLAY_BYTES
    assert memory._lost == 90


async def test_where_nobody_has_subscribed_nothing_is_kept(stage: Stage) -> None:
    stage.line("one")
    assert stage.relay.active
    stage.relay.seal()
    assert not stage.relay.active
    assert stage.relay._memory is None


async def test_who_subscribes_after_init_gets_what_comes_then(stage: Stage) -> None:
    async with http_listener() as listener:
        stage.line("old")
        stage.relay.seal()
        stage.subscribe("x", asking(listener.port, "function"))
        assert stage.relay.active
        stage.line("new")
        await stage.relay.flush()
        assert [event["record"] for event in listener.events] == ["new"]


async def test_a_second_subscription_changes_nothing(stage: Stage) -> None:
    async with http_listener() as listener:
        stage.line("one")
        assert stage.subscribe("x", asking(listener.port, "function"))
        assert not stage.subscribe("x", asking(listener.port, "function"))
        await stage.relay.flush()
        assert len(listener.events) == 1


async def test_an_extension_uses_one_api(stage: Stage) -> None:
    async with http_listener() as listener:
        stage.subscribe("x", asking(listener.port, "function"))
        with pytest.raises(Refusal) as raised:
            stage.subscribe("x", asking(listener.port, "function", api=subscriptions.LOGS_API, schema="2020-08-15"))
        assert (raised.value.status, raised.value.kind) == (400, "Logs.ValidationError")


async def test_a_new_init_begins_without_subscribers(stage: Stage) -> None:
    async with http_listener() as listener:
        stage.line("old")
        stage.subscribe("x", asking(listener.port, "function"))
        await stage.relay.flush()
        stage.relay.open()
        stage.line("new")
        await stage.relay.flush()
        assert stage.subscribe("x", asking(listener.port, "function"))
        await stage.relay.flush()
        assert [event["record"] for event in listener.events] == ["old", "new"]


async def test_a_flush_does_not_wait_longer_than_a_second(stage: Stage) -> None:
    async with tcp_sink(reading=False) as (_, port), http_listener() as listener:
        stage.subscribe("slow", asking(port, "function"))
        stage.subscribe("quick", asking(listener.port, "function"))
        stage.line("one")
        flushed = stage.supervisor.start("flush", stage.relay.flush())
        await listener.until(lambda: bool(listener.events))
        await stage.clock.advance(limits.TELEMETRY_FLUSH_S - 0.001)
        assert not flushed.done()
        await stage.clock.advance(0.001)
        async with asyncio.timeout(PATIENCE_S):
            await flushed


async def test_nothing_is_left_running_after_close(stage: Stage) -> None:
    async with tcp_sink(reading=False) as (_, port):
        stage.subscribe("x", asking(port, "function"))
        stage.line("one")
        await stage.clock.advance(2)
        stage.relay.close()
        await settle()
        assert not stage.supervisor._tasks
        assert not stage.relay.active
        stage.line("two")
