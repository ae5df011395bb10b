"""Who gets which environment: reuse, bursts, the limit, updates, idling and credentials, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from lambent.kernel.errors import AwsError
from tests.compute.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PID = "import os, time\ndef handler(e, c):\n    time.sleep(e or 0)\n    return os.getpid()"


async def test_an_idle_environment_is_used_again_the_most_recent_first(shop: Workshop) -> None:
    function = shop.function(PID)
    pids = await asyncio.gather(*(shop.result(function, 0.3) for _ in range(3)))
    assert len(set(pids)) == 3
    last = await shop.result(function)
    assert [await shop.result(function) for _ in range(5)] == [last] * 5


async def test_a_burst_of_calls_runs_at_the_same_time(shop: Workshop) -> None:
    source = """
import os, socket
def handler(port, context):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)
    return os.getpid()
"""
    arrived: list[asyncio.StreamWriter] = []

    def arrive(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(writer)
        if len(arrived) == 50:
            for each in arrived:
                each.close()

    async with await asyncio.start_server(arrive, "127.0.0.1", 0) as gate:
        port = gate.sockets[0].getsockname()[1]
        function = shop.function(source, timeout_s=60)
        pids = await asyncio.gather(*(shop.result(function, port) for _ in range(50)))
    assert len(set(pids)) == 50
    assert shop.engine.size == 50


async def test_waiting_callers_take_whichever_environment_is_free_first(shop: Workshop) -> None:
    source = "import os, time\ntime.sleep(0.4)\ndef handler(e, c): return os.getpid()"
    function = shop.function(source)
    first = await shop.result(function)
    pids = await asyncio.gather(*(shop.result(function) for _ in range(4)))
    assert pids == [first] * 4, "none waited for the start of its own"


async def test_above_the_limit_a_call_is_refused_and_below_it_none(tmp_path: Path) -> None:
    async with workshop(tmp_path, concurrency=2) as shop:
        function = shop.function(PID)
        calls = [shop.supervisor.start("call", shop.invoke(function, 0.5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(AwsError) as refused:
            await shop.invoke(function)
        assert refused.value.code == "TooManyRequestsException"
        assert refused.value.message == "Rate Exceeded."
        assert refused.value.members == {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User"}
        await asyncio.gather(*calls)
        await shop.result(function)


async def test_a_burst_of_ten_times_the_limit_runs_exactly_the_limit(tmp_path: Path) -> None:
    source = """
import socket
def handler(port, context):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)
"""
    arrived: list[asyncio.StreamWriter] = []
    full = asyncio.Event()

    def arrive(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(writer)
        if len(arrived) == 5:
            full.set()

    async with workshop(tmp_path, concurrency=5) as shop, await asyncio.start_server(arrive, "127.0.0.1", 0) as gate:
        function = shop.function(source, timeout_s=60)
        for _ in range(2):
            calls = [shop.supervisor.start("call", called(shop, function, gate)) for _ in range(50)]
            await full.wait()
            for each in arrived:
                each.close()
            assert await asyncio.gather(*calls) == [True] * 5 + [False] * 45
            assert shop.engine.size == 5
            arrived.clear()
            full.clear()


async def test_an_update_takes_the_idle_ones_at_once_and_the_busy_ones_afterwards(shop: Workshop) -> None:
    function = shop.function(PID)
    old = await shop.result(function)
    busy = shop.supervisor.start("busy", shop.result(function, 0.3))
    await asyncio.sleep(0)
    shop.engine.retire(function.arn)
    updated = msgspec.structs.replace(function, revision="2")
    new = await shop.result(updated)
    assert await busy == old, "it was not disturbed"
    assert new != old
    assert await shop.result(function) not in (old, new)


async def test_retiring_one_function_leaves_the_others(shop: Workshop) -> None:
    one, other = shop.function(PID), shop.function(PID)
    before = await shop.result(one), await shop.result(other)
    shop.engine.retire(one.arn)
    after = await shop.result(one), await shop.result(other)
    assert after[0] != before[0]
    assert after[1] == before[1]


async def test_idle_environments_are_retired(tmp_path: Path) -> None:
    async with workshop(tmp_path, environment_idle_s=0.2) as shop:
        pid = await shop.result(shop.function(PID))
        descriptor = os.pidfd_open(pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        async with asyncio.timeout(10):
            await ended.wait()
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_an_environment_is_replaced_before_its_credentials_end(shop: Workshop) -> None:
    source = "import os\ndef handler(e, c): return os.environ['AWS_ACCESS_KEY_ID']"
    function = shop.function(source)
    shop.authority.lasting = 60.0
    first = await shop.result(function)
    shop.authority.lasting = None
    second = await shop.result(function)
    assert (first, second) == ("ASIA0000000000000001", "ASIA0000000000000002")
    assert await shop.result(function) == second


async def test_the_oldest_idle_environment_makes_room_for_another_function(tmp_path: Path) -> None:
    async with workshop(tmp_path, concurrency=2) as shop:
        functions = [shop.function(PID) for _ in range(3)]
        pids = [await shop.result(function) for function in functions]
        assert await shop.result(functions[2]) == pids[2]
        assert await shop.result(functions[1]) == pids[1]
        assert await shop.result(functions[0]) != pids[0]


async def test_closing_ends_everything_in_the_middle_of_work(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        function = shop.function("import time\nprint('up')\ndef handler(e, c):\n    print('in')\n    time.sleep(60)")
        slow = shop.function("import time\ntime.sleep(60)\ndef handler(e, c): pass", timeout_s=60)
        calls = [shop.supervisor.start("call", outcome_of(shop, each)) for each in (function, slow)]
        await shop.facts.until("in")
        await shop.engine.close()
        assert await asyncio.gather(*calls) == ["Sandbox.Failure", "ServiceException"]
        with pytest.raises(AwsError):
            await shop.invoke(function)


async def test_a_function_whose_interpreter_is_missing_is_refused(shop: Workshop) -> None:
    with pytest.raises(AwsError) as refused:
        await shop.invoke(shop.function(PID, runtime="nodejs22.x"))
    assert refused.value.code == "InvalidRuntimeException"
    assert "nodejs22.x" in refused.value.message


@contextlib.asynccontextmanager
async def workshop(folder: Path, **settings: float) -> AsyncIterator[Workshop]:
    shop = Workshop(folder, **settings)
    try:
        yield shop
    finally:
        await shop.close()
    assert shop.engine.size == 0


async def called(shop: Workshop, function: object, gate: asyncio.Server) -> bool:
    """Whether the call was let in."""
    try:
        await shop.result(function, gate.sockets[0].getsockname()[1])  # type: ignore[arg-type]
    except AwsError as error:
        assert error.code == "TooManyRequestsException"
        return False
    return True


async def outcome_of(shop: Workshop, function: object) -> str:
    try:
        outcome = await shop.invoke(function)  # type: ignore[arg-type]
    except AwsError as error:
        return error.code
    return str(json.loads(outcome.payload)["errorType"])
