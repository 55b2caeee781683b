"""No statement of the plugin walks through a whole table."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat.testing import running_server, settings_in
from anonchat_polls import Polls, statements

pytestmark = pytest.mark.sqlite

WAITING = " INDEX polls_polls_untold"  # holds none but those of which something is still to be told
STATEMENTS = {
    name: value for name, value in vars(statements).items() if name.isupper() and isinstance(value, ClauseElement)
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder: Path = tmp_path_factory.mktemp("plans")

    async def migrate() -> None:
        async with running_server(settings_in(folder), plugins={"polls": Polls()}):
            """Starting is enough."""

    asyncio.run(migrate())
    connection = sqlite3.connect(folder / "anonchat.db")
    yield connection
    connection.close()


def walked(database: sqlite3.Connection, statement: ClauseElement) -> list[str]:
    compiled = cast("SQLCompiler", statement.compile(dialect=sqlite.dialect(paramstyle="named")))
    values = {name: "[]" if bind.required else bind.value for name, bind in compiled.binds.items()}
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
    return [step for step in plan if step.startswith("SCAN polls_") and not step.endswith(WAITING)]


@pytest.mark.parametrize("name", [name for name in STATEMENTS if not name.startswith("_")])
def test_statement_uses_an_index(database: sqlite3.Connection, name: str) -> None:
    assert walked(database, STATEMENTS[name]) == []


def test_a_walk_is_noticed(database: sqlite3.Connection) -> None:
    """The control."""
    assert walked(database, text("SELECT id FROM polls_polls WHERE question = ''")) == ["SCAN polls_polls"]


@pytest.mark.parametrize("name", [name for name in STATEMENTS if not name.startswith("_")])
def test_statement_can_be_said_to_postgres(name: str) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert str(STATEMENTS[name].compile(dialect=dialect))
