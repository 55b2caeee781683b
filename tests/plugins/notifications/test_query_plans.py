"""No statement of the plugin walks through a whole table, for nothing of it is small in a large room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat.testing import running_server, settings_in
from anonchat_notifications import statements
from anonchat_notifications.tables import entries

pytestmark = pytest.mark.sqlite

STATEMENTS = {
    name: value
    for name, value in vars(statements).items()
    if isinstance(value, ClauseElement) and isinstance(value, Executable) and not name.startswith("_")
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder: Path = tmp_path_factory.mktemp("plans")

    async def migrate() -> None:
        async with running_server(settings_in(folder, plugins={"enabled": ("notifications",)})):
            """Starting is enough."""

    asyncio.run(migrate())
    connection = sqlite3.connect(folder / "anonchat.db")
    yield connection
    connection.close()


def walked(database: sqlite3.Connection, statement: ClauseElement) -> list[str]:
    """The tables that SQLite would walk through to run a statement."""
    compiled = cast("SQLCompiler", statement.compile(dialect=sqlite.dialect(paramstyle="named")))
    values = {name: "[]" if bind.required else bind.value for name, bind in compiled.binds.items()}
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
    small = ("SCAN CONSTANT ROW", "SCAN json_each VIRTUAL TABLE INDEX 1:")
    return [step for step in plan if step.startswith("SCAN") and step not in small]


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_uses_an_index(database: sqlite3.Connection, name: str) -> None:
    assert walked(database, STATEMENTS[name]) == []


def test_a_walk_is_noticed(database: sqlite3.Connection) -> None:
    assert walked(database, select(entries).where(entries.c.act == "mute")) != []
