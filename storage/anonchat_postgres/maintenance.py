"""`Maintenance` of a Postgres database: looking and migrating. Copies are made with the tools of Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from anonchat import Finding, MigrationError, StartError, clock_findings
from anonchat_postgres.connecting import AUTHORITIES, COMMAND_LINE, NODE, Address, connect
from anonchat_postgres.migration import in_transaction, lock_tables, run_sync

T = TypeVar("T")

COUNT_NODES = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
# Of sessions of others a user sees no more than whose they are; processes of the server itself are nobody's. `least`
# overlooks what is NULL.
SELECT_STATE = """
WITH sessions AS (
    SELECT usename FROM pg_stat_activity
    WHERE usename IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
)
SELECT
    current_setting('server_version') AS version,
    pg_size_pretty(pg_database_size(current_database())) AS size,
    current_setting('fsync')::bool AND current_setting('full_page_writes')::bool AS safe,
    current_setting('synchronous_commit') <> 'off' AS waits,
    least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0) - (SELECT count(*) FROM sessions),
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
            - (SELECT count(*) FROM sessions WHERE usename = current_user)
    ) AS free,
    inet_server_addr() IS NULL OR inet_server_addr() <<= inet '127.0.0.0/8' OR inet_server_addr() = inet '::1' AS near,
    extract(epoch FROM clock_timestamp())::float8 AS clock,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted
"""


class PostgresMaintenance:
    """Works on the database of ``postgresql://...``."""

    def __init__(self, url: str) -> None:
        self._address = Address.of(url)

    def is_served(self) -> bool:
        async def look() -> bool:
            connection = await connect(self._address, COMMAND_LINE)
            try:
                return bool(await connection.fetchval(COUNT_NODES, NODE))
            finally:
                await connection.close()

        try:
            return asyncio.run(look())
        except StartError:
            return False

    def backup(self, file: Path, *, force: bool) -> int:
        raise StartError(
            "Postgres has tools of its own for this, which work while the servers run: "
            f"pg_dump --format=custom --file={file} <URL of the database>. docs/scaling.md has more."
        )

    def restoring(self, file: Path, *, keep: bool) -> AbstractContextManager[str]:
        raise StartError(
            f"Postgres has tools of its own for this: stop all servers, then pg_restore {file}, which pg_dump has "
            "made, into a new database. docs/scaling.md has the steps, also for what is over by now."
        )

    def replaced(self) -> Path | None:
        return None

    def read(self, look: Callable[[Connection], T]) -> T:
        def snapshot(connection: Connection) -> T:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            return look(connection)

        try:
            return asyncio.run(run_sync(self._address, COMMAND_LINE, snapshot))
        except DBAPIError as error:
            raise StartError(f"The database {self._address.shown} cannot be read: {error.orig}.") from error

    def read_alone(self, look: Callable[[Connection], T]) -> T:
        def alone(connection: Connection) -> T:
            lock_tables(connection)
            connection.execute(text("SET TRANSACTION READ ONLY"))
            return look(connection)

        return self.migrate(alone)

    def migrate(self, change: Callable[[Connection], T]) -> T:
        if self.is_served():
            raise StartError(
                f"A server is running on {self._address.shown}. Stop all of them first; nothing was changed."
            )
        try:
            return asyncio.run(in_transaction(self._address, COMMAND_LINE, change))
        except MigrationError as error:
            raise StartError(str(error)) from error

    def findings(self) -> Iterator[Finding]:
        before = time.time()
        try:
            state = asyncio.run(self._state())
        except StartError as error:
            yield Finding("database", "fail", str(error))
            return
        yield Finding("database", "ok", f"{self._address.shown}, Postgres {state['version']}, {state['size']}.")
        yield from clock_findings("Postgres", state["clock"], before, time.time())
        if not state["safe"] or not state["waits"]:
            text_ = "fsync, full_page_writes or synchronous_commit is off: what was acknowledged can be lost with the power."
            yield Finding("durability", "fail", text_, "Switch them on in postgresql.conf.")
        free = state["free"]
        if free < self._address.connections:
            text_ = f"{free} connections are free, a node takes up to {self._address.connections}."
            advice = "Raise max_connections, or the CONNECTION LIMIT of the user, or lower ?connections= in the URL."
            yield Finding("connections", "warn", text_, advice)
        else:
            yield Finding("connections", "ok", f"{free} are free, a node takes up to {self._address.connections}.")
        if not state["near"] and not state["encrypted"]:
            text_ = "What people write goes to the database in the clear."
            yield Finding(
                "privacy", "warn", text_, f"Write ?sslmode=verify-full&sslrootcert={AUTHORITIES} into the URL."
            )

    async def _state(self) -> Any:
        connection = await connect(self._address, COMMAND_LINE)
        try:
            return await connection.fetchrow(SELECT_STATE)
        finally:
            await connection.close()
