"""The databases of tests: a SQLite file in each test's folder or, where a Postgres is named, a database for each folder.

The variable ``ANONCHAT_TEST_POSTGRES`` names it: the URL of any database of a server on which databases may be made.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import threading
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")

VARIABLE = "ANONCHAT_TEST_POSTGRES"
TEMPLATE = "anonchat_template"


def is_on_postgres() -> bool:
    """Whether tests run on Postgres."""
    return bool(os.environ.get(VARIABLE))


def database_in(folder: Path) -> str:
    """The URL of the database that belongs to a folder: always the same one, new and empty at first."""
    server = os.environ.get(VARIABLE)
    if not server:
        return f"sqlite:///{folder / 'anonchat.db'}"
    name = _name(folder)
    run_aside(_make(server, name))
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def drop_database_in(folder: Path) -> None:
    """Drop the database of a folder, whoever uses it."""
    server = os.environ.get(VARIABLE)
    if server:
        run_aside(_execute(server, f'DROP DATABASE IF EXISTS "{_name(folder)}" WITH (FORCE)'))


def run_sql(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL in the database of a folder, as somebody else who has it open; returns the rows of the last statement."""
    url = database_in(folder)
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(folder / "anonchat.db", timeout=10)) as connection, connection:
            return connection.execute(sql).fetchall()
    return run_aside(_execute(url, sql))


def _name(folder: Path) -> str:
    return "test_" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]


async def _make(server: str, name: str) -> None:
    if not await _execute(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
        templates = await _execute(server, f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'")
        template = TEMPLATE if templates else "template1"
        await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


async def _execute(url: str, sql: str) -> list[tuple[Any, ...]]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        if ";" in sql:
            await connection.execute(sql)
            return []
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


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
