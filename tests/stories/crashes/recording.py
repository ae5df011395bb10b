"""Crash images of a server in the middle of many calls: the folder after each step of each of them."""

from __future__ import annotations

import shutil
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.stories.crashes import rows
from tests.stories.crashes.scenario import OK, Actor, Step
from tests.stories.crashes.server import HaltingServer, halting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.stories.crashes.scenario import Play, Scenario

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
    unheard: bool
    """Whether nobody had been told of the last commit yet."""


class Recording(NamedTuple):
    """The scenarios as they went without a crash, and the images taken meanwhile."""

    actors: list[Actor]
    images: list[Image]


def record(folder: Path, scenarios: tuple[Scenario, ...]) -> Recording:
    """Play all scenarios at once, step by step, with an image after each step."""
    actors = [Actor(scenario, str(500_000_000_000 + number)) for number, scenario in enumerate(scenarios)]
    with halting(folder / "live") as server, ThreadPoolExecutor(len(actors) + 1) as pool:
        list(pool.map(lambda actor: _set_up(server, actor), actors))
        images = Recorder(server, actors, folder, pool).images()
    return Recording(actors, images)


def torn(image: Image, folder: Path) -> Image:
    """The image of a moment before: the last frame of the log had been written in part."""
    assert image.unheard, "what has been told of is flushed"
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


class Recorder:
    """Makes the calls of all actors, and takes the images."""

    def __init__(self, server: HaltingServer, actors: list[Actor], folder: Path, pool: ThreadPoolExecutor) -> None:
        self._server = server
        self._actors = actors
        self._folder = folder
        self._pool = pool
        self._calls: dict[str, Future[None]] = {}
        self._images: list[Image] = []

    def images(self) -> list[Image]:
        """Make the calls; returns an image of each step, in order."""
        self._server.say("hold")
        for actor in self._actors:
            self._calls[actor.account] = self._begin(self._call, actor)
        self._halt_calls()
        at_first = {actor.account: actor.on(self._server.endpoint).look() for actor in self._actors if _shows(actor)}
        self._server.say("trace")
        self._trace_workers(self._begin(self._see))
        left = {actor.account for actor in self._actors if actor.after != at_first.get(actor.account, actor.after)}
        left |= {actor.account for actor in self._actors if actor.runs}
        return [image if image.news else image._replace(news=frozenset(left)) for image in self._images]

    def _begin(self, work: Callable[..., None], *args: Any) -> Future[None]:
        return begin(self._server, self._pool, work, *args)

    def _call(self, actor: Actor) -> None:
        actor.outcome, _ = actor.on(self._server.endpoint).attempt(actor.scenario.call)
        assert actor.outcome == OK, f"{actor.scenario.name} is answered with {actor.outcome}"

    def _halt_calls(self) -> None:
        """Let the calls go on step by step, while workers are halted, until nobody takes a step any more."""
        waits = {actor.account for actor in self._actors if actor.scenario.waits}
        news = frozenset(self._calls)
        while True:
            self._server.wait(lambda: self._calls.keys() <= self._answered() | self._server.held.keys() | waits)
            answered = self._take(f"step {len(self._images)} of the calls", news)
            if not self._server.held:
                return
            news -= answered
            self._server.say("step")

    def _take(self, moment: str, news: frozenset[str]) -> frozenset[str]:
        """Take an image; returns whose calls had been answered."""
        unheard = "after a commit" in self._server.held.values()
        image = Image(self._at(moment), moment, self._answered(), news, frozenset(self._server.ran), unheard)
        self._server.copy(image.folder)
        self._images.append(image)
        return image.answered

    def _trace_workers(self, seeing: Future[None]) -> None:
        """Let workers complete what was accepted, halted at each step, until all has been seen."""
        for number, copy in enumerate(commits(self._server, seeing)):
            moment = f"step {number} of the workers"
            ran = frozenset(self._server.ran)
            self._images.append(Image(self._at(moment), moment, self._answered(), frozenset(), ran, unheard=True))
            copy(self._at(moment))

    def _see(self) -> None:
        """See what becomes of the calls, and of the same calls again."""
        server = self._server
        for actor in self._actors:
            self._calls[actor.account].result()
            actor.after = actor.on(server.endpoint).settled()
            server.wait(lambda actor=actor: actor.runs <= server.ran)
        rows.until(server.folder, rows.queued)
        server.say("free")
        for actor in self._actors:
            actor.again, _ = actor.on(server.endpoint).attempt(actor.scenario.call)

    def _answered(self) -> frozenset[str]:
        return frozenset(account for account, call in self._calls.items() if call.done())

    def _at(self, moment: str) -> Path:
        return self._folder / moment.replace(" ", "-")


def recover(image: Image, actors: list[Actor], folder: Path) -> list[Image]:
    """Start a server on the image, halted at each step from the first on; returns an image of each."""
    images: list[Image] = []
    finders = [actor for actor in actors if actor.account in image.news]
    with halting(image.folder, "trace") as server, ThreadPoolExecutor(1) as pool:
        for number, copy in enumerate(commits(server, begin(server, pool, _recovered, server, finders))):
            moment = f"{image.moment}, step {number} of the recovery"
            images.append(
                image._replace(
                    folder=folder / f"recovery-{number}", moment=moment, ran=image.ran | server.ran, unheard=True
                )
            )
            copy(images[-1].folder)
    return images


def _recovered(server: HaltingServer, actors: list[Actor]) -> None:
    """Return once what these can see is complete."""
    server.ready()
    for actor in actors:
        actor.on(server.endpoint).until(lambda seen, actor=actor: seen == actor.after)
    rows.until(server.folder, rows.queued)


def begin(server: HaltingServer, pool: ThreadPoolExecutor, work: Callable[..., None], *args: Any) -> Future[None]:
    """Begin `work` on a thread; who waits for the server hears of its end."""

    def tell(_: Future[None]) -> None:
        with server.changed:
            server.changed.notify_all()

    done = pool.submit(work, *args)
    done.add_done_callback(tell)
    return done


def commits(server: HaltingServer, seeing: Future[None]) -> Iterator[Callable[[Path], None]]:
    """The commits of a server that stops itself at each step, until that is done: for each what copies its folder and
    lets it go on, which must be called."""
    while True:
        server.wait(lambda: server.stopped is not None or seeing.done())
        if server.stopped is None:
            seeing.result()
            return
        if server.stopped == "after a commit":
            yield server.copy_stopped
        else:
            server.copy_stopped(None)


def _shows(actor: Actor) -> bool:
    """Whether looking waits for no worker."""
    return actor.scenario.service != "logs"


def _last_frame(log: bytearray) -> tuple[int, int]:
    """Where the last frame of the log begins that belongs to it, and its size in bytes.

    https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    size = _FRAME_HEADER + struct.unpack(">I", log[8:12])[0]
    salt, at = log[16:24], _WAL_HEADER
    while log[at + size + 8 : at + size + 16] == salt:
        at += size
    return at, size
