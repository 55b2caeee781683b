"""Upgrading, downgrading and asking for the status, on real SQLite files."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from anonchat.migrate.revisions import MigrationError, MigrationSet, Status, Step, needs_upgrade
from anonchat.migrate.runner import downgrade, status, upgrade
from anonchat_sqlite.migration import migration_connection, recorded_revisions

pytestmark = pytest.mark.sqlite

FOLDER = Path(__file__).parent / "migrations"
CORE, POLLS, PINS = (MigrationSet(owner, FOLDER / owner) for owner in ("core", "polls", "pins"))
ALL = (CORE, POLLS, PINS)
EVERY_STEP = ["core_0001", "core_0002", "polls_0001", "polls_0002", "pins_0001"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's database is, or will be."""
    return tmp_path / "anonchat.db"


def migrate(path: Path, *sets: MigrationSet) -> list[Step]:
    """Upgrade a file to the head of these sets."""
    with migration_connection(path) as connection:
        return upgrade(connection, sets)


def only_first(revisions: MigrationSet, folder: Path) -> MigrationSet:
    """The same set as an older release had it: only its first revision."""
    folder.mkdir()
    (first,) = revisions.folder.glob("0001_*.py")
    shutil.copy(first, folder)
    return MigrationSet(revisions.owner, folder)


def write_first(folder: Path, owner: str, body: Sequence[str]) -> MigrationSet:
    """A set of one revision whose upgrade is these lines."""
    folder.mkdir()
    lines = [
        "import sqlalchemy as sa",
        "from alembic import op",
        f"revision, down_revision = '{owner}_0001', None",
        "def upgrade():",
        *(f"    {line}" for line in body),
    ]
    (folder / "0001_first.py").write_text("\n".join(lines))
    return MigrationSet(owner, folder)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Run one statement as another program would, commit it, and fetch all rows."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()


def tables(path: Path) -> set[object]:
    """The names of all tables."""
    return {name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_upgrade_applies_every_step_in_order_and_then_nothing(path: Path) -> None:
    steps = migrate(path, *ALL)
    assert [step.revision for step in steps] == EVERY_STEP
    assert steps[0].owner == "core"
    assert steps[0].summary == "Rooms and their messages."
    assert {"rooms", "messages", "polls", "poll_options", "pins"} < tables(path)
    assert migrate(path, *ALL) == []


def test_upgrade_to_a_named_revision_stops_there(path: Path) -> None:
    with migration_connection(path) as connection:
        upgrade(connection, [CORE], target="core_0001")
        assert status(connection, [CORE]) == [Status("core", "core_0001", "core_0002", ("core_0002",))]
        with pytest.raises(MigrationError, match="'core_0001' is a revision of one owner"):
            upgrade(connection, ALL, target="core_0001")


def test_status_tells_what_is_pending_and_changes_nothing(path: Path, tmp_path: Path) -> None:
    migrate(path, CORE, only_first(POLLS, tmp_path / "old"))
    before = path.read_bytes()
    with migration_connection(path) as connection:
        assert status(connection, ALL) == [
            Status("core", "core_0002", "core_0002", ()),
            Status("polls", "polls_0001", "polls_0002", ("polls_0002",)),
            Status("pins", None, "pins_0001", ("pins_0001",)),
        ]
    assert path.read_bytes() == before


def test_a_plugin_that_is_switched_off_blocks_nobody_and_catches_up(path: Path, tmp_path: Path) -> None:
    migrate(path, only_first(CORE, tmp_path / "core"), only_first(POLLS, tmp_path / "polls"))
    query(path, "INSERT INTO polls (room_id) VALUES (1)")
    assert [step.revision for step in migrate(path, CORE, PINS)] == ["core_0002", "pins_0001"]
    assert query(path, "SELECT room_id FROM polls") == [(1,)]
    assert [step.revision for step in migrate(path, *ALL)] == ["polls_0002"]


def test_a_plugin_whose_files_are_gone_blocks_nobody(path: Path, tmp_path: Path) -> None:
    removed = MigrationSet("polls", tmp_path / "polls")
    shutil.copytree(POLLS.folder, removed.folder)
    migrate(path, only_first(CORE, tmp_path / "core"), removed)
    shutil.rmtree(removed.folder)
    assert [step.revision for step in migrate(path, CORE)] == ["core_0002"]
    assert recorded_revisions(path)["polls"] == "polls_0002"
    with pytest.raises(MigrationError, match="migrations of polls are missing from"):
        migrate(path, CORE, removed)


def test_downgrade_undoes_in_reverse_and_upgrade_brings_it_back(path: Path) -> None:
    migrate(path, *ALL)
    with migration_connection(path) as connection:
        steps = downgrade(connection, POLLS, "base")
    assert [step.revision for step in steps] == ["polls_0002", "polls_0001"]
    assert tables(path).isdisjoint({"polls", "poll_options"})
    assert [step.revision for step in migrate(path, *ALL)] == ["polls_0001", "polls_0002"]
    with migration_connection(path) as connection:
        assert [step.revision for step in downgrade(connection, CORE, "core_0001")] == ["core_0002"]
        assert status(connection, [CORE])[0].current == "core_0001"


def test_a_step_without_a_downgrade_cannot_be_undone(path: Path, tmp_path: Path) -> None:
    oneway = write_first(tmp_path / "oneway", "oneway", ["pass"])
    migrate(path, oneway)
    with (
        pytest.raises(MigrationError, match=r"oneway_0001 has no downgrade\(\)"),
        migration_connection(path) as connection,
    ):
        downgrade(connection, oneway, "base")
    assert recorded_revisions(path) == {"oneway": "oneway_0001"}


FAILURES = {
    "statement": ["op.execute('CREATE TABLE half (id INTEGER)')", "op.execute('nonsense')"],
    "exception": ["op.execute('DELETE FROM rooms')", "raise RuntimeError('no')"],
    "commit": ["op.execute('DROP TABLE messages')", "op.get_bind().commit()"],
    "script that commits": ["op.get_bind().connection.executescript('DROP TABLE messages')"],
    "autocommit": ["with op.get_context().autocommit_block():", "    op.execute('DROP TABLE messages')"],
}


@pytest.mark.parametrize("body", FAILURES.values(), ids=FAILURES)
def test_a_failing_step_leaves_the_file_as_it_was(path: Path, tmp_path: Path, body: list[str]) -> None:
    old = only_first(CORE, tmp_path / "core")
    migrate(path, old)
    before = path.read_bytes()
    failing = write_first(tmp_path / "bad", "bad", body)
    with pytest.raises(MigrationError, match="upgrade bad_0001 of anonchat failed, nothing was changed") as caught:
        migrate(path, CORE, POLLS, failing)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_caller_that_goes_on_after_a_failure_commits_nothing_of_the_run(path: Path, tmp_path: Path) -> None:
    failing = write_first(tmp_path / "bad", "bad", FAILURES["statement"])
    with migration_connection(path) as connection:
        with pytest.raises(MigrationError):
            upgrade(connection, [CORE, failing])
        upgrade(connection, [POLLS], target="polls_0001")
    assert tables(path).isdisjoint({"rooms", "half"})
    assert recorded_revisions(path) == {"polls": "polls_0001"}


def migrate_on_a_small_disk(path: Path, *sets: MigrationSet) -> None:
    """SQLite answers a page above `max_page_count` as it answers a full disk."""
    with migration_connection(path) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 50")
        upgrade(connection, sets)


def test_a_full_disk_is_named_and_changes_nothing(path: Path, tmp_path: Path) -> None:
    migrate(path, CORE)
    before = path.read_bytes()
    large = write_first(tmp_path / "large", "large", ["op.execute('CREATE TABLE large AS SELECT zeroblob(10000000)')"])
    with pytest.raises(MigrationError, match=r"large_0001 .*database or disk is full"):
        migrate_on_a_small_disk(path, POLLS, large)
    assert path.read_bytes() == before


def test_a_batch_migration_keeps_the_child_rows(path: Path, tmp_path: Path) -> None:
    migrate(path, only_first(CORE, tmp_path / "core"), POLLS)
    query(path, "INSERT INTO messages (room_id) VALUES (1), (1)")
    query(path, "INSERT INTO polls (room_id) VALUES (1)")
    migrate(path, CORE, POLLS)
    assert query(path, "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM polls)") == [(2, 1)]


def test_dropping_a_parent_with_foreign_keys_on_deletes_the_children(path: Path) -> None:
    """The control of the test above: this is what the storage switches foreign keys off for."""
    migrate(path, CORE)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA foreign_keys = ON; INSERT INTO messages (room_id) VALUES (1); DROP TABLE rooms;"
        )
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)


STARTER = """
import sys
from pathlib import Path
from anonchat.migrate.runner import upgrade
from anonchat.migrate.revisions import MigrationSet
from anonchat_sqlite.migration import migration_connection

sets = [MigrationSet(owner, Path(sys.argv[2]) / owner) for owner in sys.argv[3:]]
print("ready", flush=True)
sys.stdin.readline()
with migration_connection(Path(sys.argv[1])) as connection:
    print(*[step.revision for step in upgrade(connection, sets)])
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_processes_that_start_at_once_run_each_step_once(path: Path) -> None:
    """All are loaded and waiting before the first may go."""
    command = [sys.executable, "-c", STARTER, str(path), str(FOLDER), "core", "polls", "pins"]
    with ExitStack() as stack:
        starters = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=ENVIRONMENT
                )
            )
            for _ in range(3)
        ]
        for starter in starters:
            assert starter.stdout is not None
            assert starter.stdout.readline() == "ready\n"
        for starter in starters:
            assert starter.stdin is not None
            starter.stdin.write("go\n")
        runs = [starter.communicate(timeout=120)[0].split() for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert sorted(runs) == [[], [], EVERY_STEP]
    assert query(path, "SELECT title FROM rooms") == [("lobby",)]


def test_a_process_that_is_killed_in_a_step_leaves_the_file_as_it_was(path: Path, tmp_path: Path) -> None:
    """The step is larger than the cache, so half of it is in the file when the process dies."""
    migrate(path, CORE)
    before = path.read_bytes()
    large = "op.execute('CREATE TABLE large AS SELECT zeroblob(10000000) AS content')"
    write_first(tmp_path / "large", "large", [large, "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"])
    command = [sys.executable, "-c", STARTER, str(path), str(tmp_path), "large"]
    killed = subprocess.run(command, input="go\n", capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() != before
    assert migrate(path, CORE) == []
    assert path.read_bytes() == before


def test_two_databases_of_one_process_can_migrate_at_once(tmp_path: Path) -> None:
    """Each script waits for the other in the middle of its step, then creates its table in its own database."""
    meeting = threading.Barrier(2, timeout=60)

    def start(owner: str) -> set[object]:
        body = ["op.get_bind().info['meeting'].wait()", f"op.create_table('{owner}', sa.Column('id', sa.Integer))"]
        revisions = write_first(tmp_path / owner, owner, body)
        path = tmp_path / f"{owner}.db"
        with migration_connection(path) as connection:
            connection.info["meeting"] = meeting
            upgrade(connection, [revisions])
        return tables(path)

    with ThreadPoolExecutor(2) as pool:
        found: list[set[object]] = list(pool.map(start, ["left", "right"]))
    assert found == [{"left", "schema_version_left"}, {"right", "schema_version_right"}]


RECORDED = {
    "polls_0007": "written by a newer version of anonchat-polls: polls is at polls_0007 and this version knows polls_",
    "polls_0000": "no revision 'polls_0000' of polls",
    "c0ffee": "no revision 'c0ffee' of polls",
}


@pytest.mark.parametrize(("recorded", "sentence"), RECORDED.items(), ids=RECORDED)
def test_a_database_at_a_revision_that_is_not_known_is_refused(path: Path, recorded: str, sentence: str) -> None:
    migrate(path, POLLS)
    query(path, f"UPDATE schema_version_polls SET version_num = '{recorded}'")
    before = path.read_bytes()
    polls = MigrationSet("polls", POLLS.folder, package="anonchat-polls")
    assert needs_upgrade(recorded_revisions(path), [polls])
    with pytest.raises(MigrationError, match=sentence):
        migrate(path, CORE, polls)
    assert path.read_bytes() == before


def test_a_version_table_with_two_rows_is_refused(path: Path) -> None:
    migrate(path, CORE)
    query(path, "INSERT INTO schema_version_core VALUES ('core_0001')")
    assert needs_upgrade(recorded_revisions(path), [CORE])
    with pytest.raises(MigrationError, match="schema_version_core names 2 revisions"):
        migrate(path, CORE)


def test_two_sets_of_one_owner_are_refused(path: Path) -> None:
    with pytest.raises(MigrationError, match="call themselves 'core'"):
        migrate(path, CORE, MigrationSet("core", FOLDER / "pins"))
