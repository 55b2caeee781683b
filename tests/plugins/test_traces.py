"""What people bring with them is kept nowhere; what they write is in no log and no metric, and after its deletion nowhere.

Looked at is everything that a server leaves: the rows of all tables; on SQLite the file with its free pages, its
write-ahead log and whatever lies beside it, and a backup made at that moment; Redis where the tests run on it; the log;
the metrics. What Postgres keeps of its own (dead rows until its vacuum, its write-ahead log) is told in docs/privacy.md.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import anonchat_sqlite.database
from anonchat import Message, Metric, PluginContext, hookimpl
from anonchat.app import Server
from anonchat.plugins.registry import bundled
from anonchat.storage.maintenance import maintenance_of
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import BETWEEN_NODES, is_on_postgres, run_sql, tables_in
from anonchat.testing.people import OpenRoom, Person, open_room, request
from anonchat_sqlite import SQLiteDatabase

from .busy_room import MARK, done, everything

pytestmark = pytest.mark.gen_test

BROUGHT = "Quokka"  # stands in everything that a request brings along
ADDRESSES = {"203.0.113.77": "203.0.113.77", "2001:db8:feed:77::9": "2001:db8:feed:77"}  # and what is looked for
TOLD = ("log", "metrics")  # where nothing of people may ever be


def headers_from(address: str) -> dict[str, str]:
    """What a browser behind a proxy sends, and more."""
    return {
        "X-Forwarded-For": address,
        "X-Real-Ip": address,
        "Forwarded": f'for="[{address}]"',
        "User-Agent": f"{BROUGHT}-Browser/7",
        "Referer": f"http://localhost/{BROUGHT}-referrer",
        "Cookie": f"{BROUGHT}=cookie",
        "Accept-Language": f"x-{BROUGHT}",
    }


def settings(folder: Path) -> Any:
    server = {"port": 0, "trusted_proxies": (ip_network("127.0.0.1"),), "operator_token": f"{BROUGHT}-operator-token"}
    return settings_in(folder, server=server, plugins={"enabled": bundled()})


# --- looking


@dataclass
class Search:
    """A running server, its folder, and what it has logged."""

    server: Server
    folder: Path
    entries: list[Any]
    lines: pytest.LogCaptureFixture

    def hits(self, *wanted: str) -> set[str]:
        """The places in which one of the texts stands, in capitals or not."""
        places = {**self._tables(), **self._files(), **self._redis(), **self._told()}
        return {
            place
            for place, content in places.items()
            if any(text.lower().encode() in content.lower() for text in wanted)
        }

    def _tables(self) -> Mapping[str, bytes]:
        return {
            f"table {name}": repr(run_sql(self.folder, f'SELECT * FROM "{name}"')).encode()
            for name in tables_in(self.folder)
        }

    def _files(self) -> Mapping[str, bytes]:
        if is_on_postgres():
            return {}
        backup = self.folder / f"backup-{secrets.token_hex(4)}"
        files = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        maintenance_of(self.server.settings.storage.database).backup(backup, force=False)
        files["backup"] = backup.read_bytes()
        backup.unlink()
        return files

    def _redis(self) -> Mapping[str, bytes]:
        if BETWEEN_NODES not in os.environ:
            return {}
        from redis import Redis

        reading: Mapping[bytes, Callable[[Redis, bytes], Any]] = {
            b"string": lambda redis, key: redis.get(key),
            b"hash": lambda redis, key: redis.hgetall(key),
            b"set": lambda redis, key: redis.smembers(key),
            b"zset": lambda redis, key: redis.zrange(key, 0, -1, withscores=True),
            b"list": lambda redis, key: redis.lrange(key, 0, -1),
        }
        prefix = self.server.settings.storage.ephemeral.partition("prefix=")[2]  # others use the same server
        with Redis.from_url(os.environ[BETWEEN_NODES]) as redis:
            kinds = [(key, redis.type(key)) for key in redis.scan_iter(f"{prefix}*")]
            found = [(key, reading[kind](redis, key)) for key, kind in kinds if kind in reading]
        return {"redis": repr(found).encode()}

    def _told(self) -> Mapping[str, bytes]:
        log = f"{self.entries!r} {self.lines.text} {[record.__dict__ for record in self.lines.records]!r}"
        return {"log": log.encode(), "metrics": self.server.metrics.text()}


Searched = Callable[[Server], Search]


@pytest.fixture
def searched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Searched]:
    """Return a way to look at everything that a server with this folder has left."""
    caplog.set_level(logging.INFO)
    with capture_logs() as entries:
        yield lambda server: Search(server, tmp_path, entries, caplog)


# --- what people bring


async def be_refused(server: Server, room: OpenRoom) -> None:
    """Requests that go wrong, each with something in it that must not be told on."""
    path = f"/api/rooms/{room.id}"
    for method, address, body, token in (
        ("POST", f"{path}/join", {"inviteToken": f"{BROUGHT}-invite", "username": f"{MARK} Hunter"}, None),
        ("POST", f"{path}/join", {f"{MARK}": f"{MARK}"}, None),
        ("GET", f"{path}/messages?{BROUGHT}={MARK}", None, f"{BROUGHT}-token"),
        ("GET", f"/{BROUGHT}/{MARK}", None, None),
        ("GET", "/metrics", None, f"{BROUGHT}-guess"),
    ):
        assert (await request(server, method, address, body, token=token, headers=room.headers)).status >= 400
    person = await room.identify(MARK, "", f"{BROUGHT}-token")
    assert person.welcome[-1].data["code"] == "invalid_token"
    await person.close()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_what_people_bring_is_kept_nowhere(tmp_path: Path, searched: Searched, address: str) -> None:
    headers = headers_from(address)
    async with running_server(settings(tmp_path)) as server:
        search = searched(server)
        await everything(server, headers, f"{BROUGHT}-device")
        room = await open_room(server, deviceId=f"{BROUGHT}-device", fingerprintHash=f"{BROUGHT}-print")
        room = replace(room, headers=headers)
        await be_refused(server, room)
        async with room.enter(f"{MARK} Hunter", deviceId=f"{BROUGHT}-other") as hunter:
            await hunter.say(MARK)
            tokens = (hunter.token, room.invite_token, room.moderator_token)
            assert search.hits(BROUGHT, ADDRESSES[address], *tokens) == set()
        written = search.hits(MARK)
        assert {"table messages", "table sessions"} <= written
        assert written.isdisjoint(TOLD)
        assert is_on_postgres() or {"anonchat.db-wal", "backup"} <= written
    # The control: it did come in, and through the proxy.
    assert server.ingress.saw_unknown_proxy is False


async def test_two_rooms_share_nothing_of_a_person(tmp_path: Path) -> None:
    """The same device, fingerprint and address in two rooms: no value that stands in both tells so."""
    async with running_server(settings(tmp_path)) as server:
        known: dict[str, Any] = {"deviceId": "the same device", "fingerprintHash": "the same fingerprint"}
        shown = []
        for moderator, name in (("Maud", "Eve"), ("Zoe", "Ann")):
            room = await open_room(server, **known)
            async with room.enter(moderator, moderator=True) as maud, room.enter(name, **known) as eve:
                (user,) = [one for one in eve.welcome[2].data["users"] if one["username"] == name]
                await done(maud, "ban", targetSessionId=eve.session_id)
                shown.append({user["sessionId"], user["anonymousId"]})
        assert shown[0].isdisjoint(shown[1])
        stored = [values_of(tmp_path, table) for table in ("sessions", "moderation_bans")]
    for values in stored:
        assert len(values) == 2
        assert values[0] & values[1] == set()
        assert values[0]  # the control: there is something to be compared


def values_of(folder: Path, table: str) -> list[set[str]]:
    """Hashes and marks in a table, for each room."""
    rooms: dict[str, set[str]] = {}
    for room_id, *row in run_sql(folder, f'SELECT room_id, * FROM "{table}"'):
        texts = {str(value) for value in row if isinstance(value, str) and len(value) >= 5}
        rooms.setdefault(room_id, set()).update(texts - {"participant", "moderator"})
    return list(rooms.values())


# --- what people write and delete


@dataclass
class Stage:
    """A room with a moderator and somebody whose words are to be deleted."""

    server: Server
    room: OpenRoom
    clock: SettableClock
    maud: Person
    ann: Person
    message_id: str


async def delete(stage: Stage) -> None:
    await done(stage.ann, "delete_message", messageId=stage.message_id)


async def edit(stage: Stage) -> None:
    await done(stage.ann, "edit_message", messageId=stage.message_id, text="Something else")


async def forget(stage: Stage) -> None:
    await done(stage.ann, "leave", forget=True)


async def purge(stage: Stage) -> None:
    await done(stage.maud, "purge_messages", targetSessionId=stage.ann.session_id)


async def ban(stage: Stage) -> None:
    await done(stage.maud, "ban", targetSessionId=stage.ann.session_id, purgeMessages=True)


async def expire(stage: Stage) -> None:
    stage.clock.advance(120)


async def end(stage: Stage) -> None:
    await stage.server.retention.end(stage.room.id, "test")


WAYS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    way.__name__: way for way in (delete, edit, forget, purge, ban, expire, end)
}


TEXT = "Xenophon crosses the river"


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Ann has written something, and others have used what the plugins do with it."""
    clock = SettableClock()
    async with running_server(settings(folder), clock) as server:
        room = await open_room(server, retentionSeconds=60)
        async with room.enter("Maud", moderator=True) as maud, room.enter("Ann") as ann:
            message_id = str((await ann.say(f"@Maud {TEXT}")).data["serverMessageId"])
            await done(maud, "pin_message", messageId=message_id)
            await done(maud, "report_message", messageId=message_id, reason="A history")
            await done(ann, "send_message", text="Again", clientMsgId="again", replyToId=message_id)
            yield Stage(server, room, clock, maud, ann, message_id)


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_deleted_is_nowhere_after_the_next_run(tmp_path: Path, searched: Searched, way: str) -> None:
    async with staged(tmp_path) as stage:
        search = searched(stage.server)
        before = search.hits(TEXT)
        assert "table messages" in before  # the control: the search finds it
        assert is_on_postgres() or {"anonchat.db-wal", "backup"} <= before
        assert before.isdisjoint(TOLD)
        await WAYS[way](stage)
        await stage.server.dispatcher.settle()
        await stage.server.retention.run()
        assert search.hits(TEXT) == set()
    assert search.hits(TEXT) == set()


@pytest.mark.sqlite
async def test_without_secure_delete_the_free_pages_would_tell(
    tmp_path: Path, searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control: the search reads free pages, and nothing but `secure_delete` empties them."""
    pragmas = [pragma.replace("secure_delete=ON", "secure_delete=OFF") for pragma in anonchat_sqlite.database.PRAGMAS]
    monkeypatch.setattr(anonchat_sqlite.database, "PRAGMAS", pragmas)
    async with staged(tmp_path) as stage:
        await end(stage)
        await stage.server.retention.run()
        assert searched(stage.server).hits(TEXT) == {"anonchat.db"}  # and not in a backup


@pytest.mark.sqlite
async def test_without_a_checkpoint_the_log_of_the_database_would_tell(
    tmp_path: Path, searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control: the search reads the write-ahead log, and nothing but the checkpoint empties it."""

    async def leave_it(database: SQLiteDatabase) -> None:
        """Instead of `erase`."""

    monkeypatch.setattr(SQLiteDatabase, "erase", leave_it)
    async with staged(tmp_path) as stage:
        await end(stage)
        await stage.server.retention.run()
        assert searched(stage.server).hits(TEXT) == {"anonchat.db-wal"}


class Gossip:
    """A plugin that does what none may."""

    @hookimpl
    def register_metrics(self) -> list[Metric]:
        return [Metric("heard", "counter", "What was said.", ("text",))]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self._ctx = ctx

    @hookimpl
    async def message_saved(self, message: Message) -> None:
        text = str(message.content["text"])
        self._ctx.log.info("heard", text=text)
        self._ctx.metrics["heard"].labels(text).inc()  # type: ignore[union-attr]
        await self._ctx.ephemeral.put("heard", text.encode(), 60_000)


async def test_a_plugin_that_tells_is_found_out(tmp_path: Path, searched: Searched) -> None:
    """A control: the search reads the log, the metrics, and Redis."""
    async with running_server(settings(tmp_path), plugins={"gossip": Gossip()}) as server:
        room = await open_room(server)
        async with room.enter("Ann") as ann:
            await ann.say(TEXT)
            await server.dispatcher.settle()
        await server.retention.end(room.id, "test")
        assert searched(server).hits(TEXT) == {*TOLD, *(["redis"] if BETWEEN_NODES in os.environ else [])}
