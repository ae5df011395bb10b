"""Crash images of a server in the middle of many calls: the folder after each step of each of them."""

from __future__ import annotations

import shutil
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from tests.stories.crashes import rows
from tests.stories.crashes.scenario import OK, Actor, Step
from tests.stories.crashes.server import HaltingServer, halting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.crashes.scenario import Play, Scenario

SETTERS = 8
STATES = {
    "CreateFunction": ("GetFunctionConfiguration", "FunctionName"),
    "PublishVersion": ("ListVersionsByFunction", "FunctionName"),
    "CreateEventSourceMapping": ("GetEventSourceMapping", "UUID"),
    "CreateCapacityProvider": ("GetCapacityProvider", "CapacityProviderName"),
}
"""What tells when that which an operation begins is complete, and the member that says of what."""
_WAL_HEADER, _FRAME_HEADER = 32, 24


class Image(NamedTuple):
    """What a SIGKILL at that moment would have left."""

    folder: Path
    moment: str
    answered: frozenset[str]
    """The accounts whose calls had been answered."""
    news: frozenset[str]
    """The accounts that may find something else than in the image before."""
    ran: frozenset[str]
    """The ARNs of the functions that had been invoked."""


class Recording(NamedTuple):
    """The scenarios as they went without a crash, and the images taken meanwhile."""

    actors: list[Actor]
    images: list[Image]


def record(folder: Path, scenarios: tuple[Scenario, ...]) -> Recording:
    """Play all scenarios at once, step by step, with an image after each step."""
    actors = [Actor(scenario, str(500_000_000_000 + number)) for number, scenario in enumerate(scenarios)]
    with halting(folder / "live") as server:
        with ThreadPoolExecutor(SETTERS) as pool:
            list(pool.map(lambda actor: _set_up(server, actor), actors))
        images = _calls(server, actors, folder)
        images += _workers(server, actors, folder)
    return Recording(actors, images)


def torn(image: Image, folder: Path) -> Image:
    """The image of a moment before: the last frame of the log had been written in part. Nothing that waited for it had
    been answered."""
    shutil.copytree(image.folder, folder)
    log = folder / "lambent.db-wal"
    data = bytearray(log.read_bytes())
    at, size = _last_frame(data)
    data[at + size // 2 : at + size] = bytes(size - size // 2)
    log.write_bytes(data)
    return image._replace(folder=folder, moment=f"{image.moment}, torn")


def _set_up(server: HaltingServer, actor: Actor) -> None:
    play = actor.on(server.endpoint)
    for step in actor.scenario.given:
        play.answer(step)
        _await_end(server, play, step)
    actor.before = play.settled()


def _await_end(server: HaltingServer, play: Play, step: Step) -> None:
    """Return once what the step has begun is complete."""
    kept = play.actor.kept
    if step.operation in STATES:
        operation, member = STATES[step.operation]
        play.quiet(Step(operation, {member: step.request.get(member, "<mapping>")}))
    elif step.operation == "Invoke" and "execution" in kept:
        server.wait(lambda: kept["execution"] in server.tokens)
        kept["token"] = server.tokens[kept["execution"]]


def _calls(server: HaltingServer, actors: list[Actor], folder: Path) -> list[Image]:
    """Make all calls, each halted at each step of its own, while workers are halted."""
    images = []
    server.say("hold")
    news = frozenset(actor.account for actor in actors)
    with ThreadPoolExecutor(len(actors)) as pool:
        calls = {actor.account: pool.submit(_call, server, actor) for actor in actors}
        for call in calls.values():
            call.add_done_callback(lambda _: _notify(server))
        while True:
            server.wait(lambda: all(call.done() or account in server.held for account, call in calls.items()))
            answered = frozenset(account for account, call in calls.items() if call.done())
            moment = f"step {len(images)} of the calls"
            images.append(Image(folder / moment.replace(" ", "-"), moment, answered, news, frozenset()))
            server.copy(images[-1].folder)
            if not server.held:
                break
            news -= answered
            server.say("step")
        for call in calls.values():
            call.result()
    return images


def _call(server: HaltingServer, actor: Actor) -> None:
    actor.outcome, _ = actor.on(server.endpoint).attempt(actor.scenario.call)
    assert actor.outcome == OK, f"{actor.scenario.name} is answered with {actor.outcome}"


def _workers(server: HaltingServer, actors: list[Actor], folder: Path) -> list[Image]:
    """Let workers complete what was accepted, halted at each step, and see what has become of the calls."""
    at_first = {actor.account: actor.on(server.endpoint).look() for actor in actors if actor.scenario.service != "logs"}
    moments: list[tuple[str, frozenset[str]]] = []
    server.say("trace")
    with ThreadPoolExecutor(1) as pool:
        seeing = pool.submit(_see, server, actors)
        seeing.add_done_callback(lambda _: _notify(server))
        while not _over(server, seeing):
            moment = f"step {len(moments)} of the workers"
            taken = server.stopped == "after a commit"
            server.copy_stopped(folder / moment.replace(" ", "-") if taken else None)
            moments += [(moment, frozenset(server.ran))] if taken else []
        seeing.result()
    everybody = frozenset(actor.account for actor in actors)
    unfinished = frozenset(
        actor.account for actor in actors if actor.runs or actor.after != at_first.get(actor.account, actor.after)
    )
    return [Image(folder / moment.replace(" ", "-"), moment, everybody, unfinished, ran) for moment, ran in moments]


def _see(server: HaltingServer, actors: list[Actor]) -> None:
    for actor in actors:
        actor.after = actor.on(server.endpoint).settled()
        server.wait(lambda actor=actor: actor.runs <= server.ran)
    rows.until(server.folder, rows.queued)
    server.say("free")
    for actor in actors:
        actor.again, _ = actor.on(server.endpoint).attempt(actor.scenario.call)


def _over(server: HaltingServer, seeing: Future[None]) -> bool:
    """Wait until the server has stopped; True where all has been seen instead."""
    server.wait(lambda: server.stopped is not None or seeing.done())
    return server.stopped is None


def _notify(server: HaltingServer) -> None:
    with server.changed:
        server.changed.notify_all()


def _last_frame(log: bytearray) -> tuple[int, int]:
    """Where the last frame of the log begins that belongs to it, and its size in bytes.

    https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    size = _FRAME_HEADER + struct.unpack(">I", log[8:12])[0]
    salt, at = log[16:24], _WAL_HEADER
    while log[at + size + 8 : at + size + 16] == salt:
        at += size
    return at, size
