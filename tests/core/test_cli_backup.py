"""``anonchat backup`` and ``anonchat restore`` with real files."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anonchat.app import Server
from anonchat.cli import main
from anonchat.models import Receipt
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import NewRoom
from anonchat.testing import settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.processes import ServerProcess

pytestmark = pytest.mark.sqlite

MARKER = "zebra-crossing"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the commands, in which `anonchat.db` is the database."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def _say(folder: Path, *titles: str, age_seconds: float = 0, end: bool = False) -> list[str]:
    """In each of some new rooms somebody says the marker; the ids of the rooms. With `end` they end after that."""

    async def work() -> list[str]:
        clock = SettableClock(round(time.time() * 1_000 - age_seconds * 1_000))
        server = Server(settings_in(folder), clock)
        await server.open()
        try:
            return [await _say_in(server, title, end) for title in titles]
        finally:
            await server.close()

    return asyncio.run(work())


async def _say_in(server: Server, title: str, end: bool) -> str:
    created = await server.rooms.create(NewRoom(title))
    applicant = Applicant("Alice", "participant", "network", None, None, None)
    session, _ = await server.seats.join(created.room, applicant, created.invite_token)
    sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    data = {"text": f"{MARKER} {title}", "client_msg_id": "1", "reply_to_id": None}
    await server.intake.send(session, data, sent.set_result)
    assert isinstance(await sent, Receipt)
    if end:
        await server.retention.end(created.room.id, "ended")
    return created.room.id


def _texts(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {content for (content,) in connection.execute("SELECT content FROM messages")}


def _epoch(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])


def test_a_backup_of_a_running_server(folder: Path) -> None:
    _say(folder, "Lunch")
    with ServerProcess(folder):
        done = _run("backup", "copy.db")
    assert done.exit_code == 0, done.output
    copy = folder / "copy.db"
    assert len(_texts(copy)) == 1
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_backup_never_overwrites_by_accident(folder: Path) -> None:
    _say(folder, "Lunch")
    (folder / "copy.db").write_text("precious")
    done = _run("backup", "copy.db")
    assert (done.exit_code, "--force" in done.output) == (1, True)
    assert (folder / "copy.db").read_text() == "precious"
    assert _run("backup", "copy.db", "--force").exit_code == 0
    assert len(_texts(folder / "copy.db")) == 1


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_a_backup_never_takes_the_place_of_the_database(folder: Path, suffix: str) -> None:
    _say(folder, "Lunch")
    with ServerProcess(folder) as server:
        done = _run("backup", f"anonchat.db{suffix}", "--force")
        assert (done.exit_code, "the database itself" in done.output) == (1, True)
        assert server.stop() == 0
    assert len(_texts(folder / "anonchat.db")) == 1


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("restore", "large.db", "--force")])
def test_who_is_told_to_end_leaves_no_copy_behind(folder: Path, command: tuple[str, ...]) -> None:
    _say(folder, "Lunch")
    with closing(sqlite3.connect(folder / "anonchat.db")) as connection:
        connection.execute("CREATE TABLE filler (content BLOB)")
        connection.executemany("INSERT INTO filler VALUES (zeroblob(1000000))", [()] * 100)
        connection.commit()
    if command[0] == "restore":
        shutil.copy(folder / "anonchat.db", folder / "large.db")
    before = {path.name for path in folder.iterdir()}
    process = subprocess.Popen([sys.executable, "-m", "anonchat", *command], cwd=folder, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not any(folder.glob(".*.db-*/*")) and time.monotonic() < until:
        time.sleep(0.001)
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode in (1, 143), "it was ended in the midst of it"
    new = {path.name for path in folder.iterdir()} - before
    assert {name for name in new if name.startswith((".", "copy"))} == set()


@pytest.mark.parametrize("target", ["missing/copy.db", "copy.db"])
def test_a_backup_that_fails_leaves_nothing(folder: Path, target: str) -> None:
    if target == "missing/copy.db":
        _say(folder, "Lunch")
    done = _run("backup", target)
    assert (done.exit_code, done.output[:10]) == (1, "anonchat: ")
    assert ("right folder" in done.output, "--config" in done.output) == (target == "copy.db",) * 2
    assert {path.name for path in folder.iterdir() if not path.name.startswith("anonchat.db")} == set()


def test_what_was_deleted_is_not_in_a_backup(folder: Path) -> None:
    _say(folder, "Lunch")
    path = folder / "anonchat.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM messages")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert MARKER.encode() in path.read_bytes(), "the free space of the database must hold it, or this proves nothing"
    assert _run("backup", "copy.db").exit_code == 0
    assert MARKER.encode() not in (folder / "copy.db").read_bytes()


def test_restore_brings_back_and_keeps_the_replaced_database(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    _say(folder, "Supper")
    epoch = _epoch(folder / "anonchat.db")
    done = _run("restore", "copy.db")
    assert done.exit_code == 0, done.output
    assert "The replaced database is kept as anonchat.db.before-restore." in done.output
    assert len(_texts(folder / "anonchat.db")) == 1
    assert len(_texts(folder / "anonchat.db.before-restore")) == 2
    assert _epoch(folder / "anonchat.db") != epoch
    assert (folder / "anonchat.db").stat().st_mode & 0o777 == 0o600
    again = _run("restore", "copy.db")
    assert (again.exit_code, "before-restore" in again.output) == (1, True)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_restore_with_force_keeps_nothing(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    done = _run("restore", "copy.db", "--force")
    assert (done.exit_code, "replaced" in done.output) == (0, False)
    assert not list(folder.glob("*.before-restore*"))


def test_restore_with_force_keeps_nothing_of_an_earlier_one_either(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    assert _run("restore", "copy.db").exit_code == 0
    kept = folder / "anonchat.db.before-restore"
    undo = _run("restore", str(kept))
    assert (undo.exit_code, "Move it away" in undo.output) == (1, True)
    assert _run("restore", str(kept), "--force").exit_code == 0
    assert kept.exists()
    assert _run("restore", "copy.db", "--force").exit_code == 0
    assert not kept.exists()


def test_restore_to_an_empty_place_serves_at_once(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    (folder / "anonchat.db").unlink()
    done = _run("restore", "copy.db")
    assert (done.exit_code, "replaced" in done.output) == (0, False)
    with ServerProcess(folder) as server:
        assert server.stop() == 0
    assert len(_texts(folder / "anonchat.db")) == 1


def test_restore_removes_what_is_over_before_anybody_can_see_it(folder: Path) -> None:
    (ended,) = _say(folder, "Ended later")
    _say(folder, "Long over", age_seconds=90_000)
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    assert len(_texts(folder / "copy.db")) == 3
    _end(folder, ended)
    done = _run("restore", "copy.db", "--force")
    assert done.exit_code == 0, done.output
    assert "rooms removed because their time has passed: 2" in done.output
    (text,) = _texts(folder / "anonchat.db")
    assert "Lunch" in text
    database = b"".join(path.read_bytes() for path in folder.glob("anonchat.db*"))
    assert b"Lunch" in database
    assert b"Long over" not in database
    assert b"Ended later" not in database


def test_restore_prolongs_no_grace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was purged is purged at once, and what waits for it is purged when it would have been."""
    monkeypatch.setenv("ANONCHAT_ROOMS__PURGE_GRACE_SECONDS", "3600")
    purged, waiting = _say(folder, "Purged", "Waiting")
    _run("backup", "copy.db")
    _end(folder, purged)
    _end(folder, waiting, ago=1_800, grace=3_600)
    (before,) = _purge_times(folder)
    done = _run("restore", "copy.db", "--force")
    assert done.exit_code == 0, done.output
    (text,) = _texts(folder / "anonchat.db")
    assert "Waiting" in text
    assert _purge_times(folder) == [before]


def _purge_times(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "anonchat.db")) as connection:
        return [purge_at for (purge_at,) in connection.execute("SELECT purge_at FROM rooms")]


def _end(folder: Path, room: str, *, ago: float = 0, grace: int = 0) -> None:
    async def work() -> None:
        settings = settings_in(folder, rooms={"purge_grace_seconds": grace})
        server = Server(settings, SettableClock(round((time.time() - ago) * 1_000)))
        await server.open()
        await server.retention.end(room, "ended")
        await server.close()

    asyncio.run(work())


def test_restore_refuses_beside_a_running_server(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    with ServerProcess(folder):
        done = _run("restore", "copy.db")
    assert (done.exit_code, "running" in done.output) == (1, True)


def _spoilt(folder: Path) -> Iterator[Path]:
    foreign = folder / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
    yield foreign
    text = folder / "letter.txt"
    text.write_text("Dear Alice, this is not a database at all.\n" * 20)
    yield text
    cut = folder / "cut.db"
    cut.write_bytes((folder / "copy.db").read_bytes()[:-8_192])
    yield cut
    yield folder / "missing.db"


def test_restore_refuses_what_is_no_backup_and_changes_nothing(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    before = (folder / "anonchat.db").read_bytes()
    for backup in _spoilt(folder):
        done = _run("restore", str(backup))
        assert (done.exit_code, done.output[:10]) == (1, "anonchat: "), backup
        assert (folder / "anonchat.db").read_bytes() == before
        assert not list(folder.glob("*.before-restore"))


def test_restore_takes_the_place_of_a_damaged_database(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    (folder / "anonchat.db").write_bytes(b"broken" * 1_000)
    (folder / "anonchat.db-wal").write_bytes(b"broken" * 1_000)
    assert _run("restore", "copy.db").exit_code == 0
    assert len(_texts(folder / "anonchat.db")) == 1
    assert (folder / "anonchat.db.before-restore").read_bytes().startswith(b"broken")


def test_a_newer_backup_is_refused(folder: Path) -> None:
    _say(folder, "Lunch")
    _run("backup", "copy.db")
    with closing(sqlite3.connect(folder / "copy.db")) as connection:
        connection.execute("UPDATE schema_version_core SET version_num = 'core_9999'")
        connection.commit()
    done = _run("restore", "copy.db")
    assert (done.exit_code, "newer" in done.output) == (1, True)
    assert not list(folder.glob("*.before-restore"))


def test_settings_decide_where_the_database_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder / "other"
    other.mkdir()
    _say(other, "Lunch")
    settings = settings_in(other)
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", settings.storage.database)
    assert _run("backup", "copy.db").exit_code == 0
    assert len(_texts(folder / "copy.db")) == 1
