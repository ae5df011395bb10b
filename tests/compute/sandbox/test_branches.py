"""Branches of a cell: how they are made and end, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lambent.compute.sandbox import hierarchies, seccomp
from lambent.compute.sandbox.api import Program, Tenancy
from lambent.compute.sandbox.cgroups import Cgroups
from lambent.kernel import limits
from lambent.kernel.clock import settle
from tests.compute.sandbox.building import CLIENT, LEVEL, SECRET, Building, Ended, opened, ready

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from lambent.compute.sandbox.branches import Branch
    from lambent.compute.sandbox.cells import JailCell

SOURCE = {"app.py": "def handler(event, context):\n    return event\n"}
VARIABLES = {**CLIENT, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.fixture
async def building(tmp_path: Path) -> AsyncIterator[Building]:
    cgroups = hierarchies.find(f"branches-{os.getpid()}", privileged=True) if LEVEL == "jail" else Cgroups.none()
    async with opened(tmp_path, cgroups) as site:
        yield site


async def parked(building: Building) -> JailCell:
    """A cell whose first guest waits to be forked."""
    image = msgspec.structs.replace(await building.python(), branches=True)
    cell = await building.cell(SOURCE, image)
    assert await ready(cell, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") == "S"
    return cell


async def entered(branch: Branch) -> tuple[Ended, socket.socket]:
    """Let the guest in, and wait until it has said that it is ready. With its channel it would end."""
    ended = Ended()
    branch.furnish(Tenancy(name="f", task=Path("/of/its/cell"), memory_mb=256, ephemeral_mb=8))
    channel = branch.channel
    channel.send(SECRET)
    branch.enter(Program(command=(), variables=VARIABLES), ended)
    async with asyncio.timeout(20):
        packet = await asyncio.get_running_loop().sock_recv(channel, 65_536)
    assert packet[16:17] == b"Y"
    return ended, channel


async def test_its_end_is_told_and_nothing_is_left(building: Building) -> None:
    cell = await parked(building)
    gone = asyncio.Event()
    branch = await cell.branch(gone.set)
    ended, channel = await entered(branch)
    await settle()  # what it is measured by has come before its word, by another socket
    assert branch.usage().peak_memory > limits.MIB
    branch.kill()
    branch.kill()
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL
        await gone.wait()
    channel.close()
    assert cell.alive


async def test_one_that_nobody_entered_ends_at_once(building: Building) -> None:
    cell = await parked(building)
    gone = asyncio.Event()
    branch = await cell.branch(gone.set)
    branch.kill()
    assert gone.is_set()
    with pytest.raises(OSError, match="gone"):
        branch.enter(Program(command=(), variables=VARIABLES), Ended())


async def test_they_end_with_their_cell(building: Building) -> None:
    cell = await parked(building)
    first, second = asyncio.Event(), asyncio.Event()
    ended, channel = await entered(await cell.branch(first.set))
    await cell.branch(second.set)
    cell.kill()
    async with asyncio.timeout(20):
        assert await ended.status == -signal.SIGKILL
        await asyncio.gather(first.wait(), second.wait())
    channel.close()
    with pytest.raises(OSError, match="gone"):
        await cell.branch(first.set)


async def test_who_gives_up_waiting_leaves_nothing(building: Building) -> None:
    cell = await parked(building)
    making = asyncio.ensure_future(cell.branch(lambda: None))
    await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    branch = await cell.branch(lambda: None)
    assert branch.number == 2
    branch.kill()


async def test_the_cell_has_the_processor_while_somebody_waits(building: Building) -> None:
    cell = await parked(building)
    told: list[bool] = []
    assert cell._branches is not None
    cell._branches._hurry = told.append
    first, second = await cell.branch(lambda: None), await cell.branch(lambda: None)
    _, channel = await entered(first)
    assert told == [True]
    second.kill()
    assert told == [True, False]
    first.kill()
    channel.close()


async def test_there_is_a_most_of_them(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CELL_BRANCHES", 1)
    monkeypatch.setattr(limits, "CELL_BRANCH_NUMBERS", 2)
    cell = await parked(building)
    numbers = []
    for _ in range(3):
        branch = await cell.branch(lambda: None)
        numbers.append(branch.number)
        with pytest.raises(OSError, match="too many"):
            await cell.branch(lambda: None)
        branch.kill()
    assert numbers == [1, 2, 1]


async def test_only_a_cell_that_somebody_has_entered_branches(building: Building) -> None:
    image = msgspec.structs.replace(await building.python(), branches=True)
    cell = await building.cell(SOURCE, image)
    with pytest.raises(OSError, match="nobody has entered"):
        await cell.branch(lambda: None)


async def test_a_branch_has_no_branches_and_no_further_guests(building: Building) -> None:
    branch = await (await parked(building)).branch(lambda: None)
    with pytest.raises(OSError, match="no branches"):
        await branch.branch(lambda: None)
    with pytest.raises(OSError, match="one guest"):
        branch.start(Program(command=("/bin/true",), variables={}), 1, Ended())
    branch.kill()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_a_snapshot_differs_in_one_call(machine: str) -> None:
    (usual,), (snapshot,) = seccomp.filters(machine), seccomp.filters(machine, chroot=True)
    assert len(usual) - len(snapshot) == 8  # one instruction
