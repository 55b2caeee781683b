"""Of a purged room nothing is left in any table of the core and of the bundled plugins, nor in the bytes of the file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.plugins.registry import bundled, load
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import is_on_postgres, run_sql, tables_in
from anonchat.testing.people import request

from .busy_room import Traces, everything

REMEMBERED = "ended_rooms"  # by the core: that there was a room, when and why it ended, and how much was deleted

pytestmark = pytest.mark.gen_test


def settings(folder: Path, *enabled: str) -> Any:
    return settings_in(folder, plugins={"enabled": enabled, "options": {"moderation": {"ban_networks": False}}})


# --- looking


def tables(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of the database, whoever made it -> its rows."""
    return {name: run_sql(folder, f'SELECT * FROM "{name}"') for name in tables_in(folder)}


def found(folder: Path, traces: Traces) -> set[tuple[str, str]]:
    """(table, what was found in it)."""
    return {
        (table, trace)
        for table, rows in tables(folder).items()
        for trace in traces.all()
        if any(trace in str(value).lower() for row in rows for value in row)
    }


def in_bytes(folder: Path, traces: Traces) -> set[tuple[str, str]]:
    """(file, what was found in it), in everything that lies beside the database, too. Of a database server: in its rows."""
    if is_on_postgres():
        return found(folder, traces)
    files = {path.name: path.read_bytes().lower() for path in folder.iterdir() if path.is_file()}
    return {(name, trace) for name, content in files.items() for trace in traces.all() if trace.encode() in content}


def plugin_tables(*, sums: bool) -> set[str]:
    """The tables that the bundled plugins declare: those that outlive rooms, being sums, or all others."""
    declared = [declared for _, declared in load(bundled()).declared("register_tables")]
    outliving = {name for one in declared for name in one.sums}
    return outliving if sums else {name for one in declared for name in one.metadata.tables} - outliving


@asynccontextmanager
async def filled(folder: Path) -> AsyncIterator[tuple[Server, Traces]]:
    """A server with all plugins, and what happened on it: there is something in every table, which is the control."""
    async with running_server(settings(folder, *bundled())) as server:
        traces = await everything(server)
        rows = tables(folder)
        assert [name for name in plugin_tables(sums=False) | plugin_tables(sums=True) if not rows[name]] == []
        assert {trace for _, trace in found(folder, traces)} == set(traces.all())
        assert {trace for _, trace in in_bytes(folder, traces)} == set(traces.all())
        yield server, traces


def assert_nothing_is_left(folder: Path, traces: Traces) -> None:
    """But that there was a room, in the table that says so."""
    rows = tables(folder)
    assert {name: rows[name] for name in plugin_tables(sums=False) if rows[name]} == {}
    assert found(folder, traces) == {(REMEMBERED, traces.room_id)}
    assert {trace for _, trace in in_bytes(folder, traces)} == {traces.room_id}


# --- the tests


async def test_nothing_is_left_of_a_purged_room(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        await server.retention.end(traces.room_id, "test")
        await server.dispatcher.settle()
        assert_nothing_is_left(tmp_path, traces)
    assert_nothing_is_left(tmp_path, traces)


async def test_nothing_is_left_when_the_plugins_are_off_by_then(tmp_path: Path) -> None:
    async with filled(tmp_path) as (_, traces):
        pass
    async with running_server(settings(tmp_path)) as server:
        await server.retention.end(traces.room_id, "test")
        assert_nothing_is_left(tmp_path, traces)
    assert_nothing_is_left(tmp_path, traces)


async def test_the_room_beside_it_stays(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        other = await everything(server)
        before = found(tmp_path, Traces(other.room_id, (), other.messages))
        await server.retention.end(traces.room_id, "test")
        assert found(tmp_path, Traces(other.room_id, (), other.messages)) == before


async def test_the_report_of_the_deletion_counts_what_the_plugins_kept(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        named = {
            f"{plugin}.{table.name}"
            for plugin, declared in load(bundled()).declared("register_tables")
            for table in declared.metadata.tables.values()
            if "room_id" in table.c
        }
        await server.retention.end(traces.room_id, "test")
        page = await request(server, "GET", f"/api/rooms/{traces.room_id}")
    assert page.status == 410
    assert named <= {name for name, count in deleted(tmp_path).items() if count}


def deleted(folder: Path) -> dict[str, int]:
    """Category -> count, as it is kept."""
    ((_, _, _, counts),) = tables(folder)[REMEMBERED]
    kept: dict[str, int] = json.loads(counts)
    return kept
