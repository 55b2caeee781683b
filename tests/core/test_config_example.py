"""``config.example.toml`` and the docstrings tell of every setting, with its default, and of no other."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anonchat.config import Settings, describe_settings, load_settings, settings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SETTING = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


def uncommented() -> str:
    """The example with every setting switched on: ``#name = value`` is a setting, ``# text`` is a comment."""
    return SETTING.sub("", EXAMPLE.read_text("utf-8"))


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
