"""Revision files: their order on disk, new ones, and what is refused before a database is touched."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import anonchat
from anonchat.migrate.draft import new_revision
from anonchat.migrate.lineage import load_lineage
from anonchat.migrate.revisions import MigrationError, MigrationSet, head_revision, needs_upgrade
from anonchat.migrate.runner import downgrade, status, upgrade
from anonchat_sqlite.migration import migration_connection, recorded_revisions

pytestmark = pytest.mark.sqlite


@pytest.fixture
def polls(tmp_path: Path) -> MigrationSet:
    """A plugin without a folder yet."""
    return MigrationSet("polls", tmp_path / "polls")


def test_a_new_revision_is_one_that_upgrade_and_downgrade_run(tmp_path: Path, polls: MigrationSet) -> None:
    paths = [new_revision(polls, "first tables"), new_revision(polls, "Add  colour, to “polls”!")]
    assert [path.name for path in paths] == ["0001_first_tables.py", "0002_add_colour_to_polls.py"]
    with migration_connection(tmp_path / "anonchat.db") as connection:
        steps = upgrade(connection, [polls])
        assert [(step.revision, step.summary) for step in steps] == [
            ("polls_0001", "first tables."),
            ("polls_0002", "Add colour, to “polls”!."),
        ]
        assert len(downgrade(connection, polls, "base")) == 2
        assert status(connection, [polls])[0].current is None


@pytest.mark.parametrize("message", ['say "hi"', 'a """ inside', "back\\slash at the end\\", "two\nlines", "{braces}"])
def test_any_message_gives_a_file_that_says_it(polls: MigrationSet, message: str) -> None:
    module = ast.parse(new_revision(polls, message).read_text(encoding="utf-8"))
    assert ast.get_docstring(module) == " ".join(message.split()) + "."


def test_a_message_without_a_word_is_refused_and_writes_nothing(polls: MigrationSet) -> None:
    with pytest.raises(MigrationError, match="cannot name a file"):
        new_revision(polls, "¡!")
    assert list(polls.folder.iterdir()) == []


def test_needs_upgrade_compares_the_files_with_what_is_recorded(tmp_path: Path, polls: MigrationSet) -> None:
    path = tmp_path / "anonchat.db"
    new_revision(polls, "first")
    assert needs_upgrade(recorded_revisions(path), [polls])
    with migration_connection(path) as connection:
        upgrade(connection, [polls])
    assert recorded_revisions(path) == {"polls": "polls_0001"}
    assert not needs_upgrade(recorded_revisions(path), [polls])
    new_revision(polls, "second")
    assert head_revision(polls) == "polls_0002"
    assert needs_upgrade(recorded_revisions(path), [polls])


def test_a_set_without_revisions_is_up_to_date(tmp_path: Path, polls: MigrationSet) -> None:
    polls.folder.mkdir()
    assert not needs_upgrade({}, [polls])
    with migration_connection(tmp_path / "anonchat.db") as connection:
        assert upgrade(connection, [polls]) == []


@pytest.mark.parametrize("owner", ["", "Polls", "my-polls", "1polls", 'p"; DROP', "p" * 28])
def test_an_owner_that_cannot_name_a_table_is_refused(tmp_path: Path, owner: str) -> None:
    with pytest.raises(MigrationError, match="cannot own migrations"):
        MigrationSet(owner, tmp_path)


@pytest.mark.parametrize("name", ["0001_other.py", "0003_gap.py", "later.py", "2_short.py"])
def test_file_names_that_are_not_one_line_are_refused(polls: MigrationSet, name: str) -> None:
    new_revision(polls, "first").rename(polls.folder / "0001_first.py")
    (polls.folder / name).write_text("")
    with pytest.raises(MigrationError, match=r"should be named 000[12]_<what>.py"):
        head_revision(polls)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('revision = "polls_0002"', 'revision = "polls_0003"'),
        ('down_revision = "polls_0001"', "down_revision = None"),
        ('revision = "polls_0002"', 'revision = "pins_0002"'),
    ],
)
def test_a_script_that_leaves_the_line_is_refused(polls: MigrationSet, old: str, new: str) -> None:
    new_revision(polls, "first")
    path = new_revision(polls, "second")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(MigrationError, match=r"0002_second.py must have revision 'polls_0002' and down_revision"):
        load_lineage(polls)


@pytest.mark.parametrize("text", ["import nowhere_at_all", "def (", "", "revision = 'x'\ndown_revision = 'polls_0009'"])
def test_a_script_that_cannot_be_loaded_is_refused(polls: MigrationSet, text: str) -> None:
    new_revision(polls, "first")
    (polls.folder / "0002_second.py").write_text(text)
    with pytest.raises(MigrationError, match=r"migrations of polls in .* cannot be loaded"):
        load_lineage(polls)


@pytest.mark.parametrize("name", ["lineage.py", "runner.py"])
def test_only_public_names_of_alembic_are_used(name: str) -> None:
    """Alembic moves its underscored functions between minor releases; our own are called on `self` or by bare name."""
    tree = ast.parse((Path(anonchat.__path__[0]) / "migrate" / name).read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    foreign = [node.attr for node in attributes if ast.unparse(node.value) != "self"]
    assert "get_current_heads" in foreign + imported or "ScriptDirectory" in imported
    assert [used for used in foreign + imported if used.startswith("_")] == []


def test_asking_whether_to_migrate_does_not_load_alembic() -> None:
    code = "import sys, anonchat.migrate.revisions, anonchat_sqlite.migration; print('alembic' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (answer.stdout.strip(), answer.stderr) == ("False", "")
