"""The tables that a bundled plugin declares are those that its revisions make."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Index, MetaData, Table

from anonchat.plugins.registry import bundled, load
from anonchat.storage.maintenance import maintenance_of
from anonchat.store.tables import metadata as core
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import database_in, run_sql, tables_in

KEYS = "PRAGMA foreign_key_list('{}')"  # of a table; the fourth column is that which leads to another


@pytest.mark.parametrize("plugin", bundled())
@pytest.mark.gen_test
async def test_tables_and_revisions_are_alike(plugin: str, tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, plugins={"enabled": (plugin,)})):
        """The revisions have run."""
    (tables,) = [declared for owner, declared in load((plugin,)).declared("register_tables") if owner == plugin]

    together = MetaData()
    for table in (*core.tables.values(), *tables.metadata.tables.values()):  # keys lead from one to the other
        table.to_metadata(together)
    own = set(tables.metadata.tables)
    assert own

    def is_own(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or name in own

    def compare(connection: Connection) -> list[Any]:
        options = {"include_name": is_own, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), together))

    found = await asyncio.to_thread(maintenance_of(database_in(tmp_path)).read, compare)
    # What the core declares is not looked at here, and therefore taken for missing.
    assert [entry for entry in found if not _is_of_core(entry)] == []


@pytest.mark.sqlite
@pytest.mark.gen_test
async def test_what_goes_with_something_else_is_found_by_an_index(tmp_path: Path) -> None:
    """Else the end of a room walks through the rows of all rooms."""
    async with running_server(settings_in(tmp_path, plugins={"enabled": bundled()})):
        """The revisions have run."""

    def walks(table: str, column: str) -> list[str]:
        plan = run_sql(tmp_path, f"EXPLAIN QUERY PLAN DELETE FROM {table} WHERE {column} = 'x'")
        return [step for *_, step in plan if step.startswith("SCAN")]

    keys = [(name, row[3]) for name in tables_in(tmp_path) for row in run_sql(tmp_path, KEYS.format(name))]
    assert {("messages", "room_id"), ("pins_pinned", "message_id")} < set(keys)
    assert walks("messages", "username") == ["SCAN messages"]  # the control
    assert {key: walks(*key) for key in keys if walks(*key)} == {}


def _is_of_core(entry: Any) -> bool:
    return isinstance(entry, tuple) and entry[0] in ("add_table", "add_index") and _table_of(entry[1]) in core.tables


def _table_of(what: Table | Index) -> str:
    table = what if isinstance(what, Table) else what.table
    return table.name if table is not None else ""
