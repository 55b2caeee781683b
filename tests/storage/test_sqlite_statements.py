"""Statements for many rows: bound by place, and without the columns that no row fills."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from anonchat.store.sql import upsert
from anonchat_sqlite.statements import Compiler, SQLiteStatements, drive

birds = Table(
    "birds",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("colour", Text),
    Column("legs", Integer, server_default="2"),
    Column("nest", Text),
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(str(CreateTable(birds).compile(dialect=sqlite.dialect())))
    yield connection
    connection.close()


def bird(name: str, colour: str | None = None, legs: int | None = None, nest: str | None = None) -> dict[str, object]:
    return {"nest": nest, "name": name, "legs": legs, "colour": colour}


def stored(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return list(connection.execute("SELECT name, colour, legs, nest FROM birds ORDER BY name"))


@pytest.mark.parametrize(
    "rows",
    [
        [bird("a"), bird("b")],
        [bird("a", "red"), bird("b", None, 2), bird("c", None, None, "tree")],
        [bird("a", nest="tree")],
        [],
    ],
)
def test_every_row_is_stored_as_it_is(connection: sqlite3.Connection, rows: list[dict[str, object]]) -> None:
    """Also a None in a column whose own default is something else."""
    statements = SQLiteStatements(connection, Compiler())
    for _ in range(2):
        drive(statements.execute_many(insert(birds), rows))
        assert stored(connection) == [(row["name"], row["colour"], row["legs"], row["nest"]) for row in rows]
        connection.execute("DELETE FROM birds")


def test_a_row_that_lacks_a_column_is_a_mistake(connection: sqlite3.Connection) -> None:
    with pytest.raises(KeyError, match="nest"):
        drive(
            SQLiteStatements(connection, Compiler()).execute_many(
                insert(birds), [{"name": "a", "colour": None, "legs": 2}]
            )
        )


def test_literals_updates_and_upserts_take_many_rows(connection: sqlite3.Connection) -> None:
    statements = SQLiteStatements(connection, Compiler())
    drive(statements.execute_many(insert(birds), [bird("a"), bird("b")]))
    moved = update(birds).where(birds.c.name == bindparam("which")).values(nest=bindparam("where"), legs=3)
    drive(statements.execute_many(moved, [{"which": "a", "where": "tree"}, {"which": "b", "where": None}]))
    assert stored(connection) == [("a", None, 3, "tree"), ("b", None, 3, None)]
    put = upsert(birds, [birds.c.name], ["colour"])
    drive(statements.execute_many(put, [bird("a", "red", 1), bird("c", "blue")]))
    assert stored(connection) == [("a", "red", 3, "tree"), ("b", None, 3, None), ("c", "blue", None, None)]
