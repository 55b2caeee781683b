"""Which tables the enabled plugins bring, and which revisions of them and of the core's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Table

from anonchat.migrate.revisions import Migrations, MigrationSet
from anonchat.plugins.declarations import Tables
from anonchat.plugins.registry import Plugins

CORE_OWNER = "core"


def migrations_of(plugins: Plugins) -> Migrations:
    """The revisions of the core and of each enabled plugin, and the names of the plugins' tables and columns."""
    sets = [MigrationSet(CORE_OWNER, Path(__file__).parent.parent / "migrations", "anonchat")]
    columns: dict[str, Mapping[str, Sequence[str]]] = {}
    sums: dict[str, Sequence[str]] = {}
    packages = {plugin.name: plugin.package for plugin in plugins.all}
    for plugin, declared in plugins.declared("register_tables"):
        sets.append(MigrationSet(plugin, declared.migrations, packages[plugin]))
        columns[plugin] = {
            name: [column.name for column in table.c] for name, table in sorted(declared.metadata.tables.items())
        }
        sums[plugin] = declared.sums
    return Migrations(sets, columns, sums)


def tables_of_rooms(plugins: Plugins) -> dict[str, Table]:
    """The plugins' tables that name a room, as ``<plugin>.<table>``: what is counted when a room is purged."""
    declared: Sequence[tuple[str, Tables]] = plugins.declared("register_tables")
    return {
        f"{plugin}.{table.name}": table
        for plugin, found in declared
        for table in found.metadata.tables.values()
        if "room_id" in table.c
    }
