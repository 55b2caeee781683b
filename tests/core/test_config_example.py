"""``config.example.toml`` and the docstrings tell of every setting, with its default, and of no other."""

import ast
import inspect
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anonchat.config import Settings, describe_settings, load_settings, settings
from anonchat.plugins.registry import load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
PLUGINS = "# What the bundled plugins can be told"  # where their part begins
SETTING = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


def uncommented() -> str:
    """The example with every setting of the core on: ``#name = value`` is a setting, ``# text`` is a comment."""
    return SETTING.sub("", EXAMPLE.read_text("utf-8").partition(PLUGINS)[0])


def uncommented_plugins() -> str:
    """The part about plugins with every setting on, and the tables that they stand in."""
    text = SETTING.sub("", EXAMPLE.read_text("utf-8").partition(PLUGINS)[2])
    return re.sub(r"^#(?=\[plugins\.\w+\]$)", "", text.partition("\n")[2], flags=re.MULTILINE)


def leaves(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Path and value of each setting of a parsed file."""
    for table, values in document.items():
        for name, value in values.items():
            yield f"{table}.{name}", value


def test_as_written_it_changes_nothing() -> None:
    assert all(values == {} for values in tomllib.loads(EXAMPLE.read_text("utf-8")).values())
    assert load_settings(EXAMPLE, {}) == Settings()


def test_uncommented_it_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "all.toml"
    path.write_text(uncommented(), "utf-8")
    assert load_settings(path, {}) == load_settings(None, {})


def test_it_has_every_setting_with_its_default_and_no_other() -> None:
    written = dict(leaves(tomllib.loads(uncommented())))
    described = {setting.path: setting.default for setting in describe_settings()}
    assert written == described
    assert {path: type(value) for path, value in written.items()} == {
        path: type(value) for path, value in described.items()
    }


def test_every_setting_is_explained_in_short_lines() -> None:
    text = EXAMPLE.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    for block in text.split("\n\n"):
        assert not SETTING.search(block) or block.strip().startswith("# "), f"no comment above\n{block}"


def test_every_setting_has_a_docstring() -> None:
    module = ast.parse(inspect.getsource(settings))
    documented = set()
    for table in (node for node in module.body if isinstance(node, ast.ClassDef)):
        for entry, after in zip(table.body, table.body[1:], strict=False):
            if (
                isinstance(entry, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                documented.add((table.name, ast.unparse(entry.target)))
    expected = {(kind.__name__, name) for kind in settings.TABLES.values() for name in settings.setting_fields(kind)}
    assert expected <= documented


def test_it_has_every_setting_of_the_bundled_plugins_with_its_default() -> None:
    written = tomllib.loads(uncommented_plugins())["plugins"]
    plugins = load(None)
    defaults = {name: schema().load({}) for name, schema in plugins.declared("register_config_schema")}
    assert written == {name: {key: _listed(value) for key, value in found.items()} for name, found in defaults.items()}


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_the_part_about_plugins_is_up_to_date() -> None:
    tool = ROOT / "tools" / "make_plugin_settings.py"
    module = runpy.run_path(str(tool))
    assert module["made"]() == EXAMPLE.read_text("utf-8"), "run: python tools/make_plugin_settings.py"
