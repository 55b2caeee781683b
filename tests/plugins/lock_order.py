"""Records in which order transactions lock: the room comes before all else, so that no two of them wait in a circle.

SQLite has one writer and would never show it. What counts as a lock is what is one on Postgres: a write, and a read
``FOR UPDATE``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.sql import ClauseElement, Select
from sqlalchemy.sql.dml import UpdateBase

from anonchat.delivery.journal import Transaction

CALLS = ("fetch_one", "fetch_all", "execute", "execute_many")


def locked_by(statement: ClauseElement) -> str | None:
    """The table whose rows a statement locks, or None."""
    if isinstance(statement, UpdateBase):
        return str(statement.table)
    if isinstance(statement, Select) and statement._for_update_arg is not None and not statement._for_update_arg.read:
        return str(statement.columns_clause_froms[0])
    return None


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """The tables that each transaction has locked, in order, while this lasts."""
    orders: dict[int, list[str]] = {}
    kept: list[Any] = []  # so that no identity is used twice
    begin = Transaction.__init__

    def init(self: Transaction, *arguments: Any) -> None:
        begin(self, *arguments)
        kept.append(self.published)
        order = orders.setdefault(id(self.published), [])
        for name in CALLS:
            setattr(self, name, recording(getattr(self, name), order))

    def recording(call: Any, order: list[str]) -> Any:
        async def called(statement: ClauseElement, parameters: Any = None) -> Any:
            if (table := locked_by(statement)) is not None:
                order.append(table)
            return await call(statement, parameters)

        return called

    found: list[list[str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "__init__", init)
        yield found
    found += orders.values()


def crossing(orders: list[list[str]]) -> set[tuple[str, ...]]:
    """The orders in which something else is locked before the room."""
    return {tuple(dict.fromkeys(order)) for order in orders if "rooms" in order and order[0] != "rooms"}
