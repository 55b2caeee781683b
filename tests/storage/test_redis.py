"""`anonchat_redis` keeps the contracts of a bus and of an ephemeral store, on a real server."""

from __future__ import annotations

import asyncio
import gc
import re
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import DataError, NoPermissionError
from structlog.testing import capture_logs

from anonchat.clock import Clock
from anonchat.errors import ChatError, StartError
from anonchat.rates import Rates
from anonchat.testing import asynchronous
from anonchat.testing.clocks import SettableClock
from anonchat.testing.contracts import EphemeralContract, RateContract, SharedBusContract
from anonchat.testing.contracts.bus import Ear
from anonchat.testing.nodes import until
from anonchat.testing.redis import RedisServer
from anonchat_redis import RedisBus, RedisEphemeral
from anonchat_redis.address import Address


@pytest.fixture(autouse=True)
def _server(redis: RedisServer, request: pytest.FixtureRequest) -> None:
    if request.instance is not None:
        request.instance.server = redis


class TestBus(SharedBusContract):
    server: RedisServer

    def url(self, folder: Path) -> str:
        return self.server.url(f"{folder.name}:")


class TestEphemeral(EphemeralContract, RateContract):
    server: RedisServer

    def url(self, folder: Path) -> str:
        return self.server.url(f"{folder.name}:")

    async def pass_time(self, clock: SettableClock, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynchronous
async def test_rates_are_those_of_memory(redis: RedisServer, tmp_path: Path) -> None:
    """Act by act, with costs, within the milliseconds that the acts themselves take."""
    ephemeral, memory = RedisEphemeral(redis.url(f"{tmp_path.name}:"), Clock()), Rates(Clock())
    await ephemeral.start()
    try:
        for number in range(200):
            rate, cost = ("7/2 hours", "100/day", "3/minute")[number % 3], 1 + number % 4
            ours, theirs = await ephemeral.hit(rate, "a", cost), memory.hit(rate, "a", cost)
            assert abs(ours - theirs) < 100, (rate, cost)
            assert (ours == 0) == (theirs == 0)
    finally:
        await ephemeral.close()


@asynchronous
async def test_scripts_that_were_forgotten_are_sent_again(redis: RedisServer, tmp_path: Path) -> None:
    ephemeral = RedisEphemeral(redis.url(f"{tmp_path.name}:"), Clock())
    await ephemeral.start()
    try:
        assert await ephemeral.hit("1/hour", "a") == 0
        redis.ask("SCRIPT", "FLUSH")
        assert await ephemeral.hit("1/hour", "a") > 0
    finally:
        await ephemeral.close()


@asynchronous
@pytest.mark.parametrize(("key", "value"), [("b", None), ("b", {}), ("b\ud800", b"two")])
async def test_what_cannot_be_written_fails_alone(redis: RedisServer, tmp_path: Path, key: str, value: Any) -> None:
    ephemeral = RedisEphemeral(redis.url(f"{tmp_path.name}:"), Clock())
    await ephemeral.start()
    try:
        async with asyncio.timeout(60):
            good, bad, beside = await asyncio.gather(
                ephemeral.put("a", b"one", 60_000),
                ephemeral.put(key, value, 60_000),
                ephemeral.get("a"),
                return_exceptions=True,
            )
            assert (good, beside, await ephemeral.get("a")) == (True, b"one", b"one")
            assert isinstance(bad, DataError | UnicodeEncodeError)
            await ephemeral.check()
    finally:
        await ephemeral.close()


@asynchronous
async def test_a_line_outlives_what_nobody_has_foreseen(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a failure of the connection, which is made anew."""
    ephemeral = RedisEphemeral(redis.url(f"{tmp_path.name}:"), Clock())
    await ephemeral.start()
    try:
        async with asyncio.timeout(60):
            monkeypatch.setattr(ephemeral._line._connection, "read_response", None)
            with pytest.raises(ChatError, match="cannot reach Redis"):
                await ephemeral.get("a")
            await until(lambda: ephemeral._line.is_open)
            assert await ephemeral.get("a") is None
    finally:
        await ephemeral.close()


def _documented_rights() -> list[str]:
    """What docs/scaling.md gives a user, behind its password."""
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    (rights,) = re.findall(r"^ +user anonchat on >password (.+)$", page, re.MULTILINE)
    return str(rights).split()


def _url_of_user(redis: RedisServer, folder: Path, *rights: str) -> str:
    """As somebody who has these rights alone."""
    assert redis.ask("ACL", "SETUSER", folder.name, "reset", "on", ">password", *rights) == b"+OK\r\n"
    return redis.url(f"anonchat:{folder.name}:", login=f"{folder.name}:password@")


@asynchronous
async def test_the_documented_rights_are_enough(redis: RedisServer, tmp_path: Path) -> None:
    url = _url_of_user(redis, tmp_path, *_documented_rights())
    ear, other, ephemeral = Ear(RedisBus(url, Clock())), Ear(RedisBus(url, Clock())), RedisEphemeral(url, Clock())
    with capture_logs() as log:
        await asyncio.gather(ear.bus.start(ear.receive), other.bus.start(other.receive), ephemeral.start())
        try:
            await ear.bus.subscribe("room:1:messages")
            other.bus.publish("room:1:messages", b"hello")
            await ear.until(b"hello")
            await ear.bus.unsubscribe("room:1:messages")
            assert [await ephemeral.hit("1/hour", "a") == 0 for _ in range(2)] == [True, False]
            await ephemeral.enter("group", {"Alice": b"1", "Bob": b"2"}, 60_000)
            await ephemeral.leave("group", ["Alice"])
            assert await ephemeral.members("group") == {"Bob": b"2"}
            assert await ephemeral.put("a", b"one", 60_000, only_if_absent=True)
            assert await ephemeral.put("a", b"two", 60_000, only_if=b"one")
            assert (await ephemeral.get("a"), await ephemeral.remove("a", only_if=b"two")) == (b"two", True)
            assert not await ephemeral.remove("a")
            await asyncio.gather(ear.bus.check(), ephemeral.check())
        finally:
            await asyncio.gather(ear.bus.close(), other.bus.close(), ephemeral.close())
    assert [line for line in log if line["log_level"] == "warning"] == []


@asynchronous
@pytest.mark.parametrize("command", ["FLUSHALL", "CLIENT KILL TYPE normal", "CONFIG GET save", "KEYS *", "GET other"])
async def test_the_documented_rights_are_no_more(redis: RedisServer, tmp_path: Path, command: str) -> None:
    connection = await Address.of(_url_of_user(redis, tmp_path, *_documented_rights())).connect()
    try:
        await connection.send_command(*command.split())
        with pytest.raises(NoPermissionError):
            await connection.read_response()
    finally:
        await connection.disconnect()


@asynchronous
async def test_a_user_who_may_not_ask_for_the_time_is_noticed(redis: RedisServer, tmp_path: Path) -> None:
    """Who is there and what was done too often would be known to each node alone."""
    ephemeral = RedisEphemeral(_url_of_user(redis, tmp_path, *_documented_rights(), "-time"), Clock())
    await ephemeral.start()
    try:
        with pytest.raises(ChatError, match="cannot reach Redis"):
            await ephemeral.check()
    finally:
        await ephemeral.close()


@asynchronous
async def test_nodes_share_a_limit(redis: RedisServer, tmp_path: Path) -> None:
    """Whoever goes to another node after each hit, or to all at once, gets no more through than on one."""
    nodes = [RedisEphemeral(redis.url(f"{tmp_path.name}:"), Clock()) for _ in range(2)]
    for node in nodes:
        await node.start()
    try:
        waits = await asyncio.gather(*(nodes[number % 2].hit("10/minute", "a") for number in range(50)))
        assert sum(wait == 0 for wait in waits) == 10
        assert all([await node.hit("10/minute", "a") > 0 for node in nodes])
    finally:
        for node in nodes:
            await node.close()


@asynchronous
async def test_password_and_database_of_the_url(tmp_path: Path) -> None:
    with RedisServer("--requirepass", "correct") as server:
        for login in (":wrong@", ""):
            with pytest.raises(StartError, match=f"127.0.0.1:{server.port} refuses this node"):
                await RedisEphemeral(server.url(login=login), Clock()).start()
        with pytest.raises(StartError, match="refuses this node"):
            await RedisBus(f"redis://:correct@127.0.0.1:{server.port}/99", Clock()).start(lambda *_: None)
        first, second = (
            RedisEphemeral(f"redis://:correct@127.0.0.1:{server.port}/{number}", Clock()) for number in (0, 1)
        )
        for store in (first, second):
            await store.start()
        await first.put("a", b"one", 60_000)
        assert (await first.get("a"), await second.get("a")) == (b"one", None)
        for store in (first, second):
            await store.close()


@asynchronous
async def test_a_sentinel_says_where_the_master_is(redis: RedisServer, tmp_path: Path) -> None:
    with RedisServer(sentinel=monitoring(tmp_path / "sentinel.conf", "chat", redis)) as sentinel:
        bus = RedisBus(f"redis+sentinel://127.0.0.1:{sentinel.port}/chat/0?prefix={tmp_path.name}:", Clock())
        await bus.start(lambda *_: None)
        await bus.check()
        await bus.close()


@asynchronous
async def test_a_sentinel_that_is_silent_or_wrong_is_passed_over(redis: RedisServer, tmp_path: Path) -> None:
    with (
        RedisServer() as silent,
        RedisServer() as dead,
        RedisServer(sentinel=monitoring(tmp_path / "other.conf", "another", redis)) as ignorant,
        RedisServer(sentinel=monitoring(tmp_path / "stale.conf", "chat", dead)) as stale,
        RedisServer(sentinel=monitoring(tmp_path / "sentinel.conf", "chat", redis)) as one,
    ):
        silent.pause()
        dead.kill()
        places = ",".join(f"127.0.0.1:{server.port}" for server in (silent, ignorant, stale, one))
        connection = await Address.of(f"redis+sentinel://{places}/chat/0").connect()
        assert (connection.host, connection.port) == ("127.0.0.1", redis.port)
        await connection.disconnect(nowait=True)
        silent.resume()


def monitoring(path: Path, name: str, master: RedisServer) -> Path:
    """The configuration of a Sentinel."""
    path.write_text(f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n")
    return path


@asynchronous
async def test_what_is_cancelled_while_a_sentinel_is_asked_ends_and_is_closed(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Redis-py sends within `asyncio.wait_for` if it has a timeout; that swallowed every second cancellation here."""
    with RedisServer(sentinel=monitoring(tmp_path / "sentinel.conf", "chat", redis)) as sentinel:
        address = Address.of(f"redis+sentinel://127.0.0.1:{sentinel.port}/chat/0")
        for turns in 5 * list(range(50)):
            connecting = asyncio.create_task(address.connect())
            for _ in range(turns):
                await asyncio.sleep(0)
            if not connecting.cancel():
                await (await connecting).disconnect(nowait=True)
                continue
            with pytest.raises(asyncio.CancelledError):
                await connecting
        del connecting
        gc.collect()  # what is open and forgotten is warned of, and a warning is a failure


@pytest.mark.parametrize(
    "url", ["redis://host:port/0", "redis://host/zero", "redis+sentinel://host", "redis://host?socket_timeout=1"]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(StartError, match="Write redis://"):
        Address.of(url)


def test_keys_have_a_prefix_of_their_own() -> None:
    assert Address.of("redis://host").prefix == "anonchat:"
    assert Address.of("redis://host/0?prefix=mine:&ssl_ca_certs=x").prefix == "mine:"
