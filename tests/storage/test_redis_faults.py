"""Nodes that die, and Redis that is killed, flushed or loses subscriptions: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from anonchat.errors import ChatError
from anonchat.testing.databases import VARIABLE
from anonchat.testing.nodes import LEASE_SECONDS, SESSIONS, Nodes, closed, hear_text, storage_of, two_nodes, until
from anonchat.testing.people import OpenRoom, Person, open_room, request
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment
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
    async with asyncio.timeout(10):
        while [await ready(nodes, node) for node in (0, 1)] != [(200, status)] * 2:
            await asyncio.sleep(0.1)


def present(nodes: Nodes) -> list[set[str]]:
    """Who is there, as each node sees it."""
    return [{session.username for session in server.presence.people(nodes.rooms[0].id)} for server in nodes.servers]


async def talk_while(nodes: Nodes, server: RedisServer, kills: int) -> list[int]:
    """Alice writes on one node while subscriptions are killed; what Bob hears on the other."""
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        writing = asyncio.create_task(write(alice, "x", MESSAGES, 0.02))
        for _ in range(kills):
            await asyncio.sleep(0.06)
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        last = (await writing)[-1]
        return await asyncio.wait_for(heard_through(bob, last), 5)


@pytest.mark.gen_test(timeout=60)
async def test_a_subscription_that_is_killed_twenty_times_loses_nothing(nodes: Nodes, server: RedisServer) -> None:
    assert await talk_while(nodes, server, 20) == list(range(1, MESSAGES + 1))


@pytest.mark.gen_test(timeout=60)
async def test_without_filling_something_would_be_missing(
    nodes: Nodes, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(nodes.servers[1].relay, "_fill", lambda room: None)
    with pytest.raises(TimeoutError):
        await talk_while(nodes, server, 20)


@pytest.mark.gen_test(timeout=60)
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


@pytest.mark.gen_test(timeout=60)
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


@pytest.mark.gen_test(timeout=90)
async def test_a_node_that_is_killed(
    postgres: PostgresServer, server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its people are gone within one lease, and come back on the other node, where nothing is missing."""
    monkeypatch.setenv(VARIABLE, postgres.url())
    variables = environment(storage=storage_of(server, tmp_path), sessions=SESSIONS)
    with ServerProcess(tmp_path, variables) as victim, ServerProcess(tmp_path, variables) as other:
        here = await open_room(victim)  # type: ignore[arg-type]
        there = OpenRoom(other, here.id, here.invite_token, here.moderator_token)  # type: ignore[arg-type]
        async with there.enter("Alice") as alice:
            reply = await here.join("Bob")
            bob = await here.identify("Bob", reply.body["sessionId"], reply.body["sessionToken"])
            while (await alice.hear("presence")).data["event"] != "join":
                pass
            last = (await write(bob, "before", 10))[-1]
            epoch = next(heard for heard in bob.welcome if heard.event == "identified").data["epoch"]
            await write(alice, "before", 5)
            await heard_through(bob, last + 5)
            victim.kill()
            killed = time.monotonic()
            with suppress(ChatError):
                await bob.close()
            after = (await write(alice, "after", 10))[-1]
            told = await alice.hear("presence")
            assert (told.data["event"], told.data["user"]["username"]) == ("leave", "Bob")
            assert time.monotonic() - killed < LEASE_SECONDS
            back = await there.identify("Bob", bob.session_id, bob.token, since=last + 5, epoch=epoch)
            assert back.welcome[-1].event == "replay"
            events = back.welcome[-1].data["events"]
            assert [event["seq"] for event in events] == list(range(last + 6, after + 1))
            assert (await alice.hear("presence")).data["event"] == "join"
            await back.close()


@pytest.mark.gen_test(timeout=90)
async def test_nodes_that_restart_one_after_another(
    postgres: PostgresServer, server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told to go comes back on the other node: nobody has left, and nothing is missing."""
    monkeypatch.setenv(VARIABLE, postgres.url())
    variables = environment(storage=storage_of(server, tmp_path), sessions={"lease_seconds": 20, "grace_seconds": 20})
    with ServerProcess(tmp_path, variables) as one, ServerProcess(tmp_path, variables) as other:
        room = await open_room(one)  # type: ignore[arg-type]
        doors = [OpenRoom(node, room.id, room.invite_token, room.moderator_token) for node in (one, other)]  # type: ignore[arg-type]
        reply = await room.join("Bob")
        bob = await doors[0].identify("Bob", reply.body["sessionId"], reply.body["sessionToken"])
        epoch = next(heard for heard in bob.welcome if heard.event == "identified").data["epoch"]
        position = 0
        for turn, node in enumerate((one, other)):
            async with doors[1 - turn].enter(f"Witness {turn}") as witness:
                stopping = asyncio.create_task(asyncio.to_thread(node.stop))
                assert (await bob.hear("going_away")).data["reconnectAfterMs"] > 0
                assert await closed(bob) == 1001
                last = (await write(witness, "meanwhile", 5))[-1]
                bob = await doors[1 - turn].identify("Bob", bob.session_id, bob.token, since=position, epoch=epoch)
                events = bob.welcome[-1].data["events"]
                assert [event["seq"] for event in events] == list(range(position + 1, last + 1))
                position = last
                assert await stopping == 0
                await asyncio.to_thread(node.start)
                assert (await witness.ask("get_presence")).data["total"] == 2
                assert not [heard for heard in witness._heard if heard.event == "presence"]
        await bob.close()
