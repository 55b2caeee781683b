"""Plugins write to their own tables alone: what they write into the core's would go past it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Table
from sqlalchemy.sql.dml import UpdateBase

from anonchat.plugins import bundled, load
from anonchat.store import messages


def written_by(package: str) -> Iterator[tuple[str, str]]:
    """(statement, table) of everything that writes and stands in a module of the package."""
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if ".migrations" in found.name:
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            statements = value.values() if isinstance(value, dict) else (value,)
            for statement in statements:
                if isinstance(statement, UpdateBase):
                    assert isinstance(statement.table, Table)
                    yield f"{found.name}.{name}", statement.table.name


@pytest.mark.parametrize("plugin", bundled())
def test_a_plugin_writes_to_its_own_tables(plugin: str) -> None:
    (tables,) = [declared for owner, declared in load((plugin,)).declared("register_tables") if owner == plugin]
    written = list(written_by(f"anonchat_{plugin}"))
    assert written
    assert not [entry for entry in written if entry[1] not in tables.metadata.tables]


def test_what_writes_to_the_core_would_be_found() -> None:
    assert isinstance(messages.UPDATE_KEPT, UpdateBase)
    assert ("anonchat.store.messages.UPDATE_KEPT", "messages") in list(written_by("anonchat.store"))
