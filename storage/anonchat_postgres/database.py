"""`Database` on Postgres, through asyncpg, for any number of nodes.

Work that names its room shares commits with what else waits for that room; rooms go side by side, each on a connection
of its own, so that no transaction ever waits for one room while it holds another. What changes many rooms has a line and a
connection of its own, and waits for no row longer than a moment. All other work goes one after another, each piece in a
transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import asyncpg
import structlog
from sqlalchemy import func, select
from sqlalchemy.sql import ClauseElement

from anonchat import (
    MANY_ROOMS,
    ChatError,
    Clock,
    MigrationError,
    Migrations,
    Parameters,
    PendingWork,
    Row,
    StartError,
    Work,
    WorkQueue,
)
from anonchat_postgres.batches import commit
from anonchat_postgres.connecting import COMMAND_SECONDS, CONNECT_SECONDS, NODE, Address, connect
from anonchat_postgres.failures import RunAgain, Unanswered, answered, is_lost, told
from anonchat_postgres.migration import migrate
from anonchat_postgres.statements import PostgresStatements, compilers

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

T = TypeVar("T")
log = structlog.get_logger("anonchat.postgres")

TOGETHER = 60  # pieces in one commit: above 64 savepoints Postgres has to look them up on the disk
WAITING = 20_000  # that may wait before more is refused as `overloaded`
ATTEMPTS = 3
PAUSE_SECONDS = 0.02  # in which whoever won a race gets what it waits for
TRANSACTION_SECONDS = 60.0  # work that awaits something else for ever must not hold a connection for ever
CLOSE_SECONDS = 5.0
ERASE_SECONDS = 240.0

# Many rooms do not wait for one. Other nodes hold them as long as a commit takes: some tens of milliseconds under load.
BEGIN_HASTILY = "BEGIN; SET LOCAL lock_timeout = 300"
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
SELECT_SIZE = select(func.pg_database_size(func.current_database()))
WRITE_NOTHING = "UPDATE schema_version_core SET version_num = version_num"
SELECT_CHANGED = """
SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_dead_tup > 0
"""


class PostgresDatabase:
    """The database of one node."""

    dialect = "postgresql"

    def __init__(self, url: str, clock: Clock) -> None:
        self._address = Address.of(url)
        self._compilers = compilers()
        # At least half of the connections are for reading, which never waits for commits; one is for many rooms at once.
        commit = partial(self._commit, "BEGIN", asyncio.Semaphore(self._address.connections // 2 - 1))
        commit_hastily = partial(self._commit, BEGIN_HASTILY, asyncio.Semaphore(1))
        self._rooms = WorkQueue.awaiting(commit, together=TOGETHER, most=WAITING)
        self._many_rooms = WorkQueue.awaiting(commit_hastily, together=1, most=WAITING)
        self._others = WorkQueue.awaiting(commit, together=1, most=WAITING)
        self._reading = 0
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def start(self, migrations: Migrations) -> None:
        connection = await connect(self._address, NODE)  # who cannot be reached is named before anything else
        await connection.close()
        try:
            await migrate(self._address, migrations, NODE)
        except MigrationError as error:
            raise StartError(str(error)) from error
        self._pool = await asyncpg.create_pool(
            **self._address.arguments(NODE), min_size=0, max_size=self._address.connections, reset=_nothing_to_reset
        )

    async def close(self) -> None:
        for queue in (self._rooms, self._many_rooms, self._others):
            await queue.finish()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    # --- reading

    async def read(self, work: Work[T]) -> T:
        async def look(connection: Connection) -> T:
            statements = PostgresStatements(connection, self._compilers)
            await statements.command(SNAPSHOT)
            answer = await work(statements)
            await statements.command("ROLLBACK")
            return answer

        return await self._look(look)

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        """One statement is one snapshot: it needs no transaction around it, whose begin and end would cost more than it."""
        return await self._look(lambda one: PostgresStatements(one, self._compilers).fetch_one(statement, parameters))

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        return await self._look(lambda one: PostgresStatements(one, self._compilers).fetch_all(statement, parameters))

    async def _look(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        """Read something; once more where the connection turns out to be dead."""
        if self._reading >= WAITING:
            raise ChatError("overloaded", retry_after_ms=1_000)
        self._reading += 1
        try:
            return await self._again(lambda: self._look_once(look))
        except Exception as error:
            if (answer := told(error)) is error:
                raise
            raise answer from error
        finally:
            self._reading -= 1

    async def _look_once(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._connection() as connection:
            try:
                return await look(connection)
            except Exception as error:
                if is_lost(connection, error):
                    raise RunAgain from error
                raise

    # --- writing

    def transaction(
        self,
        work: Work[T],
        committed: Callable[[], None] | None = None,
        room: str | None = None,
        *,
        first: bool = False,
    ) -> asyncio.Future[T]:
        if self._pool is None:
            refused: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            refused.set_exception(ChatError("storage_unavailable"))
            return refused
        queue = {None: self._others, MANY_ROOMS: self._many_rooms}.get(room, self._rooms)
        return queue.submit(work, committed, room, first=first)

    async def _commit(
        self, begin: str, writers: asyncio.Semaphore, batch: Sequence[PendingWork]
    ) -> Sequence[PendingWork]:
        try:
            return await self._again(lambda: self._commit_once(begin, writers, batch))
        except Exception as error:
            answer = told(error)
            for pending in batch:
                pending.outcome = answer
            return []

    async def _commit_once(
        self, begin: str, writers: asyncio.Semaphore, batch: Sequence[PendingWork]
    ) -> Sequence[PendingWork]:
        with answered():
            # As long as an answer of the server: where it is silent, those who wait behind others are not told later.
            async with asyncio.timeout(COMMAND_SECONDS):
                await writers.acquire()
            try:
                async with asyncio.timeout(TRANSACTION_SECONDS), self._connection() as connection:
                    return await commit(connection, batch, self._compilers, begin)
            finally:
                writers.release()

    async def _again(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something, and once or twice more if it was undone through no fault of its own. Raises what it raises."""
        for _ in range(ATTEMPTS - 1):
            with suppress(RunAgain):
                return await act()
            await asyncio.sleep(PAUSE_SECONDS)
        try:
            return await act()
        except RunAgain as undone:
            raise undone.__cause__ or undone from None

    async def check(self) -> None:
        async def write(connection: Connection) -> None:
            await PostgresStatements(connection, self._compilers).command(WRITE_NOTHING)

        await self._look(write)

    async def size(self) -> int:
        row = await self.fetch_one(SELECT_SIZE)
        return 0 if row is None else int(row[0])

    async def erase(self) -> None:
        """Vacuum the tables in which rows were changed or deleted. What is left of them stands in the write-ahead log
        of the server and in gaps of its pages until they are used again, where only it decides. Nobody is locked out.
        """

        async def vacuum(connection: Connection) -> None:
            with answered():
                changed = await connection.fetch(SELECT_CHANGED)
                if not changed:
                    return
                tables = ", ".join(row[0] for row in changed)
                await connection.execute(f"SET statement_timeout = {round(ERASE_SECONDS * 1_000)}")
                try:
                    await connection.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE FALSE) {tables}", timeout=ERASE_SECONDS)
                finally:
                    await connection.execute("RESET statement_timeout")

        if self._pool is not None:
            await self._look(vacuum)

    # --- connections

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, outside of a transaction before and after. A dead one is replaced by the pool."""
        pool = self._pool
        if pool is None:
            raise ChatError("storage_unavailable")
        with answered():
            connection = cast("Connection", await pool.acquire(timeout=CONNECT_SECONDS))
        try:
            yield connection
        except BaseException as error:
            await _leave(connection, error)
            raise
        finally:
            await pool.release(connection)  # type: ignore[arg-type]


async def _leave(connection: Connection, error: BaseException) -> None:
    """Give up what a failure has left half done. A connection whose server does not answer is of no use any more."""
    cause = error.__cause__ if isinstance(error, RunAgain) else error
    with suppress(asyncpg.InterfaceError):  # the pool has taken it back
        if isinstance(cause, Unanswered | asyncio.CancelledError) or is_lost(connection, cause):
            connection.terminate()
        elif connection.is_in_transaction():
            try:
                await connection.execute("ROLLBACK")
            except Exception:
                connection.terminate()


async def _nothing_to_reset(_: Connection) -> None:
    """No session state is changed, so that asyncpg's round trip to undo it is saved."""
