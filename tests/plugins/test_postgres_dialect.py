"""Every statement of the core and of the bundled plugins can be said to Postgres, and answers what JSON can hold.

What SQLite takes is not tried here but by all other tests. No Postgres runs here either: what its own functions answer
is taken from its manual.
"""

from __future__ import annotations

import typing

import pytest
from sqlalchemy import BigInteger, Cast, Integer, Numeric, cast, func, select
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql import ClauseElement, functions, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType

from anonchat import one_of, sessions_table
from anonchat.plugins.registry import bundled
from anonchat.store.sql import pair_of

from .built_statements import built_by

PACKAGES = ("anonchat", *(f"anonchat_{plugin}" for plugin in bundled()))
DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # needs no driver to compile
CREATED_AT = sessions_table.c.created_at


def compiled(statement: ClauseElement) -> SQLCompiler:
    """As a backend would compile it: once for every length of a list."""
    return typing.cast("SQLCompiler", statement.compile(dialect=DIALECT))


def untold(statement: ClauseElement) -> list[str]:
    """Columns of what a statement answers whose type is unknown, or one of which drivers make a Decimal."""
    columns = compiled(statement)._result_columns
    return [column.keyname for column in columns if isinstance(column.type, NullType | Numeric)]


def numeric_sums(statement: ClauseElement) -> list[str]:
    """Sums of a BIGINT that no cast turns back into one.

    Postgres makes a NUMERIC of them (its manual, "Aggregate Functions"), though SQLAlchemy says otherwise.
    """
    elements = list(visitors.iterate(statement))
    turned_back = [
        id(element.clause) for element in elements if isinstance(element, Cast) and isinstance(element.type, Integer)
    ]
    sums = [element for element in elements if isinstance(element, functions.sum)]
    return [str(one) for one in sums if isinstance(one.type, BigInteger) and id(one) not in turned_back]


@pytest.mark.parametrize("package", PACKAGES)
def test_statements_answer_what_is_known(package: str) -> None:
    statements = dict(built_by(package))
    assert statements
    assert {name: found for name, statement in statements.items() if (found := untold(statement))} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_sums_stay_integers(package: str) -> None:
    assert [name for name, statement in built_by(package) if numeric_sums(statement)] == []


def test_what_is_no_integer_would_be_noticed() -> None:
    assert untold(select(CREATED_AT / 2, func.avg(CREATED_AT))) == ["anon_1", "avg_1"]
    summed = select(sessions_table.c.id, func.sum(CREATED_AT).label("total")).group_by(sessions_table.c.id)
    inner = summed.subquery()
    for statement in (summed, select(inner.c.total)):
        assert untold(statement) == [], "SQLAlchemy does not know"
        assert len(numeric_sums(statement)) == 1
    harmless = select(func.sum(sessions_table.c.rank), cast(func.sum(CREATED_AT), Integer), func.max(CREATED_AT))
    assert numeric_sums(harmless) == []


def test_lists_are_one_parameter_of_postgres() -> None:
    pair = pair_of(sessions_table.c.room_id, sessions_table.c.id, "pairs")
    sql = str(compiled(select(sessions_table.c.id).where(one_of(sessions_table.c.id, "ids"), pair)))
    assert "SELECT unnest(CAST($1" in sql
    assert "AS TEXT[])" in sql
    assert "AS TEXT[][]" in sql
