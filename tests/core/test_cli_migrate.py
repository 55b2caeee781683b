"""``anonchat migrate`` with real files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anonchat.cli import main
from anonchat.testing.processes import ServerProcess

pytestmark = pytest.mark.sqlite

PLUGIN = """
from pathlib import Path
import sqlalchemy
from anonchat import Tables, hookimpl

class Plugin:
    @hookimpl
    def register_tables(self):
        return Tables(sqlalchemy.MetaData(), Path(__file__).parent / "migrations")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a plugin that has no revision yet."""
    (tmp_path / "dice" / "migrations").mkdir(parents=True)
    (tmp_path / "dice" / "__init__.py").write_text(PLUGIN)
    (tmp_path / "anonchat.toml").write_text(f'[plugins]\nenabled = ["dice"]\nplugins_dir = "{tmp_path}"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["migrate", *arguments], input=answer)


def _tables(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "anonchat.db")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_forward_back_and_forward_again(folder: Path) -> None:
    assert "applied core_0001" in _run().output
    assert "rooms" in _tables(folder)
    assert (folder / "anonchat.db").stat().st_mode & 0o777 == 0o600
    assert _run().output == "Nothing to do.\n"
    assert "core: core_0001, up to date" in _run("--status").output
    assert "undone core_0001" in _run("--to", "base", "--owner", "core", "--yes").output
    assert "rooms" not in _tables(folder)
    assert "core: base, 1 pending: core_0001" in _run("--status").output
    assert "applied core_0001" in _run("--to", "core_0001").output
    assert "rooms" in _tables(folder)


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_going_back_asks_first(folder: Path, answer: str) -> None:
    _run()
    done = _run("--to", "base", "--owner", "core", answer=answer)
    assert done.exit_code == 1
    assert (
        "Go back from core_0001 to base, and delete what only the newer tables and columns of core hold" in done.output
    )
    assert "rooms" in _tables(folder)
    assert _run("--to", "core_0001").output == "Nothing to do.\n"
    assert "undone core_0001" in _run("--to", "base", "--owner", "core", answer="y\n").output
    assert "rooms" not in _tables(folder)


def test_an_author_drafts_a_revision(folder: Path) -> None:
    done = _run("new", "dice", "Add throws")
    assert done.exit_code == 0, done.output
    path = folder / "dice" / "migrations" / "0001_add_throws.py"
    assert done.output == f"{path}\n"
    assert 'revision = "dice_0001"' in path.read_text()
    assert "applied dice_0001: Add throws." in _run().output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--status",), "There is no database"),
        (("--to", "birds_0001"), "'birds' owns no tables here. With tables: core, dice"),
        (("--to", "base"), "say whose with --owner. With tables: core, dice"),
        (("--to", "foo"), "'foo' is not the name of a revision, such as core_0001"),
        (("--to", "foo", "--owner", "core"), "core has no revision 'foo'. It has: core_0001."),
        (("--to", "core_0077"), "core has no revision 'core_0077'. It has: core_0001."),
        (("new", "birds", "Sing"), "no such plugin is installed"),
        (("new", "dice", "?!"), "cannot name a file"),
    ],
)
def test_refusals_are_sentences(arguments: tuple[str, ...], said: str) -> None:
    done = _run(*arguments)
    assert (done.exit_code, done.output[:10]) == (1, "anonchat: ")
    assert said in done.output


def test_nothing_is_changed_beside_a_running_server(folder: Path) -> None:
    with ServerProcess(folder):
        done = _run("--to", "base", "--owner", "core")
        assert (done.exit_code, "running" in done.output) == (1, True)
        assert "core: core_0001, up to date" in _run("--status").output
