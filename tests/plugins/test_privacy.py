"""Whatever stores something says so on /privacy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anonchat.plugins.registry import bundled, load
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import request

STORING = [plugin for plugin, _ in load(None).declared("register_tables")]


def test_all_bundled_plugins_store_something() -> None:
    assert sorted(STORING) == sorted(bundled())


@pytest.mark.parametrize("plugin", STORING)
@pytest.mark.gen_test
async def test_a_plugin_with_tables_says_what_it_keeps(plugin: str, tmp_path: Path) -> None:
    sentences = []
    for enabled in ((), (plugin,)):
        async with running_server(settings_in(tmp_path, plugins={"enabled": enabled})) as server:
            page = (await request(server, "GET", "/privacy")).body.decode()
            sentences.append(re.findall(r"<li>(.*?)</li>", page))
    without, told = sentences
    assert len(told) > len(without)
    assert f"Plugins that run here: {plugin}." in told
