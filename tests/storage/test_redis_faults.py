"""Redis that is killed, flushed or loses subscriptions: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from anonchat.testing.databases import VARIABLE
from anonchat.testing.nodes import LEASE_SECONDS, Nodes, hear_text, two_nodes, until
from anonchat.testing.people import Person, request
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

MESSAGES = 60


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that can be killed without harm to others."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def nodes(
    postgres: PostgresServer, server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Nodes]:
    monkeypatch.setenv(VARIABLE, postgres.url())
    async with two_nodes(server, tmp_path) as found:
        yield found


async def write(person: Person, prefix: str, count: int, pause: float = 0.0) -> list[int]:
    """Say so much, each acknowledged; returns the numbers."""
    seqs = []
    for number in range(count):
        ack = await person.say(f"{prefix} {number}")
        assert ack.event == "message_ack", ack
        seqs.append(ack.data["seq"])
        await asyncio.sleep(pause)
    return seqs


async def heard_through(person: Person, seq: int) -> list[int]:
    """The numbers of all durable events that a person is told, up to one."""
    seqs: list[int] = []
    while not seqs or seqs[-1] < seq:
        event = await person.read()
        assert event is not None
        if event.seq is not None:
            seqs.append(event.seq)
    return seqs


async def ready(nodes: Nodes, node: int) -> tuple[int, str]:
    reply = await request(nodes.servers[node], "GET", "/health/ready")
    return reply.status, reply.body["status"]


async def until_ready(nodes: Nodes, status: str) -> None:
    async with asyncio.timeout(60):
        while [await ready(nodes, node) for node in (0, 1)] != [(200, status)] * 2:
            await asyncio.sleep(0.1)


def present(nodes: Nodes) -> list[set[str]]:
    """Who is there, as each node sees it."""
    return [
        {session.username for session in server.presence.of(nodes.rooms[0].id).sessions()} for server in nodes.servers
    ]


async def talk_while(nodes: Nodes, server: RedisServer, kills: int, patience: float = 60) -> list[int]:
    """Alice writes on one node while subscriptions are killed; what Bob hears on the other."""
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        writing = asyncio.create_task(write(alice, "x", MESSAGES, 0.02))
        for _ in range(kills):
            await asyncio.sleep(0.06)
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        last = (await writing)[-1]
        return await asyncio.wait_for(heard_through(bob, last), patience)


@pytest.mark.gen_test
async def test_a_subscription_that_is_killed_twenty_times_loses_nothing(nodes: Nodes, server: RedisServer) -> None:
    assert await talk_while(nodes, server, 20) == list(range(1, MESSAGES + 1))


@pytest.mark.gen_test
async def test_without_filling_something_would_be_missing(
    nodes: Nodes, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(nodes.servers[1].relay.gaps, "fill", lambda room: None)
    with pytest.raises(TimeoutError):
        await talk_while(nodes, server, 20, patience=5)


@pytest.mark.gen_test
async def test_while_redis_is_dead_everybody_goes_on(nodes: Nodes, server: RedisServer) -> None:
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        await until(lambda: present(nodes) == [{"Alice", "Bob"}] * 2)
        await until_ready(nodes, "ok")
        server.kill()
        began = time.monotonic()
        last = (await write(alice, "alone", 20))[-1]
        assert time.monotonic() - began < 5  # one wait of a second at most, then none
        assert await asyncio.wait_for(heard_through(bob, last), 3) == list(range(1, last + 1))
        await until_ready(nodes, "degraded")
        async with nodes.rooms[1].enter("Carol") as carol:
            assert (await carol.say("I came while it was away")).event == "message_ack"
            await hear_text(alice, "I came while it was away")
            server.start()
            await until_ready(nodes, "ok")
            await until(lambda: present(nodes) == [{"Alice", "Bob", "Carol"}] * 2)
            began = time.monotonic()
            await bob.say("together again")
            await hear_text(alice, "together again")
            assert time.monotonic() - began < 0.5


@pytest.mark.gen_test
async def test_flushing_redis_changes_nothing_that_people_see(nodes: Nodes, server: RedisServer) -> None:
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        await until(lambda: present(nodes) == [{"Alice", "Bob"}] * 2)
        server.ask("FLUSHALL")
        seen = []
        deadline = time.monotonic() + 1.2 * LEASE_SECONDS
        while time.monotonic() < deadline:
            seen.append(present(nodes) == [{"Alice", "Bob"}] * 2)
            await asyncio.sleep(0.05)
        assert all(seen)
        assert b"presence:" in server.ask("KEYS", "*")  # entered again
        await alice.say("still here")
        await hear_text(bob, "still here")
        again = await nodes.rooms[1].identify("Bob", bob.session_id, bob.token)
        assert again.welcome[-1].event == "history_chunk"
        await again.close()
