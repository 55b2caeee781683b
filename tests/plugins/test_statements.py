"""Plugins write to their own tables alone: what they write into the core's would go past it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Table, delete
from sqlalchemy.sql.dml import UpdateBase

from anonchat import messages_table
from anonchat.plugins.registry import bundled, load

from .built_statements import built_by, inside


def written_by(package: str) -> Iterator[tuple[str, str]]:
    """(statement, table) of everything that writes."""
    for name, statement in built_by(package):
        if isinstance(statement, UpdateBase):
            assert isinstance(statement.table, Table)
            yield name, statement.table.name


@pytest.mark.parametrize("plugin", bundled())
def test_a_plugin_writes_to_its_own_tables(plugin: str) -> None:
    (tables,) = [declared for owner, declared in load((plugin,)).declared("register_tables") if owner == plugin]
    written = list(written_by(f"anonchat_{plugin}"))
    assert written
    assert not [entry for entry in written if entry[1] not in tables.metadata.tables]


def test_what_writes_to_the_core_would_be_found() -> None:
    assert ("anonchat.store.messages.UPDATE_KEPT", "messages") in list(written_by("anonchat.store"))


def test_it_would_be_found_wherever_it_stands() -> None:
    writes = delete(messages_table)
    found = dict(inside("X", {"a": (writes,), ("b", 1): [writes, {"c": writes}], "d": "delete"}))
    assert list(found) == ["X['a'][0]", "X[('b', 1)][0]", "X[('b', 1)][1]['c']"]
    assert ("anonchat_analytics.tables.EXPIRE[1]", "analytics_room_sums") in list(written_by("anonchat_analytics"))
