"""`anonchat_sqlite` keeps the contract of a database, and what is its own."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import time
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from anonchat.errors import ChatError
from anonchat.storage.roles import Database, Statements
from anonchat.store.tables import metadata
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.contracts import DatabaseContract
from anonchat.testing.contracts.databases import INSERT, count, opened, row, store
from anonchat.testing.people import open_room
from anonchat_sqlite import SQLiteDatabase

pytestmark = pytest.mark.sqlite
PATIENT_SECONDS = 2.0  # less than retention tries to erase


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'contract.db'}"


class TestContract(DatabaseContract):
    def url(self, folder: Path) -> str:
        return url_in(folder)

    async def fill(self, database: Database) -> None:
        await pragma(database, "max_page_count=1")  # SQLite takes the pages that are there already

    async def make_room(self, database: Database) -> None:
        await pragma(database, "max_page_count=1000000")


async def pragma(database: Database, text: str) -> None:
    assert isinstance(database, SQLiteDatabase)
    assert database._writer is not None
    await database._writer.execute_fetchall(f"PRAGMA {text}")


def test_the_private_names_of_aiosqlite_are_there() -> None:
    """Our hops to the database's thread lean on them; a new version of aiosqlite has to pass here."""
    made = aiosqlite.connect(":memory:")
    assert (made._running, made._connection, made._tx.empty()) == (True, None, True)
    assert list(inspect.signature(aiosqlite.Connection._execute).parameters) == ["self", "fn", "args", "kwargs"]
    assert isinstance(inspect.getattr_static(aiosqlite.Connection, "_conn"), property)


@asynchronous
async def test_work_may_await_only_its_transaction(tmp_path: Path) -> None:
    async def elsewhere(tx: Statements) -> None:
        await tx.execute(INSERT, row("lost"))
        await asyncio.sleep(0)

    async with opened(url_in(tmp_path)) as database:
        for act in (database.transaction(elsewhere), database.read(elsewhere)):
            with pytest.raises((RuntimeError, ChatError)):
                await act
        await store(database, "kept")
        assert await count(database) == 1


@asynchronous
async def test_a_commit_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    """A killed process cannot show this, for the system keeps what was written; a loss of power would."""
    async with opened(url_in(tmp_path)) as database:
        assert isinstance(database, SQLiteDatabase)
        assert database._writer is not None
        told = {}
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete"):
            ((told[name],),) = map(tuple, await database._writer.execute_fetchall(f"PRAGMA {name}"))
        full = 2
        assert told == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "secure_delete": 1}


@asynchronous
async def test_a_thread_that_is_gone_leaves_nobody_waiting(tmp_path: Path) -> None:
    async with opened(url_in(tmp_path)) as database:
        assert isinstance(database, SQLiteDatabase)
        assert database._writer is not None
        await database._writer.close()
        jobs = [asyncio.ensure_future(store(database, number)) for number in range(3)]
        done, waiting = await asyncio.wait(jobs, timeout=60)
        assert not waiting
        assert {_code(job.exception()) for job in done} == {"storage_unavailable"}


@asynchronous
async def test_a_rollback_that_fails_leaves_nobody_waiting(tmp_path: Path) -> None:
    """A disk that fails at the worst moment: the driver raises in the commit and in the rollback, too."""

    async def ruin(tx: Statements) -> None:
        tx._connection.set_authorizer(_refuse_ends)  # type: ignore[attr-defined]

    async with opened(url_in(tmp_path)) as database:
        assert isinstance(database, SQLiteDatabase)
        jobs = [asyncio.ensure_future(database.transaction(ruin)), asyncio.ensure_future(store(database, "a"))]
        done, waiting = await asyncio.wait(jobs, timeout=60)
        assert not waiting
        assert {_code(job.exception()) for job in done} == {"storage_unavailable"}
        assert database._writer is not None
        await database._writer.set_authorizer(None)
        await store(database, "healed")


@asynchronous
async def test_a_locked_file_is_told_by_a_code_also_when_erasing(tmp_path: Path) -> None:
    async with opened(url_in(tmp_path)) as database:
        await pragma(database, "busy_timeout=10")
        other = sqlite3.connect(tmp_path / "contract.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for act in (store(database, "a"), database.erase()):
            with pytest.raises(ChatError) as refused:
                await act
            assert refused.value.code == "storage_unavailable"
        other.close()
        await store(database, "a")
        await database.erase()


def size_of(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.gen_test
async def test_who_reads_for_a_while_puts_erasing_off_by_as_much(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        path = server.settings.storage.database.removeprefix("sqlite:///")
        log = Path(f"{path}-wal")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        async with (await open_room(server)).enter("Alice") as alice:
            retaining = asyncio.ensure_future(server.retention.run())
            slowest = 0.0
            for number in range(20):
                began = time.monotonic()
                await alice.say(str(number))
                slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(0.02)
            assert not retaining.done()
            assert size_of(log) > 0
            other.execute("COMMIT")
            await retaining
            assert slowest < PATIENT_SECONDS
        other.close()


@pytest.mark.gen_test
async def test_who_reads_on_and_on_keeps_no_room_from_ending(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server)
        other = sqlite3.connect(server.settings.storage.database.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        began = time.monotonic()
        await server.retention.end(room.id, "ended")
        assert time.monotonic() - began < PATIENT_SECONDS
        other.close()


@asynchronous
async def test_the_migrated_schema_is_that_of_the_tables(tmp_path: Path) -> None:
    async with opened(url_in(tmp_path)):
        """Opening migrates."""
    engine = create_engine(url_in(tmp_path))
    with engine.connect() as connection:
        options: dict[str, Any] = {"include_name": _is_ours, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not str(name).startswith("schema_version_")


def _refuse_ends(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK


def _code(error: BaseException | None) -> str:
    assert isinstance(error, ChatError), error
    return error.code
