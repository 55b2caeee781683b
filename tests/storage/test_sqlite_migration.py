"""What a SQLite file must be before anonchat migrates it, and after."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from anonchat.migrate.revisions import MigrationError
from anonchat_sqlite.migration import migration_connection, recorded_revisions

pytestmark = pytest.mark.sqlite

SCHEMA = """
CREATE TABLE schema_version_core (version_num TEXT);
INSERT INTO schema_version_core VALUES ('core_0001');
CREATE TABLE rooms (id INTEGER PRIMARY KEY);
CREATE TABLE messages (room_id INTEGER REFERENCES rooms (id), text TEXT);
INSERT INTO rooms VALUES (1);
"""
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of anonchat with about 30 pages of messages."""
    path = tmp_path / "anonchat.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(f"PRAGMA page_size = {PAGE}; {SCHEMA}")
        connection.executemany("INSERT INTO messages VALUES (1, ?)", [("x" * 1000,)] * 100)
    return path


def change(path: Path, statement: str) -> None:
    """Run one statement as a migration."""
    with migration_connection(path) as connection:
        connection.exec_driver_sql(statement)


def look(path: Path) -> None:
    """Open and close without a change."""
    with migration_connection(path):
        pass


def test_a_change_is_committed_and_an_exception_rolls_it_back(path: Path) -> None:
    change(path, "INSERT INTO rooms VALUES (2)")
    before = path.read_bytes()
    with pytest.raises(MigrationError, match=r"rooms\.id"):
        change(path, "INSERT INTO rooms VALUES (3), (2)")
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM rooms").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize("content", [b"x", b"hello, world\n", b"\x00" * 100, b"%PDF-1.7\n" * 10_000])
def test_a_file_that_is_not_sqlite_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert recorded_revisions(path) == {}
    with pytest.raises(MigrationError, match="is not a SQLite database"):
        change(path, "CREATE TABLE rooms (id INTEGER)")
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    before = path.read_bytes()
    assert recorded_revisions(path) == {}
    with pytest.raises(MigrationError, match=r"database of another program .*bookmarks"):
        change(path, "CREATE TABLE rooms (id INTEGER)")
    assert path.read_bytes() == before


def test_an_empty_file_is_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "anonchat.db"
    path.touch()
    look(path)
    with migration_connection(path) as connection:
        for statement in SCHEMA.split(";")[:2]:
            connection.exec_driver_sql(statement)
    assert recorded_revisions(path) == {"core": "core_0001"}


def truncated(content: bytes) -> bytes:
    """As a copy that was interrupted."""
    return content[: 5 * PAGE + 100]


def without_schema(content: bytes) -> bytes:
    """The header page overwritten behind the header."""
    return content[:100] + b"\xff" * (PAGE - 100) + content[PAGE:]


@pytest.mark.parametrize("damage", [truncated, without_schema])
def test_a_corrupt_file_is_refused_at_once_and_kept(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(content := damage(path.read_bytes()))
    with pytest.raises(MigrationError, match=r"anonchat.db is corrupt: restore a backup"):
        look(path)
    assert path.read_bytes() == content


def test_a_page_that_is_corrupt_inside_is_found_before_a_change_is_committed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3 * PAGE : -2 * PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)
    with pytest.raises(MigrationError, match=r"anonchat.db is corrupt: restore a backup"):
        change(path, "INSERT INTO rooms VALUES (2)")
    assert path.read_bytes() == content


def test_rows_that_lost_their_parent_are_found_before_the_commit(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(MigrationError, match="rows of messages would refer to rows of rooms that are not there"):
        change(path, "DELETE FROM rooms")
    assert path.read_bytes() == before


def test_a_key_without_a_unique_parent_is_found_before_the_commit(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE pins (title TEXT REFERENCES messages (text))")
    with pytest.raises(MigrationError, match="foreign key mismatch"):
        change(path, "INSERT INTO pins VALUES ('x')")


def test_a_locked_database_is_named_after_the_wait(path: Path) -> None:
    with (
        migration_connection(path),
        pytest.raises(MigrationError, match="in use by another process"),
        migration_connection(path, wait_seconds=0.01),
    ):
        pass


def test_readers_of_a_database_in_wal_mode_go_on(path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM rooms").fetchone() == (1,)
        change(path, "INSERT INTO rooms VALUES (2)")
        assert reader.execute("SELECT count(*) FROM rooms").fetchone() == (1,)
        assert recorded_revisions(path) == {"core": "core_0001"}
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM rooms").fetchone() == (2,)


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="cannot be read: Is a directory"):
        look(tmp_path)
    with pytest.raises(MigrationError, match="unable to open database file"):
        look(tmp_path / "missing" / "anonchat.db")


def test_recorded_revisions_creates_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%20name.db"
    assert recorded_revisions(path) == {}
    assert not path.exists()
    change(path, "CREATE TABLE schema_version_core AS SELECT 'core_0001' AS version_num")
    assert recorded_revisions(path) == {"core": "core_0001"}
