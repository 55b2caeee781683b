"""The databases of tests: a SQLite file in each test's folder or, where a Postgres is named, a database for each folder.

Where ``ANONCHAT_TEST_SQLITE`` names a file that has all tables, each SQLite file begins as a copy of it.

The variable ``ANONCHAT_TEST_POSTGRES`` names the Postgres: the URL of any database of a server on which databases may be made.
Where ``ANONCHAT_TEST_REDIS`` holds a URL without parameters, bus and ephemeral store are there, with a prefix for each folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from anonchat.migrate.revisions import Migrations

T = TypeVar("T")

VARIABLE = "ANONCHAT_TEST_POSTGRES"
COPIED = "ANONCHAT_TEST_SQLITE"
BETWEEN_NODES = "ANONCHAT_TEST_REDIS"
LOCK_MILLISECONDS = "5000"  # so that a test which waits for itself fails
TEMPLATE = "anonchat_template"
EMPTY = "template1"
NOTE = "anonchat.postgresql"  # holds the URL of its folder's database


def is_on_postgres() -> bool:
    """Whether tests run on Postgres."""
    return bool(os.environ.get(VARIABLE))


def storage_in(folder: Path) -> dict[str, str]:
    """The table ``[storage]`` of a server in a folder."""
    storage = {"database": database_in(folder)}
    redis = os.environ.get(BETWEEN_NODES)
    if redis:
        digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        storage |= dict.fromkeys(("bus", "ephemeral"), f"{redis}?prefix={digest}:")
    return storage


def database_in(folder: Path, template: str = TEMPLATE) -> str:
    """The URL of the database that belongs to a folder: always the same one, new at first.

    It begins as a copy of `template`, so that no test has to make its tables: `EMPTY` is one without.
    """
    server = os.environ.get(VARIABLE)
    if not server:
        return f"sqlite:///{_file_in(folder, template)}"
    noted = folder / NOTE
    if not noted.exists():
        name = f"test_{secrets.token_hex(8)}"
        run_aside(_make(server, name, template))
        noted.write_text(urlunsplit(urlsplit(server)._replace(path=f"/{name}")), encoding="utf-8")
    return noted.read_text(encoding="utf-8")


def _file_in(folder: Path, template: str) -> Path:
    file, copied = folder / "anonchat.db", os.environ.get(COPIED)
    if copied and folder.exists() and not file.exists():
        file.touch(0o600)
        if template == TEMPLATE:
            shutil.copyfile(copied, file)
    return file


def drop_databases_in(folder: Path) -> None:
    """Drop the databases of a folder and of all folders in it, whoever uses them."""
    server = os.environ.get(VARIABLE)
    if not server:
        return
    for noted in folder.rglob(NOTE):
        name = urlsplit(noted.read_text(encoding="utf-8")).path.lstrip("/")
        run_aside(_execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        noted.unlink()


def make_template(server: str, migrations: Migrations) -> None:
    """Make the database on Postgres of which all others are copies, with its tables."""
    run_aside(_execute(server, f'CREATE DATABASE "{TEMPLATE}"'))
    run_aside(_migrate(urlunsplit(urlsplit(server)._replace(path=f"/{TEMPLATE}")), migrations))


def make_file(path: Path, migrations: Migrations) -> None:
    """Make the SQLite file of which all others are copies, with its tables."""
    run_aside(_migrate(f"sqlite:///{path}", migrations))


async def _make(server: str, name: str, template: str) -> None:
    (is_there,) = await _execute(server, f"SELECT 1 FROM pg_database WHERE datname = '{template}'")
    await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template if is_there else EMPTY}"')


async def _migrate(url: str, migrations: Migrations) -> None:
    from anonchat.clock import Clock
    from anonchat.storage.backends import open_backend

    database = open_backend("database", url, Clock())
    await database.start(migrations)
    await database.close()


def run_sql(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL in the database of a folder, as somebody else who has it open; returns the rows of a single statement."""
    return _run(folder, sql)[0]


def rows_in(folder: Path, tables: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of some tables in the database of a folder."""
    names = list(tables)
    return dict(zip(names, _run(folder, *(f'SELECT * FROM "{name}"' for name in names)), strict=True))


def _run(folder: Path, *statements: str) -> list[list[tuple[Any, ...]]]:
    url = database_in(folder)
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(folder / "anonchat.db", timeout=10)) as connection, connection:
            connection.execute("PRAGMA foreign_keys=ON")
            return [connection.execute(sql).fetchall() for sql in statements]
    return run_aside(_execute(url, *statements))


def tables_in(folder: Path) -> set[str]:
    """The names of all tables in the database of a folder, whoever made them."""
    if is_on_postgres():
        return {name for (name,) in run_sql(folder, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    return {name for (name,) in run_sql(folder, "SELECT name FROM sqlite_master WHERE type = 'table'")}


@contextmanager
def failing(folder: Path, act: str, condition: str = "1 = 1") -> Iterator[None]:
    """Have the database of a folder fail at an act (``"INSERT ON messages"``) on rows that fit, as long as this lasts."""
    if is_on_postgres():
        function = "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        run_sql(folder, f"{function} $$BEGIN RAISE EXCEPTION USING ERRCODE = 'io_error'; END$$;")
        run_sql(folder, f"CREATE TRIGGER failing BEFORE {act} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION fail()")
    else:
        run_sql(folder, f"CREATE TRIGGER failing BEFORE {act} WHEN {condition} BEGIN SELECT json('not JSON'); END")
    try:
        yield
    finally:
        run_sql(folder, f"DROP TRIGGER failing{' ON ' + act.split()[-1] if is_on_postgres() else ''}")


async def _execute(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    import asyncpg

    connection = await asyncpg.connect(url, server_settings={"lock_timeout": LOCK_MILLISECONDS})
    try:
        return [await _rows(connection, sql) for sql in statements]
    finally:
        await connection.close()


async def _rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    if ";" in sql:
        await connection.execute(sql)
        return []
    return [tuple(row) for row in await connection.fetch(sql)]


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own, also where one is running already. Blocks."""
    outcome: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return outcome[0]
