"""``anonchat move`` between a real SQLite file and a real Postgres, with people who come back afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from anonchat.cli import main
from anonchat.config import Settings
from anonchat.migrate.copying import CHUNK, Tally
from anonchat.plugins.registry import bundled
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest
from anonchat.testing.databases import EMPTY, VARIABLE, database_in, run_sql
from anonchat.testing.people import OpenRoom, Person, open_room
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment

pytestmark = pytest.mark.sqlite  # it is about both databases at once

MANY = 2 * CHUNK + 1
SAY_MUCH = f"""
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {MANY})
INSERT INTO messages (id, room_id, seq, session_id, username, anonymous_id, role, content, created_at)
SELECT 'old-' || n, room_id, -n, session_id, username, anonymous_id, role, content, created_at
FROM counted, (SELECT * FROM messages ORDER BY seq LIMIT 1)
"""
# Whatever table is made: the text of messages that are put into it is changed on the way.
MEDDLE = """
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN IF NEW.id = 'old-7' THEN NEW.content = NEW.content || ' '; END IF; RETURN NEW; END$$;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS
$$BEGIN IF to_regclass('messages') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'meddle') THEN
EXECUTE 'CREATE TRIGGER meddle BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION meddle()'; END IF; END$$;
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch();
"""
# A plugin, and its table.
THREADS = """
from pathlib import Path
import sqlalchemy as sa
from anonchat import Tables, hookimpl

metadata = sa.MetaData()
sa.Table("threads_posts", metadata, sa.Column("id", sa.Integer, primary_key=True))


class Plugin:
    @hookimpl
    def register_tables(self):
        return Tables(metadata, Path(__file__).parent / "migrations")
"""
THREADS_TABLE = """
import sqlalchemy as sa
from alembic import op

revision = "threads_0001"
down_revision = None


def upgrade():
    op.create_table(
        "threads_posts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("threads_posts.id", ondelete="CASCADE")),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], ondelete="CASCADE"),
    )
"""
STOP_MEDDLING = "DROP EVENT TRIGGER watch; DROP FUNCTION meddle, watch;"


class Ends(NamedTuple):
    """A SQLite file and an empty Postgres database."""

    folder: Path
    file: str
    server: str

    def settings(self, url: str) -> Settings:
        """Of a server on one of them with all bundled plugins."""
        return settings_in(self.folder, storage={"database": url}, plugins={"enabled": bundled()})


@pytest.fixture
def ends(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """In the working folder; the plugins of its configuration are off."""
    (tmp_path / "anonchat.toml").write_text("[plugins]\nenabled = []\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, postgres.url())
    return Ends(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", database_in(tmp_path, EMPTY))


def move(source: str, target: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["move", "--from", source, "--to", target, *options])


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def rows_of(url: str) -> dict[str, list[Any]]:
    """Everything that stands in a SQLite file, by table."""
    with closing(sqlite3.connect(file_of(url))) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in tables}


async def converse(settings: Settings) -> tuple[OpenRoom, Person, int]:
    """Something in as many tables as can be: a room, Bob who goes after the poll, and the position that he has seen."""
    async with running_server(settings) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Maud", moderator=True) as maud, room.enter("Bob") as bob:
            first = await bob.say("Hello", clientMsgId="first")
            await maud.ask("pin_message", {"messageId": first.data["serverMessageId"]})
            poll = (await maud.ask("create_poll", {"question": "Tea?", "options": ["Yes", "No"]})).data["pollId"]
            await bob.ask("vote", {"pollId": poll, "optionId": "1"})
            await maud.say("@Bob, look")
            seen = (await bob.ask("heartbeat")).data["seq"]
            await bob.close()
            await maud.say("you missed this")
    return room, bob, seen


async def come_back(settings: Settings, room: OpenRoom, bob: Person, seen: int) -> tuple[Any, Any]:
    """What Bob is sent when he comes back with his position, and the answer to his first message, sent once more."""
    (identified,) = (heard for heard in bob.welcome if heard.event == "identified")
    async with running_server(settings) as server:
        here = replace(room, server=server)
        again = await here.identify("Bob", bob.session_id, bob.token, since=seen, epoch=identified.data["epoch"])
        try:
            return again.welcome[-1], await again.say("Hello", clientMsgId="first")
        finally:
            await again.close()


@pytest.mark.gen_test
async def test_people_go_on_where_they_were_there_and_back(ends: Ends) -> None:
    room, bob, seen = await converse(ends.settings(ends.file))
    there = await asyncio.to_thread(move, ends.file, ends.server)
    assert there.exit_code == 0, there.output
    replay, repeated = await come_back(ends.settings(ends.server), room, bob, seen)
    assert (replay.event, replay.data["recovered"]) == ("replay", True)
    assert [event["data"]["content"]["text"] for event in replay.data["events"] if event["event"] == "message"] == [
        "you missed this"
    ]
    assert repeated.event == "message_ack"
    assert repeated.data["seq"] == 1, "the receipt has moved, too"
    back = await asyncio.to_thread(move, ends.server, f"sqlite:///{ends.folder / 'b.db'}")
    assert back.exit_code == 0, back.output
    replay, _ = await come_back(ends.settings(f"sqlite:///{ends.folder / 'b.db'}"), room, bob, seen)
    assert replay.data["recovered"]


@pytest.mark.gen_test
async def test_there_and_back_everything_is_the_same_in_many_chunks(ends: Ends) -> None:
    await converse(ends.settings(ends.file))
    with closing(sqlite3.connect(file_of(ends.file))) as connection, connection:
        connection.execute(SAY_MUCH)
    before = rows_of(ends.file)
    filled = [name for name, rows in before.items() if rows]
    assert {
        "meta",
        "receipts",
        "tokens",
        "events",
        "pins_pinned",
        "polls_polls",
        "polls_votes",
        "schema_version_polls",
    } <= {*filled}
    copy = f"sqlite:///{ends.folder / 'b.db'}"
    for source, target in ((ends.file, ends.server), (ends.server, copy)):
        done = await asyncio.to_thread(move, source, target)
        assert done.exit_code == 0, done.output
        assert f"messages: {len(before['messages']):,}" in done.output
    assert rows_of(copy) == before
    assert rows_of(ends.file) == before, "the source is as it was"
    assert file_of(copy).stat().st_mode & 0o777 == 0o600


@pytest.mark.gen_test
async def test_what_is_changed_on_the_way_is_noticed_and_nothing_is_kept(ends: Ends) -> None:
    await converse(ends.settings(ends.file))
    with closing(sqlite3.connect(file_of(ends.file))) as connection, connection:
        connection.execute(SAY_MUCH)
    run_sql(ends.folder, MEDDLE)
    done = await asyncio.to_thread(move, ends.file, ends.server)
    assert done.exit_code == 1
    assert "The rows of the table messages are not the same" in done.output
    assert run_sql(ends.folder, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    run_sql(ends.folder, STOP_MEDDLING)
    assert (await asyncio.to_thread(move, ends.file, ends.server)).exit_code == 0, "the control"


def test_refused_beside_a_running_server_on_either_side(ends: Ends) -> None:
    with ServerProcess(ends.folder, environment(storage={"database": ends.file})):
        done = move(ends.file, ends.server)
        assert (done.exit_code, "A server is running on" in done.output) == (1, True)
    with ServerProcess(ends.folder, environment(storage={"database": ends.server})):
        for source, target in ((ends.file, ends.server), (ends.server, f"sqlite:///{ends.folder / 'b.db'}")):
            done = move(source, target)
            assert (done.exit_code, "A server is running on" in done.output) == (1, True)


def test_refused_are_a_full_target_the_same_kind_and_what_is_no_source(ends: Ends) -> None:
    missing = move(ends.file, ends.server)
    assert (missing.exit_code, "There is no database at" in missing.output) == (1, True)
    with ServerProcess(ends.folder, environment(storage={"database": ends.file})) as server:
        server.stop()
    same = move(ends.file, f"sqlite:///{ends.folder / 'b.db'}")
    assert (same.exit_code, "of the kind 'sqlite'" in same.output) == (1, True)
    done = move(ends.file, ends.server)
    assert (done.exit_code, done.stderr.count("rows copied and compared")) == (0, 1), "most of its tables are empty"
    full = move(ends.file, ends.server)
    assert (full.exit_code, "The target is not empty" in full.output) == (1, True)


def test_tables_that_nobody_knows_are_named_or_left_behind(ends: Ends) -> None:
    with ServerProcess(ends.folder, environment(storage={"database": ends.file})) as server:
        server.stop()
    with closing(sqlite3.connect(file_of(ends.file))) as connection, connection:
        connection.execute("CREATE TABLE schema_version_birds (version_num VARCHAR(32) NOT NULL)")
        connection.execute("CREATE TABLE birds (name TEXT)")
    refused = move(ends.file, ends.server)
    assert (refused.exit_code, "these tables: birds" in refused.output) == (1, True)
    assert move(ends.file, ends.server, "--leave-unknown").exit_code == 0
    assert run_sql(ends.folder, "SELECT to_regclass('birds') IS NULL, to_regclass('rooms') IS NULL") == [(True, False)]


def test_rows_that_refer_to_each_other_and_numbers_that_the_database_gives(ends: Ends) -> None:
    """As in a plugin of one's own: a child may stand before its parent, and new rows go on with the numbers."""
    own = ends.folder / "own" / "threads"
    (own / "migrations").mkdir(parents=True)
    (own / "__init__.py").write_text(THREADS)
    (own / "migrations" / "0001_threads.py").write_text(THREADS_TABLE)
    plugins = {"enabled": ["threads"], "plugins_dir": str(own.parent)}
    (ends.folder / "anonchat.toml").write_text(f"[plugins]\nenabled = []\nplugins_dir = '{own.parent}'\n")
    with ServerProcess(ends.folder, environment(storage={"database": ends.file}, plugins=plugins)) as server:
        room = Rest(server.port).call("POST", "/api/rooms", {"title": "Room"}).body["roomId"]
    with closing(sqlite3.connect(file_of(ends.file))) as connection, connection:
        rows = [(1, 2, room), (2, 3, room), (3, None, room), (4, 4, room)]
        connection.executemany("INSERT INTO threads_posts (id, parent_id, room_id) VALUES (?, ?, ?)", rows)
    circle = move(ends.file, ends.server)
    assert (circle.exit_code, "The table threads_posts has 4 rows in the source and 3" in circle.output) == (1, True)
    with closing(sqlite3.connect(file_of(ends.file))) as connection, connection:
        connection.execute("DELETE FROM threads_posts WHERE id = 4")
    done = move(ends.file, ends.server)
    assert (done.exit_code, "threads_posts: 3" in done.output) == (0, True), done.output
    assert run_sql(ends.folder, f"INSERT INTO threads_posts (room_id) VALUES ('{room}') RETURNING id") == [(4,)]


def test_a_tally_sees_what_order_does_not_change() -> None:
    rows: list[dict[str, Any]] = [{"id": "1", "text": "a"}, {"id": "2", "text": None}, {"id": "3", "text": "None"}]

    def tally(*found: dict[str, Any]) -> Tally:
        made = Tally()
        for row in found:
            made.add(row)
        return made

    assert tally(*rows) == tally(*reversed(rows)) == tally(*(dict(reversed(row.items())) for row in rows))
    assert tally(*rows) != tally(*rows[:2]), "one is missing"
    assert tally(*rows) != tally(rows[0], rows[0], rows[2]), "one stands for another"
    assert tally(*rows) != tally(rows[0], rows[1], {"id": "3", "text": None}), "one is changed"
