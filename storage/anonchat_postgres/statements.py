"""SQLAlchemy Core statements on asyncpg: compiled once, prepared once by each connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import asyncpg
from sqlalchemy import Delete
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from anonchat import Parameters, Row

COMPILED = 1_024  # statements kept compiled; compiling one costs about 0.2 ms
DELETE_SECONDS = 35.0  # a deletion takes along whatever hangs on the row; just above `statement_timeout`


class Compiled(NamedTuple):
    """SQL with ``$1``, ``$2`` and so on, and where their values come from."""

    sql: str
    names: Sequence[str]
    literals: Parameters
    seconds: float | None

    def arguments(self, parameters: Parameters) -> list[Any]:
        """The values in the order of their numbers. Raises KeyError if one is missing."""
        literals = self.literals
        return [_bound(parameters[name]) if name in parameters else literals[name] for name in self.names]


Compile = Callable[[ClauseElement], Compiled]


def compiler() -> Compile:
    """A compiler with a memory of its own."""
    dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]

    @lru_cache(maxsize=COMPILED)
    def compile_statement(statement: ClauseElement) -> Compiled:
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
        literals = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        seconds = DELETE_SECONDS if isinstance(statement, Delete) else None
        return Compiled(str(compiled), tuple(compiled.positiontup or ()), literals, seconds)

    return compile_statement


def _bound(value: Any) -> Any:
    """Pairs are lists: asyncpg takes a tuple within a list for a record."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], tuple):
        return [list(pair) for pair in value]
    return value


class PostgresStatements:
    """The `Statements` of one transaction."""

    __slots__ = ("_compile", "_connection")

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], compile_statement: Compile) -> None:
        self._connection = connection
        self._compile = compile_statement

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        compiled = self._compile(statement)
        arguments = compiled.arguments(parameters or {})
        return await self._connection.fetchrow(compiled.sql, *arguments, timeout=compiled.seconds)

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        compiled = self._compile(statement)
        arguments = compiled.arguments(parameters or {})
        return await self._connection.fetch(compiled.sql, *arguments, timeout=compiled.seconds)

    async def execute(self, statement: ClauseElement, parameters: Parameters | None = None) -> int:
        compiled = self._compile(statement)
        arguments = compiled.arguments(parameters or {})
        tag = await self._connection.execute(compiled.sql, *arguments, timeout=compiled.seconds)
        count = tag.rpartition(" ")[2]  # of "UPDATE 3", "INSERT 0 3", "CREATE TABLE"
        return int(count) if count.isdecimal() else 0

    async def execute_many(self, statement: ClauseElement, parameters: Sequence[Parameters]) -> None:
        compiled = self._compile(statement)
        await self._connection.executemany(compiled.sql, [compiled.arguments(row) for row in parameters])
