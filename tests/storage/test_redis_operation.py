"""Redis that is killed, silent, or loses a subscription: bounded errors, and healing without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs

from anonchat.app import Server
from anonchat.clock import Clock
from anonchat.errors import ChatError
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.contracts.bus import Ear
from anonchat.testing.lines import Line
from anonchat.testing.nodes import storage_of
from anonchat.testing.people import open_room, request
from anonchat.testing.redis import LOOPBACK, RedisServer
from anonchat_redis import RedisBus, RedisEphemeral

HEALED_SECONDS = 8.0
SILENCE_SECONDS = 2.5  # more than a new connection is waited for


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One that can be killed without harm to others."""
    with RedisServer() as server:
        yield server


@asynccontextmanager
async def node(server: RedisServer) -> AsyncIterator[Ear]:
    ear = Ear(RedisBus(server.url(), Clock()))
    await ear.bus.start(ear.receive)
    try:
        yield ear
    finally:
        await ear.bus.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(HEALED_SECONDS):
        while not await holds():
            await asyncio.sleep(0.02)


async def is_whole(part: RedisBus | RedisEphemeral) -> bool:
    try:
        await part.check()
    except ChatError:
        return False
    return True


async def hears(one: Ear, other: Ear) -> None:
    """What `one` publishes arrives at `other` again, sooner or later: what is lost meanwhile is lost."""
    payload = str(time.monotonic()).encode()

    async def arrived() -> bool:
        one.bus.publish("room:1:messages", payload)
        return payload in [heard for _, heard in other.heard]

    await until(arrived)


@asynchronous
async def test_a_killed_subscription_is_made_anew(server: RedisServer) -> None:
    async with node(server) as one, node(server) as other:
        await other.bus.subscribe("room:1:messages")
        for _ in range(20):
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await hears(one, other)


@asynchronous
async def test_a_deaf_subscription_is_found(server: RedisServer) -> None:
    """The connection stands, and nothing comes: the echo is missing, so another one is made."""
    async with node(server) as one, node(server) as other:
        await other.bus.subscribe("room:1:messages")
        subscription = other.bus._subscription  # type: ignore[attr-defined]
        first = subscription._connection
        await first.send_command("UNSUBSCRIBE")  # from all channels, behind the back of the bus
        await until(lambda: _is_other(subscription, first))
        await hears(one, other)


@asynchronous
async def test_a_server_that_takes_connections_and_never_says_a_word(server: RedisServer) -> None:
    """The way has swallowed what was sent: that connection stays dead, and the next one is made in bounded time."""
    async with Line(server.port) as way:
        ear = Ear(RedisBus(server.url(port=way.port), Clock()))
        ephemeral = RedisEphemeral(server.url(port=way.port), Clock())
        try:
            await way.become(down="dead")
            began = time.monotonic()
            await asyncio.gather(ear.bus.start(ear.receive), ephemeral.start())
            assert time.monotonic() - began < 2 * SILENCE_SECONDS
            await asyncio.sleep(SILENCE_SECONDS)  # others are being made meanwhile
            await way.become()
            await until(lambda: is_whole(ear.bus))  # type: ignore[arg-type]
            await until(lambda: is_whole(ephemeral))
        finally:
            await asyncio.gather(ear.bus.close(), ephemeral.close())


async def _is_other(subscription: object, first: object) -> bool:
    return getattr(subscription, "_connection", None) not in (None, first)


@asynchronous
async def test_a_bus_whose_server_comes_back(server: RedisServer) -> None:
    async with node(server) as one, node(server) as other:
        await other.bus.subscribe("room:1:messages")
        server.kill()
        for ear in (one, other):
            ear.bus.publish("room:1:messages", b"to nobody")
            await until(partial(_is_away, ear.bus))
        await asyncio.wait_for(other.bus.subscribe("room:2:messages"), 0.5)
        server.start()
        await hears(one, other)
        await until(lambda: is_whole(one.bus))  # type: ignore[arg-type]
        one.bus.publish("room:2:messages", b"heard, too")
        await other.until(b"heard, too")


async def _is_away(bus: object) -> bool:
    return not await is_whole(bus)  # type: ignore[arg-type]


@asynchronous
async def test_a_node_starts_without_redis_and_finds_it_later(server: RedisServer) -> None:
    server.kill()
    async with node(server) as ear:
        await asyncio.wait_for(ear.bus.subscribe("room:1:messages"), 0.5)
        assert not await is_whole(ear.bus)  # type: ignore[arg-type]
        server.start()
        await until(lambda: is_whole(ear.bus))  # type: ignore[arg-type]


@asynchronous
async def test_while_redis_is_silent_answers_come_in_bounded_time(server: RedisServer) -> None:
    """One caller waits for a second; from then on nobody does, and limits are counted by the node."""
    ephemeral = RedisEphemeral(server.url(), Clock())
    await ephemeral.start()
    try:
        assert await ephemeral.hit("2/hour", "a") == 0
        server.pause()
        began = time.monotonic()
        with pytest.raises(ChatError, match="storage_unavailable"):
            await ephemeral.get("a")
        assert 0.5 < time.monotonic() - began < 2
        began = time.monotonic()
        waits = [await ephemeral.hit("2/hour", "a") for _ in range(100)]
        assert [wait == 0 for wait in waits].count(True) == 2
        with pytest.raises(ChatError, match="storage_unavailable"):
            await ephemeral.put("a", b"x", 1_000)
        assert time.monotonic() - began < 0.5
        server.resume()
        await until(lambda: is_whole(ephemeral))
        assert [await ephemeral.hit("2/hour", "a") == 0 for _ in range(2)] == [True, False]
    finally:
        server.resume()
        await ephemeral.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_connections_that_are_reset_are_made_anew(server: RedisServer, run: Callable[..., None]) -> None:
    """Event loops say it each in their own way."""

    async def reset_often() -> None:
        async with Line(server.port) as way:
            url = server.url(port=way.port)
            one, other, ephemeral = (
                Ear(RedisBus(url, Clock())),
                Ear(RedisBus(url, Clock())),
                RedisEphemeral(url, Clock()),
            )
            await asyncio.gather(one.bus.start(one.receive), other.bus.start(other.receive), ephemeral.start())
            await asyncio.gather(*(ear.bus.subscribe("room:1:messages") for ear in (one, other)))
            for _ in range(5):
                way.reset()
                await until(lambda: is_whole(ephemeral))
                await hears(one, other)
                await hears(other, one)
            await asyncio.gather(one.bus.close(), other.bus.close(), ephemeral.close())

    run(reset_often())


@pytest.mark.parametrize("is_killed", [True, False])
@asynchronous
async def test_a_failover_is_followed(tmp_path: Path, is_killed: bool) -> None:
    """The master dies, or hands over and goes on as a replica: both nodes are at the new one without a restart."""
    with (
        RedisServer("--repl-diskless-sync-delay", "0") as master,
        RedisServer("--replicaof", LOOPBACK, str(master.port)) as replica,
    ):
        while b"state=online" not in master.ask("INFO", "replication"):
            await asyncio.sleep(0.05)
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor chat {LOOPBACK} {master.port} 1\nsentinel down-after-milliseconds chat 500\n"
            "sentinel failover-timeout chat 5000\n"
        )
        with RedisServer(sentinel=configuration) as sentinel:
            url = f"redis+sentinel://{LOOPBACK}:{sentinel.port}/chat/0"
            while str(replica.port).encode() not in sentinel.ask("SENTINEL", "REPLICAS", "chat"):
                await asyncio.sleep(0.05)
            one, other, ephemeral = (
                Ear(RedisBus(url, Clock())),
                Ear(RedisBus(url, Clock())),
                RedisEphemeral(url, Clock()),
            )
            await asyncio.gather(one.bus.start(one.receive), other.bus.start(other.receive), ephemeral.start())
            try:
                await other.bus.subscribe("room:1:messages")
                await hears(one, other)
                if is_killed:
                    master.kill()
                while not is_killed and not sentinel.ask("SENTINEL", "FAILOVER", "chat").startswith(b"+OK"):
                    await asyncio.sleep(0.05)  # it has to see first that the replica is well
                while not is_master(replica):
                    await asyncio.sleep(0.05)
                await until(lambda: is_written(ephemeral))
                await hears(one, other)
                await until(lambda: is_whole(one.bus))  # type: ignore[arg-type]
            finally:
                await asyncio.gather(one.bus.close(), other.bus.close(), ephemeral.close())


def is_master(server: RedisServer) -> bool:
    """Whether a server was promoted. A Sentinel that does so ends all its connections, perhaps the one that asks."""
    try:
        return server.ask("ROLE").startswith(b"*3\r\n$6\r\nmaster")
    except ConnectionError:
        return False


async def is_written(ephemeral: RedisEphemeral) -> bool:
    """Whether something can be stored, which a replica refuses."""
    try:
        return await ephemeral.put("a", b"b", 1_000)
    except ChatError:
        return False


@asynchronous
async def test_a_redis_that_is_full_is_as_one_that_is_away(server: RedisServer, tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path,
        storage=storage_of(server, tmp_path),
        limits={"requests_per_network": "1000/minute", "messages_per_session": "100/second"},
    )
    async with running_server(settings) as running:
        room = await open_room(running)
        async with room.enter("Alice") as alice:
            server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
            server.ask("CONFIG", "SET", "maxmemory", "1mb")
            assert (await alice.say("it is full")).event == "message_ack"
            assert (await request(running, "GET", "/health")).status == 200
            assert (await room.join("Bob")).status == 201
            await until(partial(_is_status, running, "degraded"))
            assert b'anonchat_dependency_up{name="ephemeral"} 0.0' in running.metrics.text()
            server.ask("CONFIG", "SET", "maxmemory", "0")
            await until(partial(_is_status, running, "ok"))


async def _is_status(running: Server, status: str) -> bool:
    told: str = (await request(running, "GET", "/health/ready")).body["status"]
    return told == status


def _connections(server: RedisServer) -> int:
    """How many it has taken since it started."""
    return int(server.ask("INFO", "stats").partition(b"total_connections_received:")[2].partition(b"\r")[0])


@asynchronous
async def test_a_master_that_was_demoted_is_not_flooded_with_connections(server: RedisServer) -> None:
    ephemeral = RedisEphemeral(server.url(), Clock())
    await ephemeral.start()
    try:
        server.ask("REPLICAOF", LOOPBACK, "1")
        before = _connections(server)
        until_then = time.monotonic() + 2
        while time.monotonic() < until_then:
            assert await ephemeral.hit("1000/second", "key") == 0
            await asyncio.sleep(0.005)
        assert _connections(server) - before < 12
        server.ask("REPLICAOF", "NO", "ONE")
        await until(lambda: is_whole(ephemeral))
    finally:
        await ephemeral.close()


@asynchronous
async def test_a_user_who_may_not_subscribe_does_not_try_without_a_pause(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "deaf", "on", ">secret", "+@all", "~*", "resetchannels")
    bus = RedisBus(server.url(login="deaf:secret@"), Clock())
    before = _connections(server)
    with capture_logs() as log:
        await bus.start(lambda channel, payload: None)
        await bus.subscribe("room:1:messages")
        await asyncio.sleep(2)
    await bus.close()
    assert _connections(server) - before < 12
    assert "warning" in {line["log_level"] for line in log if line["event"] == "the subscription is made anew"}
