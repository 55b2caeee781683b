"""No statement of the core walks through a whole table that grows with people or messages."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat.store import events, messages, rooms, sessions
from anonchat.testing import running_server, settings_in

pytestmark = pytest.mark.sqlite

GROWING = ("messages", "sessions", "receipts", "events", "tokens", "invites", "ended_rooms")


def statements() -> Iterator[tuple[str, ClauseElement]]:
    """Every statement that the core builds, by name."""
    for module in (events, messages, rooms, sessions):
        for name, value in vars(module).items():
            if isinstance(value, ClauseElement) and isinstance(value, Executable) and name.isupper():
                yield f"{module.__name__}.{name}", value
    yield from rooms.CATEGORIES.items()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder: Path = tmp_path_factory.mktemp("plans")

    async def migrate() -> None:
        async with running_server(settings_in(folder)):
            """Starting is enough."""

    asyncio.run(migrate())
    connection = sqlite3.connect(folder / "anonchat.db")
    yield connection
    connection.close()


def scanned(database: sqlite3.Connection, statement: ClauseElement) -> list[str]:
    """What SQLite would walk through to run a statement."""
    compiled = cast("SQLCompiler", statement.compile(dialect=sqlite.dialect(paramstyle="named")))
    values = {name: "[]" if bind.required else bind.value for name, bind in compiled.binds.items()}
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
    return [step for step in plan if step.startswith("SCAN") and step.split()[1] in GROWING]


@pytest.mark.parametrize(("name", "statement"), list(statements()))
def test_statement_uses_an_index(database: sqlite3.Connection, name: str, statement: ClauseElement) -> None:
    assert scanned(database, statement) == [], name


def test_a_walk_is_noticed(database: sqlite3.Connection) -> None:
    """The control."""
    assert scanned(database, text("SELECT id FROM messages WHERE content = ''")) == ["SCAN messages"]
