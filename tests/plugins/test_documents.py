"""What a bundled plugin takes, sends, stores and can be told stands in its README, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from anonchat.plugins import Plugins, bundled, load
from anonchat.testing import running_server, settings_in

ROOT = Path(__file__).parents[2]
NAMES = bundled()


def readme_of(plugin: str) -> str:
    return (ROOT / "plugins" / plugin / "README.md").read_text(encoding="utf-8")


def row_of(name: str, text: str) -> str:
    """The row of a table that begins with a name; fails unless there is exactly one."""
    rows = [line for line in text.splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1, f"{name}: {rows}"
    return rows[0]


def fields_of(schema: Any) -> list[str]:
    return [str(field.data_key) for field in schema.fields.values()] if schema is not None else []


def declared(plugins: Plugins, plugin: str, hook: str) -> list[Any]:
    return [item for owner, item in plugins.declared(hook) if owner == plugin]


@pytest.mark.parametrize("plugin", NAMES)
@pytest.mark.gen_test(timeout=20)
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
    text, plugins = readme_of(plugin), load((plugin,))
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
def test_no_other_settings(plugin: str) -> None:
    section = readme_of(plugin).partition("## Settings")[2].partition("\n## ")[0]
    schemas = declared(load((plugin,)), plugin, "register_config_schema")
    known = {name for schema in schemas for name in schema().fields}
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == known
