"""`Database` on one SQLite file, through aiosqlite.

Writers share commits: while one commit waits for the disk, all that arrives waits, and goes together into the next
transaction, in one hop to the writer's thread. Readers have connections of their own and never queue behind a commit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import structlog
from sqlalchemy.sql import ClauseElement

from anonchat import (
    ChatError,
    Clock,
    Completion,
    MigrationError,
    Migrations,
    Parameters,
    PendingWork,
    Row,
    StartError,
    Work,
    WorkQueue,
)
from anonchat_sqlite.lock import FileLock
from anonchat_sqlite.migration import migrate
from anonchat_sqlite.statements import Compiler, SQLiteStatements, drive

T = TypeVar("T")
log = structlog.get_logger("anonchat.sqlite")

READERS = 2
READS = 16  # that share a hop, and so wait for each other
BATCH = 1_000  # jobs in one commit: bounds how long the first of them waits for the last
WAITING = 20_000  # jobs that may wait before new ones are refused as `overloaded`
BUSY_MILLISECONDS = 5_000
ERASE_MILLISECONDS = 20  # that emptying the log waits for readers, and everybody's sends for it

# FULL: a commit is on the disk before it is answered. NORMAL lost acknowledged messages in simulated power cuts.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_MILLISECONDS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8192",  # KiB for each connection; with 32 MiB a million messages were read and written no faster
    # So often a page is written again that it pays to carry it over seldom. The log grows to 32 MB.
    "PRAGMA wal_autocheckpoint=8000",
)


class SQLiteDatabase:
    """The database of one server. The file is locked against a second server while it is open."""

    dialect = "sqlite"

    def __init__(self, url: str, clock: Clock) -> None:
        self.path = path_of(url)
        self._lock = lock_of(self.path)
        self._compiler = Compiler()
        self._commits = WorkQueue(self._begin_commit, together=BATCH, most=WAITING)
        self._readers: list[_Reader] = []
        self._turn = itertools.count()
        self._writer: aiosqlite.Connection | None = None
        self._eraser: aiosqlite.Connection | None = None

    async def start(self, migrations: Migrations) -> None:
        try:
            free = self._lock.take()
        except OSError as error:
            raise StartError(f"{self._lock.refused} cannot be written: {error.strerror}.") from error
        if not free:
            raise StartError(
                f"{self.path} is in use by another anonchat server. SQLite serves one node; stop the other."
            )
        try:
            create_private(self.path)
            await asyncio.to_thread(migrate, self.path, migrations)
            self._writer = await self._open()
            for _ in range(READERS):
                self._readers.append(_Reader(await self._open("PRAGMA query_only=ON"), self._compiler))
            # Of its own and with little patience: whoever reads must not make everybody's sends wait.
            self._eraser = await self._open(f"PRAGMA busy_timeout={ERASE_MILLISECONDS}")
        except MigrationError as error:
            await self.close()
            raise StartError(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise StartError(f"The database {self.path} cannot be opened: {error}.") from error

    async def close(self) -> None:
        """Finish what waits, then close. Work that arrives later is refused."""
        await self._commits.finish()
        readers, self._readers = self._readers, []
        writer, self._writer = self._writer, None
        eraser, self._eraser = self._eraser, None
        for reader in readers:
            await reader.close()
        for connection in (eraser, writer):
            if connection is not None:
                await connection.close()
        self._lock.release()

    async def read(self, work: Work[T]) -> T:
        if not self._readers:
            raise ChatError("storage_unavailable")
        reader = self._readers[next(self._turn) % len(self._readers)]
        return await reader.queue.submit(work)

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        return await self.read(lambda statements: statements.fetch_one(statement, parameters))

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        return await self.read(lambda statements: statements.fetch_all(statement, parameters))

    def transaction(
        self,
        work: Work[T],
        committed: Callable[[], None] | None = None,
        room: str | None = None,
        *,
        first: bool = False,
    ) -> asyncio.Future[T]:
        """One writer does everything, one thing after another, so that rooms make no difference."""
        if self._writer is not None:
            return self._commits.submit(work, committed, first=first)
        refused: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        refused.set_exception(ChatError("storage_unavailable"))
        return refused

    async def erase(self) -> None:
        """Empty the write-ahead log, which still holds what was deleted. Raises `storage_unavailable` while it is in use:
        somebody reads, or SQLite carries it over by itself.
        """
        if self._eraser is None:
            return
        try:
            rows = await self._eraser.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        except (sqlite3.Error, ValueError) as error:
            raise _storage_error(error) from error
        if any(row[0] for row in rows):
            raise ChatError("storage_unavailable", "The write-ahead log is in use and could not be emptied.")

    async def check(self) -> None:
        async def nothing(_: object) -> None:
            return None

        await self.read(nothing)
        if self._writer is None:
            raise ChatError("storage_unavailable")
        await _hop(self._writer, self._write_nothing, self._writer)

    async def size(self) -> int:
        """Of the file, and of the log of what is yet to be written into it."""
        return await asyncio.to_thread(lambda: _bytes_of(self.path) + _bytes_of(f"{self.path}-wal"))

    def _write_nothing(self, writer: aiosqlite.Connection) -> None:
        """In the writer's thread: a commit that changes nothing, but has to be written; a full disk refuses it."""
        connection = writer._conn
        try:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version={int(version) ^ 1}")
            connection.execute(f"PRAGMA user_version={int(version)}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _storage_error(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    async def _open(self, *more: str) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self.path, isolation_level=None, cached_statements=512)
        connection.row_factory = sqlite3.Row
        try:
            for pragma in (*PRAGMAS, *more):
                await connection.execute_fetchall(pragma)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _begin_commit(self, batch: Sequence[PendingWork], completion: Completion) -> None:
        assert self._writer is not None  # until nothing waits any more
        _hand_over(self._writer, self._commit, batch, completion)

    def _commit(self, writer: aiosqlite.Connection, batch: Sequence[PendingWork]) -> Sequence[PendingWork]:
        """In the writer's thread: one transaction for the whole batch; returns the jobs that are durable now."""
        connection = writer._conn
        statements = SQLiteStatements(connection, self._compiler)
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")  # the one before could not even be rolled back
            connection.execute("BEGIN IMMEDIATE")
            durable = [job for job in batch if _run(connection, statements, job)]
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = _storage_error(error)
            for job in batch:
                job.outcome = failure
            return []
        return durable


class _Reader:
    """One connection that reads. What arrives while it is at work goes together in its next hop to its thread."""

    def __init__(self, connection: aiosqlite.Connection, compiler: Compiler) -> None:
        self._connection = connection
        self._compiler = compiler
        self.queue = WorkQueue(self._begin_read, together=READS, most=WAITING // READERS)

    async def close(self) -> None:
        await self.queue.finish()
        await self._connection.close()

    def _begin_read(self, batch: Sequence[PendingWork], completion: Completion) -> None:
        _hand_over(self._connection, self._read, batch, completion)

    def _read(self, reader: aiosqlite.Connection, batch: Sequence[PendingWork]) -> Sequence[PendingWork]:
        """In the reader's thread: all on one snapshot, which begins after the last of them was asked for."""
        connection = reader._conn
        statements = SQLiteStatements(connection, self._compiler)
        try:
            connection.execute("BEGIN")
            for pending in batch:
                try:
                    pending.outcome = drive(pending.work(statements))
                except BaseException as error:
                    pending.outcome = _storage_error(error)
        except sqlite3.Error as error:
            for pending in batch:
                pending.outcome = _storage_error(error)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return ()


class _Told:
    """In place of a future in a connection's thread: it tells in the turn in which the event loop hears of it, not one later."""

    __slots__ = ("_completion", "_loop")

    def __init__(self, completion: Completion) -> None:
        self._completion = completion
        self._loop = asyncio.get_running_loop()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def done(self) -> bool:
        return self._completion.is_over

    def set_result(self, durable: Sequence[PendingWork]) -> None:
        self._completion.finished(durable)

    def set_exception(self, error: BaseException) -> None:
        self._completion.failed(error)


def _hand_over(
    connection: aiosqlite.Connection,
    function: Callable[[aiosqlite.Connection, Sequence[PendingWork]], Sequence[PendingWork]],
    batch: Sequence[PendingWork],
    completion: Completion,
) -> None:
    """Have a batch worked off in a connection's thread. Like `_hop`, by names of aiosqlite that are not public."""
    if not connection._running or connection._connection is None:
        raise RuntimeError("the connection to the database is closed")
    connection._tx.put_nowait((_Told(completion), partial(function, connection, batch)))  # type: ignore[arg-type]


def lock_of(path: Path) -> FileLock:
    """The lock that keeps a second server, and whoever would replace the file, away from a database."""
    return FileLock(path.with_name(path.name + ".lock"))


def path_of(url: str) -> Path:
    """The file of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``. Raises `StartError`."""
    _, _, path = url.partition(":///")
    if not path:
        raise StartError(f"{url!r} names no file. Write sqlite:///anonchat.db, or sqlite:////srv/chat/anonchat.db.")
    return Path(path)


def create_private(path: Path) -> None:
    """What people write is not for other users of the machine. SQLite gives its log the rights of the file."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _run(connection: sqlite3.Connection, statements: SQLiteStatements, job: PendingWork) -> bool:
    """One job under a savepoint of its own; answers whether it stands. Raises if the whole transaction is lost."""
    connection.execute("SAVEPOINT job")
    try:
        job.outcome = drive(job.work(statements))
    except BaseException as error:
        if not connection.in_transaction:
            raise  # a full disk or an I/O error has rolled back everything
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        job.outcome = _job_error(error)
        return False
    connection.execute("RELEASE job")
    return True


def _job_error(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.IntegrityError):
        conflict = ChatError("conflict")
        conflict.__cause__ = error
        return conflict
    return _storage_error(error)


def _storage_error(error: BaseException) -> BaseException:
    """What the caller is told of a failure of the file itself. The log keeps SQLite's own words."""
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return error  # not the file's failure but a mistake in the program
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    log.error("sqlite failed", error=str(error), sqlite_code=code)
    answer = ChatError("storage_full" if code == sqlite3.SQLITE_FULL else "storage_unavailable", retry_after_ms=2_000)
    answer.__cause__ = error
    return answer


async def _hop(connection: aiosqlite.Connection, function: Callable[..., T], *arguments: Any) -> T:
    """Run a function in a connection's thread, in turn with its statements.

    aiosqlite has no public name for this; its version is bounded in setup.cfg, and a test holds the call.
    """
    result: T = await connection._execute(function, *arguments)  # type: ignore[no-untyped-call]
    return result


def _bytes_of(path: str | Path) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0
