"""SQLAlchemy Core statements on the raw driver: compiled once, run inside the thread that owns the connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement, Insert
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat import Parameters, Row, statement_of

T = TypeVar("T")
Compiled = tuple[str, Mapping[str, Any]]
"""SQL with named places, and the values of the literals in it."""

COMPILED = 1_024  # statements kept compiled; compiling one costs about 0.2 ms
MISTAKES = frozenset(  # codes of failures that are those of a statement
    (
        0,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    )
)
BY_NAME, BY_PLACE = sqlite.dialect(paramstyle="named"), sqlite.dialect(paramstyle="qmark")


class CompiledForMany(NamedTuple):
    """SQL with question marks, and what fills them from the parameters of one row."""

    sql: str
    literals: Mapping[str, Any]
    values: Callable[[Parameters], tuple[Any, ...]]


class Compiler:
    """Statements to the SQL of the driver, with a memory."""

    def __init__(self) -> None:
        self.one: Callable[[ClauseElement], Compiled] = lru_cache(COMPILED)(_for_one)
        self.many: Callable[[ClauseElement, frozenset[str]], CompiledForMany] = lru_cache(COMPILED)(_for_many)
        self.may_be_left_out: Callable[[ClauseElement], tuple[str, ...]] = lru_cache(COMPILED)(_may_be_left_out)


def _for_one(statement: ClauseElement) -> Compiled:
    compiled = cast("SQLCompiler", statement_of(statement).compile(dialect=BY_NAME))
    return str(compiled), _literals(compiled)


def _for_many(statement: ClauseElement, left_out: frozenset[str]) -> CompiledForMany:
    """For an INSERT without the columns that are `left_out`."""
    keys = None
    if left_out and isinstance(statement, Insert):
        keys = [column.key for column in statement.table.c if column.key not in left_out]
    compiled = cast("SQLCompiler", statement_of(statement).compile(dialect=BY_PLACE, column_keys=keys))
    names = compiled.positiontup or []
    values = itemgetter(*names) if len(names) > 1 else lambda row: tuple(row[name] for name in names)
    return CompiledForMany(str(compiled), _literals(compiled), values)


def _may_be_left_out(statement: ClauseElement) -> tuple[str, ...]:
    """The columns of an INSERT into all columns that are NULL when they are not named."""
    if not isinstance(statement, Insert):
        return ()
    columns = statement.table.c
    if statement.compile(dialect=BY_NAME).binds.keys() != set(columns.keys()):
        return ()
    return tuple(column.key for column in columns if column.nullable and column.server_default is None)


def _literals(compiled: SQLCompiler) -> Mapping[str, Any]:
    return {name: bind.value for name, bind in compiled.binds.items() if not bind.required}


def drive(work: Any) -> Any:
    """Run a coroutine to its end on the spot. It may await only what never waits: the statements below."""
    coroutine = cast("Coroutine[Any, Any, Any]", work)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    refusal = RuntimeError("Work on the database may await only the statements of its own transaction.")
    try:
        coroutine.throw(refusal)  # where it waits, so that whoever has called a plugin there knows whose fault it is
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise refusal


class SQLiteStatements:
    """The `Statements` of one transaction."""

    __slots__ = ("_compiler", "_connection")

    def __init__(self, connection: sqlite3.Connection, compiler: Compiler) -> None:
        self._connection = connection
        self._compiler = compiler

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
        if not parameters:
            return
        # The driver looks for an adapter of each None, which takes longer than to bind a text.
        may_be_left_out = self._compiler.may_be_left_out(statement)
        left_out = frozenset(name for name in may_be_left_out if all(row[name] is None for row in parameters))
        sql, literals, values = self._compiler.many(statement, left_out)
        rows = [{**literals, **row} for row in parameters] if literals else parameters
        self._connection.executemany(sql, map(values, rows))

    def is_to_blame(self, error: BaseException) -> bool:
        return isinstance(error, sqlite3.DatabaseError) and _code(error) not in MISTAKES

    def _run(self, statement: ClauseElement, parameters: Parameters | None) -> sqlite3.Cursor:
        sql, literals = self._compiler.one(statement)
        return self._connection.execute(sql, {**literals, **_bound(parameters or {})})


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary code; 0 for what Python's own part of the driver found."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _bound(parameters: Parameters) -> Mapping[str, Any]:
    """Lists become JSON, which is what `anonchat.one_of` reads on SQLite."""
    if any(isinstance(value, list | tuple) for value in parameters.values()):
        return {
            name: orjson.dumps(value).decode() if isinstance(value, list | tuple) else value
            for name, value in parameters.items()
        }
    return parameters
