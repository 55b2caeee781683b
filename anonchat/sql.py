"""The few constructs that SQLAlchemy Core leaves different between SQLite and Postgres."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Column, bindparam, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

__all__ = ["insert_or_ignore", "one_of", "pair_of", "upsert"]


class _EachOf(ColumnElement[Any]):
    """The values of a list that is bound as one parameter, so that a statement stays the same for every length."""

    inherit_cache = True

    def __init__(self, name: str, kind: TypeEngine[Any]) -> None:
        self.values: BindParameter[Any] = bindparam(name)
        self.type = kind


@compiles(_EachOf, "sqlite")
def _each_of_sqlite(element: _EachOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.values, **options)}))"


@compiles(_EachOf, "postgresql")
def _each_of_postgresql(element: _EachOf, compiler: SQLCompiler, **options: Any) -> str:
    kind = compiler.dialect.type_compiler_instance.process(element.type)
    return f"(SELECT unnest(CAST({compiler.process(element.values, **options)} AS {kind}[])))"


def one_of(column: Column[Any], name: str) -> ColumnElement[bool]:
    """A condition that `column` is in the list bound as `name`. Bind a Python list of strings or integers."""
    return column.bool_op("IN")(_EachOf(name, column.type))


class _PairsOf(ColumnElement[Any]):
    """The pairs of a list of two-element lists of strings that is bound as one parameter."""

    inherit_cache = True

    def __init__(self, name: str) -> None:
        self.values: BindParameter[Any] = bindparam(name)


@compiles(_PairsOf, "sqlite")
def _pairs_of_sqlite(element: _PairsOf, compiler: SQLCompiler, **options: Any) -> str:
    pairs = compiler.process(element.values, **options)
    return f"(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each({pairs}))"


@compiles(_PairsOf, "postgresql")
def _pairs_of_postgresql(element: _PairsOf, compiler: SQLCompiler, **options: Any) -> str:
    pairs = f"CAST({compiler.process(element.values, **options)} AS TEXT[][])"
    return f"(SELECT ({pairs})[i][1], ({pairs})[i][2] FROM generate_subscripts({pairs}, 1) AS i)"


def pair_of(first: Column[str], second: Column[str], name: str) -> ColumnElement[bool]:
    """A condition that two columns together are one of the pairs bound as `name`: one look-up in their index a pair."""
    return tuple_(first, second).bool_op("IN")(_PairsOf(name))


def insert_or_ignore(table: Any, *unique: Column[Any]) -> Insert:
    """An insert that does nothing where a row with the same `unique` columns (none: any unique key) is there."""
    return insert(table).on_conflict_do_nothing(index_elements=list(unique) or None)


def upsert(table: Any, unique: list[Column[Any]], changed: list[str]) -> Insert:
    """An insert that changes the columns named in `changed` where a row with the same `unique` columns is there."""
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=unique, set_={name: statement.excluded[name] for name in changed}
    )
