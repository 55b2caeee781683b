"""SQLAlchemy Core statements on the raw driver: compiled once, run inside the thread that owns the connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat import Parameters, Row

T = TypeVar("T")
Compiled = tuple[str, Mapping[str, Any]]
Compile = Callable[[ClauseElement], Compiled]
COMPILED = 1_024  # statements kept compiled; compiling one costs about 0.2 ms


def compiler() -> Compile:
    """A compiler with a memory of its own: a statement to its SQL and the values of the literals in it."""
    dialect = sqlite.dialect(paramstyle="named")

    @lru_cache(maxsize=COMPILED)
    def compile_statement(statement: ClauseElement) -> Compiled:
        compiled = statement.compile(dialect=dialect)
        binds = cast("SQLCompiler", compiled).binds
        return str(compiled), {name: bind.value for name, bind in binds.items() if not bind.required}

    return compile_statement


def drive(work: Any) -> Any:
    """Run a coroutine to its end on the spot. It may await only what never waits: the statements below."""
    coroutine = cast("Coroutine[Any, Any, Any]", work)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("Work on the database may await only the statements of its own transaction.")


class SQLiteStatements:
    """The `Statements` of one transaction."""

    __slots__ = ("_compile", "_connection")

    def __init__(self, connection: sqlite3.Connection, compile_statement: Compile) -> None:
        self._connection = connection
        self._compile = compile_statement

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        cursor = self._run(statement, parameters)
        try:
            return cast("Row | None", cursor.fetchone())
        finally:
            cursor.close()

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        return self._run(statement, parameters).fetchall()

    async def execute(self, statement: ClauseElement, parameters: Parameters | None = None) -> int:
        return self._run(statement, parameters).rowcount

    async def execute_many(self, statement: ClauseElement, parameters: Sequence[Parameters]) -> None:
        sql, literals = self._compile(statement)
        self._connection.executemany(sql, [{**literals, **row} for row in parameters] if literals else parameters)

    def _run(self, statement: ClauseElement, parameters: Parameters | None) -> sqlite3.Cursor:
        sql, literals = self._compile(statement)
        return self._connection.execute(sql, {**literals, **_bound(parameters or {})})


def _bound(parameters: Parameters) -> Mapping[str, Any]:
    """Lists become JSON, which is what `anonchat.one_of` reads on SQLite."""
    if any(isinstance(value, list | tuple) for value in parameters.values()):
        return {
            name: orjson.dumps(value).decode() if isinstance(value, list | tuple) else value
            for name, value in parameters.items()
        }
    return parameters
