"""The few constructs that SQLAlchemy Core leaves different between SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BindParameter, Column, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

__all__ = ["insert_or_ignore", "one_of", "pair_of", "statement_of", "upsert"]


def statement_of(given: object) -> ClauseElement:
    """What a storage is to run. Raises TypeError for what is no statement of SQLAlchemy, such as a text."""
    if isinstance(given, ClauseElement):
        return given
    raise TypeError(
        f"A statement is one of SQLAlchemy, such as select(...) or text(...), and no {type(given).__name__}."
    )


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


class _PairOf(ColumnElement[bool]):
    """Two columns are one of the pairs of a list of two-element lists of strings that is bound as one parameter."""

    inherit_cache = False

    def __init__(self, first: Column[str], second: Column[str], name: str) -> None:
        self.columns_of_pair = (first, second)
        self.values: BindParameter[Any] = bindparam(name)


@compiles(_PairOf, "sqlite")
def _pair_of_sqlite(element: _PairOf, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(column, **options) for column in element.columns_of_pair)
    pairs = compiler.process(element.values, **options)
    return f"({first}, {second}) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each({pairs}))"


@compiles(_PairOf, "postgresql")
def _pair_of_postgresql(element: _PairOf, compiler: SQLCompiler, **options: Any) -> str:
    """Each pair is looked up by itself, and then its row by its place.

    Of a plain ``IN`` Postgres supposes a thousand pairs, for which it rather reads the whole table or index.
    """
    first, second = element.columns_of_pair
    table = compiler.preparer.format_table(first.table)
    pairs = f"CAST({compiler.process(element.values, **options)} AS TEXT[][])"
    found = (
        f"SELECT same.ctid FROM {table} AS same"
        f" WHERE same.{first.name} = ({pairs})[i][1] AND same.{second.name} = ({pairs})[i][2] LIMIT 1"
    )
    return f"{table}.ctid = ANY(ARRAY(SELECT ({found}) FROM generate_subscripts({pairs}, 1) AS i))"


def pair_of(first: Column[str], second: Column[str], name: str) -> ColumnElement[bool]:
    """A condition that two columns of a unique key together are one of the pairs bound as `name`.

    One look-up in their index for each pair. The columns are those of a table, not of an alias.
    """
    return _PairOf(first, second, name)


def insert_or_ignore(table: Any, *unique: Column[Any]) -> Insert:
    """An insert that does nothing where a row with the same `unique` columns (none: any unique key) is there."""
    return insert(table).on_conflict_do_nothing(index_elements=list(unique) or None)


def upsert(
    table: Any, unique: list[Column[Any]], changed: list[str], where: Callable[[Any], Any] | None = None
) -> Insert:
    """An insert that changes the columns named in `changed` where a row with the same `unique` columns is there.

    With `where(new)`, a condition on the columns of both, only if that holds; else no row is touched.
    """
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=unique,
        set_={name: statement.excluded[name] for name in changed},
        where=None if where is None else where(statement.excluded),
    )
