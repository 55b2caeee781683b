"""Which backend a URL names, and which migrations the enabled plugins bring."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from anonchat.clock import Clock
from anonchat.declarations import Tables
from anonchat.errors import StartError
from anonchat.migrate.revisions import MigrationSet
from anonchat.plugins import Plugins
from anonchat.storage import Migrations

CORE_OWNER = "core"


def open_backend(role: str, url: str, clock: Clock) -> Any:
    """The backend of a role ("database", "bus", "ephemeral") that the scheme of a URL names. Raises `StartError`."""
    scheme = url.partition(":")[0]
    found = {point.name: point for point in entry_points(group="anonchat.storage")}
    point = found.get(f"{role}.{scheme}")
    if point is None:
        known = ", ".join(sorted(name.partition(".")[2] for name in found if name.startswith(f"{role}.")))
        raise StartError(f"[storage] {role} names the backend {scheme!r}, which is not installed. Installed: {known}.")
    return load_backend(point)(url, clock)


def load_backend(point: EntryPoint) -> Any:
    """What an entry point names. Raises `StartError` if a package that it needs is not installed."""
    try:
        return point.load()
    except ModuleNotFoundError as error:
        extras = f" pip install 'anonchat[{','.join(point.extras)}]'" if point.extras else ""
        raise StartError(f"The storage backend {point.name} needs the Python package {error.name}.{extras}") from error


def migrations_of(plugins: Plugins) -> Migrations:
    """The revisions of the core and of each enabled plugin, and the names of the plugins' tables."""
    sets = [MigrationSet(CORE_OWNER, Path(__file__).parent / "migrations", "anonchat")]
    names: dict[str, Sequence[str]] = {}
    sums: dict[str, Sequence[str]] = {}
    packages = {plugin.name: plugin.package for plugin in plugins.all}
    for plugin, declared in plugins.declared("register_tables"):
        sets.append(MigrationSet(plugin, declared.migrations, packages[plugin]))
        names[plugin] = sorted(declared.metadata.tables)
        sums[plugin] = declared.sums
    return Migrations(sets, names, sums)


def tables_of_rooms(plugins: Plugins) -> dict[str, Table]:
    """The plugins' tables that name a room, as ``<plugin>.<table>``: what is counted when a room is purged."""
    declared: Sequence[tuple[str, Tables]] = plugins.declared("register_tables")
    return {
        f"{plugin}.{table.name}": table
        for plugin, found in declared
        for table in found.metadata.tables.values()
        if "room_id" in table.c
    }
