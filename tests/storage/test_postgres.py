"""`anonchat_postgres` keeps the contract of a database, and what is its own."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from anonchat.clock import Clock
from anonchat.errors import ChatError, NotYet, StartError
from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Database, Statements
from anonchat.store.tables import metadata
from anonchat.testing import asynchronous
from anonchat.testing.contracts import DatabaseContract
from anonchat.testing.contracts.databases import (
    INSERT,
    SELECT_KEYS,
    SELECT_PAIRS,
    UPDATE,
    count,
    opened,
    row,
    store,
    value_of,
)
from anonchat.testing.databases import EMPTY, VARIABLE, database_in, run_sql
from anonchat.testing.postgres import PostgresServer
from anonchat_postgres import PostgresMaintenance
from anonchat_postgres.connecting import AUTHORITIES, LIMITS, Address, connect


@pytest.fixture(autouse=True)
def _on_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the other tests run on."""
    monkeypatch.setenv(VARIABLE, postgres.url())


LOCK_SECONDS = 3.0

# Postgres answers a full disk with this code; to fill a real one takes the rights to mount one.
FILL = """
CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$;
CREATE TRIGGER is_full BEFORE INSERT ON meta EXECUTE FUNCTION is_full();
"""


def url_in(folder: Path) -> str:
    """Of a database that has no tables at first."""
    return database_in(folder, EMPTY)


class TestContract(DatabaseContract):
    def url(self, folder: Path) -> str:
        self.folder = folder
        return url_in(folder)

    async def fill(self, database: Database) -> None:
        run_sql(self.folder, FILL)

    async def make_room(self, database: Database) -> None:
        run_sql(self.folder, "DROP TRIGGER is_full ON meta")


# --- plans

ROWS = 5_000
ROWS_READ = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'meta'")


@pytest.mark.parametrize(("setting", "is_ours"), [("", True), ("enable_seqscan=on", False)], ids=["ours", "control"])
@asynchronous
async def test_a_plan_that_was_made_for_an_empty_table_reads_little_of_a_full_one(
    tmp_path: Path, setting: str, is_ours: bool
) -> None:
    async def read(tx: Statements) -> tuple[int, int]:
        pairs = [(f"contract.{number}", "") for number in range(3)]
        names = [key for key, _ in pairs]
        found = await tx.fetch_all(SELECT_PAIRS, {"pairs": pairs}), await tx.fetch_all(SELECT_KEYS, {"names": names})
        told = await tx.fetch_one(ROWS_READ)
        assert told is not None
        return sum(map(len, found)), told[0]

    async def fill(tx: Statements) -> None:
        await tx.execute_many(INSERT, [row(number) for number in range(ROWS)])

    url = url_in(tmp_path)
    async with opened(f"{url}{'&' if '?' in url else '?'}{setting}") as database:
        for _ in range(10):  # Postgres keeps a plan from the sixth time on
            assert (await database.transaction(read))[0] == 0
        await database.transaction(fill)
        found, rows = await database.transaction(read)
        assert found == 6
        assert (rows < 100) == is_ours


# --- several nodes


@asynchronous
async def test_nodes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        nodes = [group.create_task(_open_and_close(url_in(tmp_path))) for _ in range(8)]
    assert all(node.done() for node in nodes)
    assert run_sql(tmp_path, "SELECT version_num FROM schema_version_core") == [("core_0001",)]


async def _open_and_close(url: str) -> None:
    async with opened(url):
        """Opening migrates."""


@asynchronous
async def test_what_locks_crosswise_is_run_again(tmp_path: Path) -> None:
    """Two nodes, each with a row that the other wants: Postgres ends one of them, and nobody notices."""
    url = url_in(tmp_path)
    async with opened(url) as one, opened(url) as other:
        await asyncio.gather(store(one, "a", 0), store(one, "b", 0))
        meeting = asyncio.Barrier(2)
        attempts = []

        def crossing(first: str, second: str) -> Any:
            async def work(tx: Statements) -> None:
                attempts.append(first)
                await tx.execute(UPDATE, {"name": f"contract.{first}", "new_value": first + second})
                if len(attempts) <= 2:
                    await meeting.wait()
                await tx.execute(UPDATE, {"name": f"contract.{second}", "new_value": first + second})

            return work

        await asyncio.gather(one.transaction(crossing("a", "b")), other.transaction(crossing("b", "a")))
        assert len(attempts) > 2
        assert await value_of(one, "a") == await value_of(one, "b")


@asynchronous
async def test_rooms_go_side_by_side_and_each_in_its_order(tmp_path: Path) -> None:
    """Work in one room waits for what is done there, and for nothing else."""
    done: list[str] = []
    waiting = asyncio.Event()

    async def slow(tx: Statements) -> None:
        await waiting.wait()

    async with opened(url_in(tmp_path)) as database:

        async def put(room: str, number: int) -> None:
            async def work(tx: Statements) -> None:
                await tx.execute(INSERT, row(f"{room} {number}"))

            await database.transaction(work, lambda: done.append(f"{room} {number}"), room)

        held = database.transaction(slow, None, "held")
        behind = asyncio.ensure_future(put("held", 0))
        await asyncio.gather(*(put("free", number) for number in range(100)))
        await asyncio.sleep(0)
        assert done == [f"free {number}" for number in range(100)]
        waiting.set()
        await asyncio.gather(held, behind)


# --- bad days


@asynchronous
async def test_a_server_that_is_gone_is_told_at_once_and_comes_back(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        server.start()
        async with opened(server.url()) as database:
            await store(database, "before")
            server.kill()
            begun = time.monotonic()
            for act in (store(database, "lost"), value_of(database, "before"), database.check()):
                assert await _code(act) == "storage_unavailable"
            assert time.monotonic() - begun < 1
            server.start()
            await store(database, "after")
            assert await count(database) == 2
    finally:
        server.remove()


@asynchronous
async def test_killed_connections_are_not_noticed(tmp_path: Path) -> None:
    """An idle connection that a server or a firewall has cut costs nobody an error."""
    async with opened(url_in(tmp_path)) as database:
        for number in range(20):
            run_sql(
                tmp_path, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anonchat'"
            )
            await asyncio.gather(*(store(database, f"{number} {part}") for part in range(10)), value_of(database, "x"))
        assert await count(database) == 200


@asynchronous
async def test_a_locked_table_is_waited_for_in_bounded_time(tmp_path: Path) -> None:
    async with opened(url_in(tmp_path)) as database, opened(url_in(tmp_path)) as other:
        locked, released = asyncio.Event(), asyncio.Event()

        async def hold(tx: Statements) -> None:
            await tx.execute(INSERT, row("a"))
            locked.set()
            await released.wait()

        holding = other.transaction(hold)
        await locked.wait()
        begun = time.monotonic()
        assert await _code(store(database, "a")) == "storage_unavailable"
        assert LOCK_SECONDS <= time.monotonic() - begun < LOCK_SECONDS + 2
        await store(database, "b")
        released.set()
        await holding
        assert await count(database) == 2


@asynchronous
async def test_work_that_passes_over_a_failed_statement_is_undone(tmp_path: Path) -> None:
    """Postgres would keep nothing of it, and say nothing either."""

    async def careless(tx: Statements) -> None:
        await tx.execute(INSERT, row("lost"))
        try:
            await tx.execute(INSERT, row("there"))
        except Exception:
            return

    async with opened(url_in(tmp_path)) as database:
        await store(database, "there")
        alone = database.transaction(careless)
        beside = [database.transaction(careless, None, "room"), store(database, "kept", room="room")]
        outcomes = await asyncio.gather(alone, *beside, return_exceptions=True)
        assert [isinstance(outcome, Exception) for outcome in outcomes] == [True, True, False]
        assert await count(database) == 2


async def _code(act: Any) -> str:
    with pytest.raises(ChatError) as refused:
        await act
    return refused.value.code


# --- what cannot be started


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"port": 1}, "cannot be reached"),
        ({"database": "nowhere"}, "is not there"),
        ({"query": "?connections=3"}, "connections=3"),
        ({"query": "?sslmode=require"}, "TLS"),
        ({"query": "?sslmode=verify-full"}, f"by which authority. Add &sslrootcert={AUTHORITIES}"),
        ({"query": "?sslmode=verify_full"}, f"by which authority. Add &sslrootcert={AUTHORITIES}"),
        ({"query": "?sslmode=verify-full&sslrootcert=system"}, "sslrootcert=system, and there is no such file"),
        ({"query": "?pool_size=5"}, 'parameter "pool_size"). Take it out of the URL'),
        ({"query": "?lock_timeout=soon"}, 'parameter "lock_timeout": "soon"). Take it out of the URL, or correct it'),
        ({"query": "?shared_buffers=1GB"}, "without restarting the server). Take it out of the URL"),
    ],
)
def test_what_cannot_be_reached_is_said_in_a_sentence(
    postgres: PostgresServer, change: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = postgres.url(change.get("database", "postgres"), port=change.get("port")) + change.get("query", "")
    with pytest.raises(StartError, match=re.escape(sentence)) as refused:
        asyncio.run(_open_and_close(url))
    assert not isinstance(refused.value, NotYet) or change == {"port": 1}, (
        "what would be refused again is not tried again"
    )
    assert "Traceback" not in str(refused.value)


def test_of_several_servers_the_one_that_takes_writes_is_found(postgres: PostgresServer) -> None:
    right = postgres.url().replace("@", "@127.0.0.1:1,")
    asyncio.run(_connect_and_close(f"{right}?target_session_attrs=read-write"))
    with pytest.raises(StartError):
        asyncio.run(_connect_and_close(f"{right}?target_session_attrs=read-only"))


async def _connect_and_close(url: str) -> None:
    await (await connect(Address.of(url), "test")).close()


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    asyncio.run(_open_and_close(url_in(tmp_path)))
    run_sql(tmp_path, "UPDATE schema_version_core SET version_num = 'core_9999'")
    with pytest.raises(StartError, match="newer version of anonchat"):
        asyncio.run(_open_and_close(url_in(tmp_path)))
    assert run_sql(tmp_path, "SELECT version_num FROM schema_version_core") == [("core_9999",)]


def test_the_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    url_in(tmp_path)
    run_sql(tmp_path, "CREATE TABLE bookmarks (id integer)")
    with pytest.raises(StartError, match=r"belongs to another program .*bookmarks"):
        asyncio.run(_open_and_close(url_in(tmp_path)))
    assert run_sql(tmp_path, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("bookmarks",)]


def test_another_encoding_is_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    run_sql(tmp_path, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(StartError, match="has the encoding SQL_ASCII"):
        asyncio.run(_open_and_close(postgres.url("ascii")))


# --- as every database


def test_the_migrated_schema_is_that_of_the_tables(tmp_path: Path) -> None:
    asyncio.run(_open_and_close(url_in(tmp_path)))

    def differences(connection: Connection) -> list[Any]:
        options: dict[str, Any] = {"include_name": _is_ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    assert PostgresMaintenance(url_in(tmp_path)).read(differences) == []


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not str(name).startswith("schema_version_")


@asynchronous
async def test_what_was_deleted_is_vacuumed(tmp_path: Path) -> None:
    dead = "SELECT pg_stat_force_next_flush(), n_dead_tup FROM pg_stat_user_tables WHERE relname = 'meta'"
    async with opened(url_in(tmp_path)) as database:
        await asyncio.gather(*(store(database, number) for number in range(100)))
        run_sql(tmp_path, "DELETE FROM meta")
        assert run_sql(tmp_path, dead)[0][1] == 100
        await database.erase()
        assert run_sql(tmp_path, dead)[0][1] == 0


def test_what_is_to_be_set_behind_pgbouncer_is_what_a_node_sets() -> None:
    """It passes on none of it."""
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^ +ALTER ROLE anonchat SET (\w+) = (\w+);$", page, re.MULTILINE)) == LIMITS
    (ignored,) = re.findall(r"^ +ignore_startup_parameters = (.+)$", page, re.MULTILINE)
    assert ignored.split(", ") == list(LIMITS)


def test_the_other_name_that_postgres_has_in_urls_is_told_as_ours() -> None:
    with pytest.raises(StartError, match="Did you mean postgresql://"):
        open_backend("database", "postgres://user@here/there", Clock())


def test_an_unknown_role_opens_nothing() -> None:
    with pytest.raises(StartError, match="postgresql"):
        open_backend("bus", "postgresql://here", Clock())
