"""The tables of a Postgres database brought up to date: one node at a time, all or nothing, never somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from anonchat import MigrationError, Migrations
from anonchat.migrate.revisions import VERSION_TABLE_PREFIX, Step, needs_upgrade
from anonchat_postgres.connecting import Address, connect

T = TypeVar("T")

LOCK = 0x616E6F6E63686174  # "anonchat"
WAIT_MILLISECONDS = 60_000  # for other nodes that migrate, and for those that use a table which is to be changed
# Tables of this schema, without those that belong to an extension.
SELECT_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
ORDER BY c.relname
"""


async def migrate(address: Address, migrations: Migrations, program: str) -> list[Step]:
    """Bring every owner's tables up to date, all or nothing; returns the steps taken. Raises `MigrationError`.

    Nodes that start at once wait for the first, and find nothing to do.
    """
    if not needs_upgrade(await recorded_revisions(address, program), migrations.sets):
        return []
    # Imported here: Alembic costs more than the rest of a start, and most starts need none of it.
    from anonchat.migrate.runner import upgrade_tables

    return await in_transaction(address, program, lambda connection: upgrade_tables(connection, migrations))


async def in_transaction(address: Address, program: str, change: Callable[[Connection], T]) -> T:
    """What `change` answers, given a connection in one transaction that nobody else migrates beside.

    Raises `MigrationError` for the database of another program, and for whatever the server refuses.
    """

    def alone(connection: Connection) -> T:
        connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": str(WAIT_MILLISECONDS)})
        for bound in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text("SELECT set_config(:bound, '0', true)"), {"bound": bound})
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        _refuse_other_tables(connection, address)
        begun = connection.execute(text("SELECT pg_current_xact_id()::text")).scalar()
        answer = change(connection)
        if connection.execute(text("SELECT pg_current_xact_id()::text")).scalar() != begun:
            raise MigrationError("A step of a migration ended its transaction: report it to its author.")
        return answer

    try:
        return await run_sync(address, program, alone)
    except DBAPIError as error:
        raise MigrationError(_explain(address, error)) from error


def lock_tables(connection: Connection) -> None:
    """Let nobody else write into any table until the end of the transaction; readers go on."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    if tables := [quote(name) for name in connection.execute(text(SELECT_TABLES)).scalars()]:
        connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE"))


async def run_sync(address: Address, program: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction through SQLAlchemy. Raises `StartError` if there is no connection."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(address, program, command_seconds=None),
        poolclass=NullPool,
    )
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def recorded_revisions(address: Address, program: str) -> dict[str, str]:
    """The current revision of each owner, removed plugins included."""
    connection = await connect(address, program)
    try:
        found = {}
        for row in await connection.fetch(SELECT_TABLES):
            if row[0].startswith(VERSION_TABLE_PREFIX):
                revisions = await connection.fetch(f'SELECT version_num FROM "{row[0]}"')
                if len(revisions) == 1:
                    found[row[0].removeprefix(VERSION_TABLE_PREFIX)] = revisions[0][0]
        return found
    except asyncpg.PostgresError as error:
        raise MigrationError(f"The database {address.shown} cannot be read: {error.args[0]}.") from error
    finally:
        await connection.close()


def _refuse_other_tables(connection: Connection, address: Address) -> None:
    tables = connection.execute(text(SELECT_TABLES)).scalars().all()
    if tables and not any(table.startswith(VERSION_TABLE_PREFIX) for table in tables):
        raise MigrationError(
            f"The database {address.shown} belongs to another program (it has the table {tables[0]} and none of "
            "anonchat's): name another database, this one was not touched."
        )


def _explain(address: Address, error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig is not None else None
    match cause:
        case asyncpg.LockNotAvailableError():
            return f"The database {address.shown} is in use: its tables cannot be changed now, nothing was changed."
        case asyncpg.DiskFullError():
            return f"The disk of the database {address.shown} is full: make room and start again, nothing was changed."
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"The user of the database {address.shown} may not make tables ({cause.args[0]}): make it the owner of "
                "the database, nothing was changed."
            )
        case asyncpg.PostgresError():
            return f"The database {address.shown} cannot be migrated ({cause.args[0]}), nothing was changed."
        case _:
            return f"The database {address.shown} cannot be migrated ({error.orig}), nothing was changed."
