"""The composition root: the only module that knows every part and joins them into a running server."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.compute.engine import Engine
from lambent.compute.sandbox import levels
from lambent.kernel.clock import SystemClock
from lambent.kernel.doors import Doors
from lambent.kernel.ids import SystemIds
from lambent.kernel.sources import Sources
from lambent.kernel.targets import Targets
from lambent.kernel.tasks import Supervisor
from lambent.services import iam, lambda_, logs, sts
from lambent.services.iam.roles import StoredRoles
from lambent.services.logs.facts import LogFacts
from lambent.services.logs.workers import Sweeper
from lambent.services.sts.authority import SessionAuthority
from lambent.store import keys
from lambent.store.blobs import Blobs
from lambent.store.dead import DeadEvents
from lambent.store.outbox import Outbox
from lambent.store.sqlite import SqliteStore
from lambent.wire.dead_events import NAME, DeadEventsPage
from lambent.wire.elsewhere import ElsewhereTarget
from lambent.wire.fronts.lobby import Lobby
from lambent.wire.fronts.messages import Hello
from lambent.wire.fronts.reception import Reception
from lambent.wire.gateway import Gateway
from lambent.wire.links import CodeLinks
from lambent.wire.models import Models
from lambent.wire.objects import S3Objects
from lambent.wire.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from importlib.resources.abc import Traversable

    from lambent.kernel.service import Service
    from lambent.kernel.settings import Settings

FRONT = "lambent.front"
"""The module that a front runs."""

SCHEMAS = ("iam", "lambda_", "logs")
"""The services that store something; each names its own tables in `schema/`."""

HOST_VARIABLES = ("PATH", "HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "ASDF_DATA_DIR")
"""What interpreters are found by. The server's other variables stay its own."""


class App:
    """A running server; `running` is the way to one."""

    def __init__(
        self,
        endpoint: str,
        choice: levels.Choice,
        services: tuple[Service, ...],
        store: SqliteStore,
        lobby: Lobby,
        key: str,
    ) -> None:
        self.endpoint = endpoint
        """The URL at which clients on this machine reach it."""
        self.sandbox = choice.sandbox.level
        """The sandbox level that functions run at."""
        self.obstacle = choice.obstacle
        """Why that has no walls, for people; empty where it has, or where none are asked for."""
        self.unlimited = choice.unlimited
        """Which limits functions are not held to in it, for people; empty where to all."""
        self.services = services
        self.store = store
        self.lobby = lobby
        self.key = key
        """What the pages ask for that are the operator's; another one at each start."""

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings) -> AsyncIterator[App]:
        """A server that listens for as long as the block lasts and leaves no process behind.

        Raises StoreError where the data folder cannot be used, CannotListen where the address cannot,
        levels.Unavailable where functions cannot be held in as the settings ask.
        """
        folder = Path(settings.data)
        clock, ids = SystemClock(), SystemIds()
        async with AsyncExitStack() as stack:
            store = await SqliteStore.open(folder, _schemas())
            stack.push_async_callback(store.close)
            supervisor = Supervisor(clock)
            stack.push_async_callback(supervisor.stop)
            facts = LogFacts(store, clock)
            stack.push_async_callback(facts.close)
            blobs = Blobs(folder, clock)
            sessions = await keys.key(store, ids, "sessions")
            authority = SessionAuthority(settings, clock, ids, sessions)
            roles = StoredRoles(store, supervisor)
            links = CodeLinks(await keys.key(store, ids, "links"), clock)
            choice = await levels.choose(settings, folder, clock, ids, supervisor)
            unowned = await stack.enter_async_context(AsyncExitStack())
            unowned.push_async_callback(choice.sandbox.close)
            engine = Engine(
                folder=folder,
                settings=settings,
                blobs=blobs,
                facts=facts,
                authority=authority,
                roles=roles,
                clock=clock,
                ids=ids,
                supervisor=supervisor,
                endpoint=lambda: gateway.endpoint,
                serve=lambda listener: server.add(listener, supervisor),
                sandbox=choice.sandbox,
                host={name: os.environ[name] for name in HOST_VARIABLES if name in os.environ},
            )
            unowned.pop_all()
            stack.push_async_callback(engine.close)
            objects = S3Objects(settings, clock)
            stack.push_async_callback(objects.close)
            targets = Targets()
            for service_name, where in settings.elsewhere.items():
                target = ElsewhereTarget(service_name, where, settings.region, clock)
                stack.push_async_callback(target.close)
                targets.register(service_name, target)
            doors = Doors(settings.public_url)
            sweeper = Sweeper(store, clock)
            services = (
                iam.build(iam.Parts(store=store, roles=roles, clock=clock, ids=ids)),
                lambda_.build(
                    lambda_.Parts(
                        store=store,
                        blobs=blobs,
                        engine=engine,
                        links=links,
                        objects=objects,
                        roles=roles,
                        settings=settings,
                        targets=targets,
                        doors=doors,
                        sources=Sources(),
                        clock=clock,
                        ids=ids,
                        supervisor=supervisor,
                    )
                ),
                logs.build(logs.Parts(store=store, clock=clock, facts=facts, sweeper=sweeper)),
                sts.build(sts.Parts(authority=authority, roles=roles)),
            )
            key = ids.bytes(32).hex()
            gateway = Gateway(
                services=services,
                models=Models(ids),
                authority=authority,
                doors=doors,
                links=links,
                blobs=blobs,
                clock=clock,
                ids=ids,
                settings=settings,
                facts={"sandbox": engine.level},
                pages={NAME: DeadEventsPage(DeadEvents(store), key)},
            )
            server = HttpServer(gateway.handle, clock)
            stack.push_async_callback(server.close)
            lobby = Lobby(
                settings.fronts,
                _front,
                gateway.perform,
                lambda: Hello(settings, sessions, doors.kinds, logging.getLogger().getEffectiveLevel()),
                clock,
                supervisor,
            )
            port = await server.bind(settings.host, settings.port)
            gateway.endpoint = f"http://{_reachable(settings.host)}:{port}"
            for service in services:
                for prepare in service.preparations:
                    await prepare()
            if settings.fronts:
                door = server.door(lambda: lobby.lent)
                stack.push_async_callback(lobby.close)
                await lobby.open()
                stack.callback(door.close)
                for listener in server.bound():
                    reception = Reception(listener, door, lobby, clock, supervisor)
                    lobby.take = reception.serve
                    door.attend(reception)
            else:
                await server.open()
            supervisor.keep("outbox", Outbox(store, targets, clock).run)
            for service in services:
                for name, worker in service.workers.items():
                    supervisor.keep(f"{service.name}.{name}", worker.run)
            yield cls(gateway.endpoint, choice, services, store, lobby, key)


async def _front(link: int, passage: int) -> asyncio.subprocess.Process:
    """A front that is to serve over these descriptors, in a session of its own: a Ctrl-C is the server's to hear."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", FRONT, str(link), str(passage),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        pass_fds=(link, passage),
        start_new_session=True,
    )  # fmt: skip


def _schemas() -> dict[str, Traversable]:
    return {name: files(f"lambent.services.{name}") / "schema" for name in SCHEMAS}


def _reachable(host: str) -> str:
    """`host` as a client on this machine writes it in a URL."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"
