"""Which tables of a plugin are accepted: those whose rows go with their room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from anonchat.migrate.cascades import check_tables
from anonchat.migrate.revisions import MigrationError
from anonchat_sqlite.migration import migration_connection

pytestmark = pytest.mark.sqlite

CASCADE = "FOREIGN KEY ({}) REFERENCES {} (id) ON DELETE CASCADE"
GOOD = {
    "to rooms": f"room TEXT NOT NULL, {CASCADE.format('room', 'rooms')}",
    "to messages": f"message TEXT NOT NULL, {CASCADE.format('message', 'messages')}",
    "over another table": f"poll TEXT NOT NULL, {CASCADE.format('poll', 'polls')}",
    "one of two": f"room TEXT NOT NULL, room2 TEXT REFERENCES rooms, {CASCADE.format('room', 'rooms')}",
}
BAD = {
    "no key": "room TEXT NOT NULL",
    "no cascade": "room TEXT NOT NULL, FOREIGN KEY (room) REFERENCES rooms (id)",
    "set null": "room TEXT NOT NULL, FOREIGN KEY (room) REFERENCES rooms (id) ON DELETE SET NULL",
    "a cascade that starts at NULL": f"room TEXT, {CASCADE.format('room', 'rooms')}",
    "to a table that stays": f"file TEXT NOT NULL, {CASCADE.format('file', 'files')}",
    "to itself": f"id TEXT PRIMARY KEY NOT NULL, parent TEXT NOT NULL, {CASCADE.format('parent', 'votes')}",
    "behind the column": "room TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE",
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A database with the core's tables and two tables of a plugin, one of which outlives every room."""
    with migration_connection(tmp_path / "anonchat.db") as connection:
        for statement in (
            "CREATE TABLE rooms (id TEXT PRIMARY KEY NOT NULL)",
            "CREATE TABLE messages (id TEXT PRIMARY KEY NOT NULL)",
            f"CREATE TABLE polls (id TEXT PRIMARY KEY NOT NULL, room TEXT NOT NULL, {CASCADE.format('room', 'rooms')})",
            "CREATE TABLE files (id TEXT PRIMARY KEY NOT NULL)",
        ):
            connection.exec_driver_sql(statement)
        yield connection


@pytest.mark.parametrize("columns", GOOD.values(), ids=GOOD)
def test_a_table_whose_rows_go_with_the_room_is_accepted(connection: Connection, columns: str) -> None:
    connection.exec_driver_sql(f"CREATE TABLE votes ({columns})")
    check_tables(connection, "polls", {"polls": ["id"], "votes": []})


@pytest.mark.parametrize("columns", BAD.values(), ids=BAD)
def test_a_table_whose_rows_would_stay_is_refused(connection: Connection, columns: str) -> None:
    connection.exec_driver_sql(f"CREATE TABLE votes ({columns})")
    with pytest.raises(MigrationError, match="The table votes of the plugin polls would outlive its room"):
        check_tables(connection, "polls", {"polls": ["id"], "votes": []})


def test_a_table_that_no_migration_creates_is_refused(connection: Connection) -> None:
    with pytest.raises(MigrationError, match="declares the table votes, but none of its migrations creates it"):
        check_tables(connection, "polls", {"votes": []})


def test_a_column_that_no_migration_creates_is_refused(connection: Connection) -> None:
    with pytest.raises(MigrationError, match="declares the column closes of the table polls, but none of its"):
        check_tables(connection, "polls", {"polls": ["id", "closes"]})


def test_sums_may_outlive_the_rooms(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE votes (name TEXT, hour BIGINT, votes INTEGER, PRIMARY KEY (name, hour))")
    check_tables(connection, "polls", {"polls": ["id"], "votes": []}, sums=["votes"])


def test_sums_that_could_tell_of_somebody_are_refused(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE votes (hour BIGINT PRIMARY KEY, votes INTEGER, last_voter TEXT)")
    with pytest.raises(MigrationError, match=r"votes of the plugin polls is declared as sums.*its column last_voter"):
        check_tables(connection, "polls", {"votes": []}, sums=["votes"])
