"""The background loops: what was accepted is completed, and code that nobody refers to goes."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.doors import Doors
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SeededIds
from lambent.kernel.settings import Settings as ServerSettings
from lambent.kernel.sources import Sources
from lambent.kernel.targets import Targets
from lambent.kernel.tasks import Supervisor
from lambent.services.lambda_ import Parts, publishing, running
from lambent.services.lambda_.records import (
    Function,
    LayerVersion,
    settled,
    updating,
)
from lambent.services.lambda_.records.configuration import Configuration, Logging, UsedLayer
from lambent.services.lambda_.records.mappings import EventSourceMapping, Settings
from lambent.services.lambda_.store import functions as store
from lambent.services.lambda_.store import layers, mappings
from lambent.services.lambda_.workers import CodeSweeper, MappingSettler, Settler
from lambent.store.blobs import Blobs
from lambent.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lambent.services.lambda_.records.mappings import State


class Retirements:
    """Stands where the engine stands and remembers which functions were retired."""

    def __init__(self) -> None:
        self.retired: list[str] = []
        self.enough = asyncio.Event()

    def retire(self, function_arn: str, version: str | None = None, keep: str | None = None) -> None:
        self.retired.append(function_arn)
        self.enough.set()

    async def prune(self) -> None:
        """Nothing was unpacked."""


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    clock = VirtualClock()
    opened = await SqliteStore.open(tmp_path, {"lambda": files("lambent.services.lambda_") / "schema"})
    supervisor = Supervisor(clock)
    engine: Any = Retirements()
    unused: Any = None
    yield Parts(
        store=opened,
        blobs=Blobs(tmp_path, clock),
        engine=engine,
        links=unused,
        objects=unused,
        roles=unused,
        settings=ServerSettings(),
        targets=Targets(),
        doors=Doors(),
        sources=Sources(),
        clock=clock,
        ids=SeededIds(),
        supervisor=supervisor,
    )
    await supervisor.stop()
    await opened.close()


def pending(name: str, code_sha256: str = "ab" * 32) -> Function:
    held = Configuration(
        revision="one",
        code_sha256=code_sha256,
        code_size=1,
        runtime="python3.11",
        handler="index.handler",
        role="arn:aws:iam::000000000000:role/r",
        logging=Logging(group=f"/aws/lambda/{name}"),
    )
    return Function(
        account="000000000000",
        region="us-east-1",
        name=name,
        configuration=held,
        revision_id="accepted",
        modified_ms=0,
    )


async def keep(parts: Parts, *functions: Function) -> None:
    """Store `functions` as a server that was killed afterwards would have left them."""
    for function in functions:
        await parts.store.write(lambda tx, function=function: store.insert(tx, function))


async def test_what_a_crash_left_behind_is_completed_at_the_start(parts: Parts) -> None:
    new = pending("new")
    old = settled(pending("old"), "active")
    changed = updating(old, msgspec.structs.replace(old.configuration, revision="two"), "changed", 5)
    await keep(parts, new, changed)
    assert changed.version().revision == "one"
    awaited = parts.directory.next_settlement
    parts.supervisor.start("settler", Settler(parts).run())
    await awaited.wait()
    for function, revision in ((new, "one"), (changed, "two")):
        found = await parts.directory.find(function.key)
        assert found is not None
        assert found.settled
        assert found.revision_id != function.revision_id
        assert found.version().revision == revision


async def test_more_than_one_round_is_completed(parts: Parts) -> None:
    count = limits.FUNCTIONS_SETTLED * 2 + 3
    await keep(parts, *(pending(f"f{number:03}") for number in range(count)))
    parts.supervisor.start("settler", Settler(parts).run())
    engine: Any = parts.engine
    while len(engine.retired) < count:
        engine.enough.clear()
        await engine.enough.wait()
    assert len(set(engine.retired)) == count
    assert await parts.store.read(lambda tx: store.unsettled(tx, 10)) == []


async def test_an_invocation_waits_for_the_creation(parts: Parts) -> None:
    new = pending("new")
    await keep(parts, new)
    waiting = asyncio.ensure_future(running.resolve(parts, new.key, None))
    parts.supervisor.start("settler", Settler(parts).run())
    assert (await waiting).revision == "one"


async def test_an_invocation_waits_no_longer_than_its_limit(parts: Parts) -> None:
    new = pending("new")
    await keep(parts, new)
    waiting = asyncio.ensure_future(running.resolve(parts, new.key, None))
    found = await parts.directory.find(new.key)
    assert found == new
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    await clock.advance(limits.FUNCTION_READY_S)
    with pytest.raises(AwsError, match="currently in the following state: Pending") as caught:
        await waiting
    assert caught.value.code == "ResourceConflictException"


async def test_packages_that_nobody_refers_to_go_once_they_are_old(parts: Parts) -> None:
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    new, replaced, lost = [(await parts.blobs.put(name.encode())).digest for name in ("new", "replaced", "lost")]
    old = settled(pending("f", replaced), "active")
    await keep(parts, updating(old, msgspec.structs.replace(old.configuration, code_sha256=new), "changed", 5))
    sweeper = CodeSweeper(parts)
    await clock.advance(limits.CODE_UNUSED_S - 1)
    await sweeper.sweep()
    assert parts.blobs.path(lost).exists()
    young = (await parts.blobs.put(b"young")).digest
    await clock.advance(2)
    await sweeper.sweep()
    kept = [parts.blobs.path(digest).exists() for digest in (new, replaced, lost, young)]
    assert kept == [True, True, False, True]


async def test_what_versions_and_layers_need_stays(parts: Parts) -> None:
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    code, used, layer, lost = [(await parts.blobs.put(name.encode())).digest for name in ("a", "b", "c", "lost")]
    function = settled(pending("f", code), "active")
    layers_of = msgspec.structs.replace(function.configuration, layers=(UsedLayer("arn", used, 1),))
    await parts.store.write(
        lambda tx: publishing.publish(
            tx,
            msgspec.structs.replace(function, configuration=layers_of),
            publishing.prepare(parts, {}),
            parts.blobs,
        )
    )
    version = LayerVersion(
        account="000000000000", region="us-east-1", name="l", number=1, sha256=layer, size=1, created_ms=0
    )
    await parts.store.write(lambda tx: layers.insert(tx, version))
    await clock.advance(limits.CODE_UNUSED_S + 1)
    await CodeSweeper(parts).sweep()
    kept = [parts.blobs.path(digest).exists() for digest in (code, used, layer, lost)]
    assert kept == [True, True, True, False]


async def test_an_old_package_outlives_the_update_that_replaced_it_by_its_whole_time(parts: Parts) -> None:
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    new, replaced = [(await parts.blobs.put(name.encode())).digest for name in ("new", "replaced")]
    old = settled(pending("f", replaced), "active")
    await keep(parts, updating(old, msgspec.structs.replace(old.configuration, code_sha256=new), "changed", 5))
    await clock.advance(24 * 3600)
    assert await parts.directory.settle(1, lambda function: settled(function, "done"), lambda: "v")
    await lives_on(parts, replaced)
    assert parts.blobs.path(new).exists()


async def test_an_old_package_outlives_its_deleted_function_by_its_whole_time(parts: Parts) -> None:
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    digest = (await parts.blobs.put(b"code")).digest
    old = settled(pending("f", digest), "active")
    await keep(parts, old)
    await clock.advance(24 * 3600)
    assert await parts.directory.change(old.key, lambda tx: store.delete(tx, old.key))
    await lives_on(parts, digest)


async def lives_on(parts: Parts, digest: str) -> None:
    """Nobody has referred to the package since now, and a restart in between is of no account."""
    clock = parts.clock
    assert isinstance(clock, VirtualClock)
    path = parts.blobs.path(digest)
    await CodeSweeper(parts).sweep()
    await clock.advance(limits.CODE_UNUSED_S - 1)
    await CodeSweeper(parts).sweep()
    assert path.exists()
    await clock.advance(2)
    await CodeSweeper(parts).sweep()
    assert not path.exists()


async def test_a_change_goes_through_where_the_package_is_gone(parts: Parts) -> None:
    old = settled(pending("f"), "active")
    await keep(parts, old)
    assert await parts.directory.change(old.key, lambda tx: store.delete(tx, old.key))
    assert await parts.directory.find(old.key) is None


def test_unused_code_outlives_every_invocation_and_every_link_to_it() -> None:
    assert max(limits.FUNCTION_TIMEOUT_S, limits.CODE_LINK_S) < limits.CODE_UNUSED_S


def mapping(number: int, state: State, *, enabled: bool = True) -> EventSourceMapping:
    return EventSourceMapping(
        account="000000000000",
        region="us-east-1",
        uuid=f"00000000-0000-4000-8000-{number:012}",
        kind="sqs",
        function="f",
        source=f"arn:aws:sqs:us-east-1:000000000000:q{number}",
        settings=Settings(batch_size=10),
        enabled=enabled,
        state=state,
        modified_ms=0,
    )


async def test_what_was_asked_of_mappings_before_a_crash_is_completed_at_the_start(parts: Parts) -> None:
    states: list[tuple[State, bool]] = [
        ("Creating", True),
        ("Creating", False),
        ("Updating", True),
        ("Enabling", True),
        ("Disabling", False),
        ("Deleting", True),
    ]
    left = [mapping(number, state, enabled=enabled) for number, (state, enabled) in enumerate(states)]
    left += [mapping(number, "Creating") for number in range(len(left), limits.MAPPINGS_SETTLED * 2)]
    for one in left:
        await parts.store.write(lambda tx, one=one: mappings.insert(tx, one))
    parts.supervisor.start("settler", MappingSettler(parts).run())
    while await parts.store.read(lambda tx: mappings.unsettled(tx, 1)):
        pass
    held = await parts.store.read(
        lambda tx: mappings.page(tx, "000000000000", "us-east-1", "", len(left), function_arn="", source="")
    )
    assert [one.state for one in held[:5]] == ["Enabled", "Disabled", "Enabled", "Enabled", "Disabled"]
    assert len(held) == len(left) - 1
    assert {one.modified_ms for one in held} == {parts.now_ms()}
