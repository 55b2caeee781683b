"""The few constructs that SQLAlchemy Core leaves different between SQLite and Postgres."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Column, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

__all__ = ["insert_or_ignore", "one_of", "upsert"]


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


def insert_or_ignore(table: Any, *unique: Column[Any]) -> Insert:
    """An insert that does nothing where a row with the same `unique` columns (none: any unique key) is there."""
    return insert(table).on_conflict_do_nothing(index_elements=list(unique) or None)


def upsert(table: Any, unique: list[Column[Any]], changed: list[str]) -> Insert:
    """An insert that changes the columns named in `changed` where a row with the same `unique` columns is there."""
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=unique, set_={name: statement.excluded[name] for name in changed}
    )
