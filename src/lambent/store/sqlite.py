"""The embedded engine: SQLite with one writer thread that commits whatever waits as one group, and reader threads.

A commit waits for the disk (`synchronous=FULL`), which takes far longer than the SQL before it. So the writer takes
every work that has queued up meanwhile, runs each in its own savepoint, commits once and only then answers them all:
under load the disk's wait is shared, and with one caller nothing is delayed.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.resources import files
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lambent.kernel import limits
from lambent.kernel.targets import NO_ATTRIBUTES, Envelope
from lambent.store import folder as folders
from lambent.store.errors import ConstraintBroken, DatabaseDamaged, FolderUnusable, StoreClosed, StoreError
from lambent.store.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from lambent.kernel.targets import Attribute, Sender
    from lambent.store.api import Row, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    f"PRAGMA journal_size_limit = {limits.STORE_WAL_BYTES}",
)


class SqliteStore:
    """The `Store` port on a SQLite database in a folder that no other server has open.

    It belongs to the event loop that opened it. A call that is cancelled before its work began leaves nothing; one
    that is cancelled later may have been committed.
    """

    def __init__(self, lock: folders.FolderLock, writer: _Lane, readers: _Lane) -> None:
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self._targets: set[str] = set()
        self._sent = asyncio.Event()
        writer.committed = self._remember

    @classmethod
    async def open(cls, folder: Path, schemas: Mapping[str, Traversable]) -> SqliteStore:
        """Open, or create, the database in `folder` and bring its tables up to `schemas`, migrations by service.

        Raises FolderUnusable, FolderInUse, DatabaseDamaged, SchemaTooNew, SchemaAltered.
        """
        own = {"store": files("lambent.store") / "schema"}
        return cls(*await asyncio.to_thread(_open, folder, {**own, **schemas}, asyncio.get_running_loop()))

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a consistent snapshot that includes every acknowledged write."""
        return await self._readers.run(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` alone and return its result once it is durable; an exception undoes it whole.

        Every answer waits for the commit, also that of a work that raised: it may have seen what others of its group
        had written. Raises StoreError to the whole group where the commit fails.
        """
        return await self._writer.run(work)

    async def sent(self) -> set[str]:
        """Wait for commits that put events into the outbox; their targets since this was last asked, by one asker."""
        await self._sent.wait()
        self._sent.clear()
        targets, self._targets = self._targets, set()
        return targets

    @property
    def statements(self) -> int:
        """How many SQL statements have run since the store was opened, those that frame transactions included."""
        return self._writer.statements + self._readers.statements

    async def close(self) -> None:
        """Finish every work that was accepted, fold the log into the database and give the folder free.

        The writer is the last to close: of two that close at once SQLite may take neither for the last, and leave the
        log where it is.
        """
        self._writer.refuse()
        self._readers.shut()
        await asyncio.to_thread(self._readers.join)
        self._writer.shut()
        await asyncio.to_thread(self._writer.join)
        self._lock.release()

    def _remember(self, targets: set[str]) -> None:
        self._targets |= targets
        self._sent.set()


def _open(
    folder: Path, schemas: Mapping[str, Traversable], loop: asyncio.AbstractEventLoop
) -> tuple[folders.FolderLock, _Lane, _Lane]:
    database = folder / "lambent.db"
    folders.prepare(folder)
    folders.close(folder, database.name)
    with ExitStack() as undo:
        lock = folders.FolderLock(folder)
        undo.callback(lock.release)
        folders.touch(database)
        writer = _Lane("store-writer", loop, _write, 1, limits.STORE_BATCH)
        undo.callback(writer.end)
        writer.start(partial(_open_writer, database, schemas))
        folders.sync(folder)
        readers = _Lane("store-reader", loop, _read, limits.STORE_READERS, 1)
        undo.callback(readers.end)
        readers.start(partial(_open_reader, database))
        undo.pop_all()
    return lock, writer, readers


def _open_writer(database: Path, schemas: Mapping[str, Traversable]) -> _Session:
    session = _Session(database)
    with session.closing_on_error():
        if session.one("PRAGMA journal_mode = WAL") != ("wal",):
            raise FolderUnusable(f"cannot use {database.parent} for data: its file system cannot share memory")
        with session.transaction("BEGIN IMMEDIATE"):
            steps = migrate(session, schemas)
    for step in steps:
        log.info("applied migration %s", step)
    return session


def _open_reader(database: Path) -> _Session:
    session = _Session(database)
    session.run("PRAGMA query_only = ON")
    return session


class _Session:
    """A connection, which never leaves its thread; it is what a work gets as its `Transaction`."""

    def __init__(self, database: Path) -> None:
        self.statements = 0
        self.targets: set[str] = set()
        try:
            self._connection = sqlite3.connect(
                database,
                timeout=limits.STORE_BUSY_S,
                isolation_level=None,
                cached_statements=limits.STORE_STATEMENTS_CACHED,
            )
        except sqlite3.Error as error:
            raise _failure(error, f"open {database}") from error
        # One cursor for all: its next statement ends the one before, so none is left reading an old snapshot.
        self._cursor = self._connection.cursor()
        with self.closing_on_error():
            for pragma in _PRAGMAS:
                self.run(pragma)

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, or None."""
        self.statements += 1
        try:
            row: Row | None = self._cursor.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise _failure(error, sql) from error
        return row

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""
        self.statements += 1
        try:
            return self._cursor.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _failure(error, sql) from error

    def run(self, sql: str, **values: Any) -> int:
        """Change rows; returns how many."""
        self.statements += 1
        try:
            return self._cursor.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise _failure(error, sql) from error

    def send(
        self,
        target: str,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """Put `event` for the ARN `target` into the outbox: it leaves when, and only if, this commits."""
        self.run(
            "INSERT INTO outbox (target, event, envelope) VALUES (:target, :event, :envelope)",
            target=target,
            event=event,
            envelope=_sealed(trace, sender, attributes),
        )
        self.targets.add(target)

    @contextmanager
    def transaction(self, begin: str) -> Iterator[None]:
        """The body between `begin` and COMMIT; where either or the body fails, nothing of it is left."""
        try:
            self.run(begin)
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with suppress(StoreError):
                    self.run("ROLLBACK")
            raise

    @contextmanager
    def closing_on_error(self) -> Iterator[None]:
        """The body; where it raises, the connection is closed."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def attempt(self, job: _Job) -> None:
        """Run one work of a group; its exception undoes only its own changes."""
        self.run("SAVEPOINT work")
        job.run(self)
        if job.failure is not None:
            if not self._connection.in_transaction:
                # On some errors, a full disk among them, SQLite undoes the whole transaction of its own accord.
                raise StoreError(f"the transaction was undone: {job.failure}")
            self.run("ROLLBACK TO work")
        self.run("RELEASE work")

    def close(self) -> None:
        """Close the connection; the last one to close folds the log into the database."""
        try:
            self._connection.close()
        except sqlite3.Error:
            log.exception("the database did not close cleanly; nothing acknowledged is lost")


class _Job:
    """A work, what came of it, and the future that its caller waits on."""

    __slots__ = ("failure", "future", "result", "work")

    def __init__(self, work: Callable[[Transaction], Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.failure: BaseException | None = None

    def run(self, session: _Session) -> None:
        try:
            self.result = self.work(session)
        except StopIteration as failure:
            # A future does not take this one, and a generator would not let it out either.
            self.failure = RuntimeError("the work raised StopIteration")
            self.failure.__cause__ = failure
        except BaseException as failure:  # noqa: BLE001 it is raised again where the work is awaited
            self.failure = failure

    def answer(self) -> None:
        if self.future.done():
            return
        if self.failure is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.failure)


def _read(session: _Session, jobs: list[_Job]) -> None:
    for job in jobs:
        try:
            with session.transaction("BEGIN"):
                job.run(session)
        except StoreError as failure:
            job.failure = job.failure or failure


def _write(session: _Session, jobs: list[_Job]) -> None:
    try:
        with session.transaction("BEGIN IMMEDIATE"):
            for job in jobs:
                session.attempt(job)
    except StoreError as failure:
        for job in jobs:
            job.failure = StoreError(f"nothing was stored: {failure}")


class _Lane:
    """A bounded queue of works and the threads that serve it, each with a session of its own."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        serve: Callable[[_Session, list[_Job]], None],
        threads: int,
        batch: int,
    ) -> None:
        self.committed: Callable[[set[str]], None] = lambda _targets: None
        self._loop = loop
        self._serve = serve
        self._batch = batch
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._slots = asyncio.Semaphore(limits.STORE_QUEUE)
        self._shut = False
        self._sessions: list[_Session] = []
        self._names = [f"{name}-{number}" for number in range(threads)]
        self._threads: list[threading.Thread] = []

    @property
    def statements(self) -> int:
        return sum(session.statements for session in self._sessions)

    def start(self, open_session: Callable[[], _Session]) -> None:
        """Start the threads; an error in opening a session is raised here."""
        for name in self._names:
            opened: Future[_Session] = Future()
            thread = threading.Thread(target=self._main, args=(open_session, opened), name=name, daemon=True)
            thread.start()
            self._sessions.append(opened.result())
            self._threads.append(thread)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Queue `work` and wait for its answer; where the queue is full, wait for a place first."""
        await self._slots.acquire()
        if self._shut:
            self._slots.release()
            raise StoreClosed
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Job(work, future))
        return await future

    def refuse(self) -> None:
        """Accept no further work."""
        self._shut = True

    def shut(self) -> None:
        """Accept no further work and let the threads end once the queue is empty."""
        self.refuse()
        for _ in self._threads:
            self._queue.put(None)

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        self.shut()
        self.join()

    def _main(self, open_session: Callable[[], _Session], opened: Future[_Session]) -> None:
        try:
            session = open_session()
        except BaseException as failure:  # noqa: BLE001 it is raised again in `start`
            opened.set_exception(failure)
            return
        opened.set_result(session)
        while jobs := self._take():
            self._do(session, jobs)
        session.close()

    def _take(self) -> list[_Job]:
        """Wait for works and take those that are there; none where the lane is shut."""
        job = self._queue.get()
        jobs = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._batch:
                return jobs
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs
        if jobs:
            self._queue.put(None)
        return jobs

    def _do(self, session: _Session, jobs: list[_Job]) -> None:
        try:
            self._serve(session, [job for job in jobs if not job.future.cancelled()])
        except BaseException as failure:  # noqa: BLE001 it is raised again where the works are awaited
            for job in jobs:
                job.failure = failure
        targets, session.targets = session.targets, set()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._answer, jobs, targets)

    def _answer(self, jobs: list[_Job], targets: set[str]) -> None:
        for job in jobs:
            self._slots.release()
            job.answer()
        if targets:
            self.committed(targets)


def _sealed(trace: str, sender: Sender | None, attributes: Mapping[str, Attribute]) -> str | None:
    """The envelope as JSON; None where it is empty."""
    if not trace and sender is None and not attributes:
        return None
    return msgspec.json.encode(Envelope(trace=trace, sender=sender, attributes=dict(attributes))).decode()


def _failure(error: sqlite3.Error, sql: str) -> StoreError:
    """The store's own error for a driver's, naming the statement but none of its values."""
    # Errors of the driver itself, a missing parameter for one, carry no code of SQLite.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseDamaged(f"the database is damaged: {error}; restore it from a backup")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return FolderUnusable(f"cannot use the database: {error}")
    kind = ConstraintBroken if code == sqlite3.SQLITE_CONSTRAINT else StoreError
    return kind(f"{error}, in: {' '.join(sql.split())}")
