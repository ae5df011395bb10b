"""A long run with faults: what the engine holds at the end is what it held at the beginning."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from tests.compute.workshop import Workshop

SOURCE = """
import os, sys, time
def handler(event, context):
    what = event["what"]
    print(what, event["number"])
    if what == "raise": raise ValueError(what)
    if what == "exit": sys.exit(2)
    if what == "crash": os.kill(os.getpid(), 11)
    if what == "hang": time.sleep(30)
    if what == "fork": os.fork() or os._exit(0)
    return event["number"]
"""
KINDS = ["answer"] * 20 + ["raise", "raise", "fork", "exit", "crash", "hang"]


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_thousands_of_invocations_with_faults_leave_nothing_behind(shop: Workshop) -> None:
    chance = random.Random(7)
    functions = [shop.function(SOURCE, timeout_s=1) for _ in range(20)]
    numbers = iter(range(4000))

    async def caller() -> None:
        for number in numbers:
            index = chance.randrange(len(functions))
            await one(shop, functions[index], chance.choice(KINDS), number)
            if chance.random() < 0.02:
                shop.engine.retire(functions[index].arn)
                revision = str(int(functions[index].revision) + 1)
                functions[index] = msgspec.structs.replace(functions[index], revision=revision)

    await asyncio.gather(*(caller() for _ in range(8)))
    await shop.engine.close()
    assert children() == [], "processes are left"
    assert not list(shop.folder.glob("engine/scratch/*"))


async def one(shop: Workshop, function: FunctionVersion, what: str, number: int) -> None:
    outcome = await shop.invoke(function, {"what": what, "number": number})
    answer = json.loads(outcome.payload)
    expected = {
        "raise": "ValueError",
        "exit": "Runtime.ExitError",
        "crash": "Runtime.ExitError",
        "hang": "Sandbox.Timedout",
    }.get(what)
    assert (answer["errorType"] if outcome.error else None) == expected
    assert outcome.error or answer == number


def children() -> list[str]:
    """The processes that this one has started and that are still there."""
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
