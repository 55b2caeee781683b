"""What a bundled plugin takes, sends, stores and can be told stands in its README.

No setting, event, route, table, metric or offered hook stands there that it does not have. What the sentences say of them is
for people to read.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from anonchat.config.settings import PluginSettings
from anonchat.plugins.options import load_one
from anonchat.plugins.registry import Plugins, bundled
from anonchat.protocol.shapes import DURABLE, PASSING
from anonchat.testing import running_server, settings_in

EVENTS = ("event", "the server sends")  # how the tables begin that have an event in each row
ROOT = Path(__file__).parents[2]
NAMES = bundled()
CORE_EVENTS = {*DURABLE, *PASSING}


def readme_of(plugin: str) -> str:
    return (ROOT / "plugins" / plugin / "README.md").read_text(encoding="utf-8")


def row_of(name: str, text: str) -> str:
    """The row of a table that begins with a name; fails unless there is exactly one."""
    rows = [line for line in text.splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1, f"{name}: {rows}"
    return rows[0]


def named_in(text: str, *titles: str) -> set[str]:
    """What the rows of tables begin with that have one of these titles, or one that begins with it."""
    found: set[str] = set()
    is_wanted = False
    for line, following in pairwise([*text.splitlines(), ""]):
        first = line.partition("|")[2].partition(" |")[0].strip()
        if following.startswith("|---"):
            is_wanted = first.startswith(titles)
        elif not line.startswith("|"):
            is_wanted = False
        elif is_wanted:
            found.update(re.findall(r"`(\w+)", first))
    return found


def routes_in(text: str) -> set[tuple[str, str, frozenset[str]]]:
    """(method, path, names in the query) of all routes in tables. Sentences may name the core's."""
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    found = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) ([^`?]+)\??([^`]*)`", rows)
    return {(method, path, frozenset(filter(None, query.split("&")))) for method, path, query in found}


def fields_of(schema: Any) -> list[str]:
    return [str(field.data_key) for field in schema.fields.values()] if schema is not None else []


def declared(plugins: Plugins, plugin: str, hook: str) -> list[Any]:
    return [item for owner, item in plugins.declared(hook) if owner == plugin]


@pytest.mark.parametrize("plugin", NAMES)
@pytest.mark.gen_test
async def test_events_and_routes(plugin: str, tmp_path: Path) -> None:
    text = readme_of(plugin)
    async with running_server(settings_in(tmp_path, plugins={"enabled": (plugin,)})) as server:
        for event in declared(server.plugins, plugin, "register_client_events"):
            row = row_of(event.name, text)
            accepted = {f"{field.data_key}{'' if field.required else '?'}" for field in event.schema.fields.values()}
            assert accepted == set(re.findall(r"\w+\??", row.split("|")[2].partition("}")[0])), event.name
            assert ("moderator" in row) == (event.role == "moderator"), event.name
        for event in declared(server.plugins, plugin, "register_server_events"):
            assert f"`{event.name}" in text, event.name
            missing = [name for name in fields_of(event.schema) if not re.search(rf"\b{name}\b", text)]
            assert missing == [], event.name
        for route in declared(server.plugins, plugin, "register_routes"):
            assert f"`{route.method} {route.path}" in text, route.path


@pytest.mark.parametrize("plugin", NAMES)
def test_settings_tables_and_metrics(plugin: str) -> None:
    text, plugins = readme_of(plugin), load_one(plugin, PluginSettings())
    for schema in declared(plugins, plugin, "register_config_schema"):
        for name, field in schema().fields.items():
            assert f"`{_written(field.load_default)}`" in row_of(name, text), name
    for tables in declared(plugins, plugin, "register_tables"):
        for name in tables.metadata.tables:
            assert f"`{name}`" in text, name
    for metric in declared(plugins, plugin, "register_metrics"):
        assert f"`anonchat_{plugin}_{metric.name}" in text, metric.name
    for _, found in plugins.declared("register_hookspecs"):
        for hook in plugins.offered_by(plugin):
            assert f"`{hook}" in text, (hook, found)


def _written(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("plugin", NAMES)
def test_nothing_else(plugin: str) -> None:
    text, plugins = readme_of(plugin), load_one(plugin, PluginSettings())
    settings = text.partition("## Settings")[2].partition("\n## ")[0]
    schemas = declared(plugins, plugin, "register_config_schema")
    assert named_in(settings, "setting") == {name for schema in schemas for name in schema().fields}
    hooks = ("register_client_events", "register_server_events")
    events = {event.name for hook in hooks for event in declared(plugins, plugin, hook)}
    assert named_in(text, *EVENTS) - events - CORE_EVENTS == set()
    routes = {(route.method, route.path) for route in declared(plugins, plugin, "register_routes")}
    assert {(method, path) for method, path, _ in routes_in(text)} == routes
    tables = {name for found in declared(plugins, plugin, "register_tables") for name in found.metadata.tables}
    assert named_in(text, "table") - tables == set()
    metrics = {metric.name for metric in declared(plugins, plugin, "register_metrics")}
    assert set(re.findall(rf"`anonchat_{plugin}_(\w+?)(?:_total)?`", text)) == metrics
    assert named_in(text, "hook") - plugins.offered_by(plugin) == set()


@pytest.mark.parametrize("plugin", NAMES)
def test_what_routes_can_be_asked(plugin: str) -> None:
    queries = {
        (found.method, found.path): found.query
        for found in declared(load_one(plugin, PluginSettings()), plugin, "register_routes")
    }
    for method, path, names in routes_in(readme_of(plugin)):
        assert names <= set(fields_of(queries[method, path])), path


def test_what_is_not_there_would_be_found() -> None:
    text = """
| event | data |
|---|---|
| `sing` (moderator) | `{song}` |
| `hum {song}`, `whistle` | see `song` |

| setting | default |
|---|---|
| `loud` | `true` |

| REST | answer |
|---|---|
| `GET /api/songs?before&limit` | `{songs}` |

It needs `POST /api/rooms`.
"""
    assert named_in(text, *EVENTS) == {"sing", "hum", "whistle"}
    assert named_in(text, "setting") == {"loud"}
    assert routes_in(text) == {("GET", "/api/songs", frozenset({"before", "limit"}))}
