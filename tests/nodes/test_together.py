"""What is decided on one node holds on all, and concurrent attempts never pass a check together (S1, S2).

Nodes are processes; people are this process, on the package `websockets`.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from anonchat.testing.clients import Socket, connected
from anonchat.testing.databases import run_sql
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

from .cluster import Cluster, cluster

ACTS_SECONDS = 1.0
JOB_SECONDS = 12.0  # a lease of the job and a run, on a busy machine; without it, a minute


@asynccontextmanager
async def sockets_of(found: Cluster, token: str) -> AsyncIterator[list[Socket]]:
    """A socket of one session on each node, identified."""
    async with AsyncExitStack() as stack:
        sockets = []
        for node in found.nodes:
            socket = await stack.enter_async_context(connected(node.process.port))
            await socket.send("identify", {"token": token})
            await socket.until("history_chunk")
            sockets.append(socket)
        yield sockets


# --- what is decided


class Scene(NamedTuple):
    """Maud, who moderates, and Bob; each has a socket on each node."""

    found: Cluster
    maud: list[Socket]
    bob: list[Socket]
    target: dict[str, Any]


Act = Callable[[Scene], Awaitable[float]]
"""Does something; returns the moment from which on it has to hold (`time.monotonic`)."""


def event(name: str, **data: Any) -> Act:
    async def act(scene: Scene) -> float:
        began = time.monotonic()
        answer = await scene.maud[0].ask(name, data if name == "end_room" else {**scene.target, **data})
        assert answer["event"] != "error", answer
        return began

    return act


async def expire(scene: Scene) -> float:
    """The room's time runs out in a moment."""
    moment = round(time.time() * 1_000) + 500
    began = time.monotonic() + 0.5
    run_sql(scene.found.folder, f"UPDATE rooms SET expires_at = {moment} WHERE id = '{scene.found.room}'")
    return began


async def leave(scene: Scene) -> float:
    began = time.monotonic()
    await scene.bob[0].send("leave", {})
    return began


@pytest.mark.gen_test
async def test_sockets_on_all_nodes_end_within_a_second(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    acts = {"kick": (event("kick"), 4403), "ban": (event("ban", durationSeconds=60), 4403), "leave": (leave, 1000)}
    ends = {"end": (event("end_room"), 4410), "expiry": (expire, 4410)}
    async with cluster(2, own_postgres, own_redis, folder, plugins={"enabled": ["moderation"]}) as found:
        for name, (act, code) in (acts | ends).items():
            seconds = [await seconds_until_out(found, act, code)]
            if seconds[0] >= ACTS_SECONDS:  # by a signal that gets lost, or by a machine that has other things to do?
                seconds += [await seconds_until_out(found, act, code) for _ in range(2)]
            assert statistics.median(seconds) < ACTS_SECONDS, (name, seconds)
            if name == "ban":
                assert {(await found.join("Bob", node)).body["code"] for node in (0, 1)} == {"banned"}


async def seconds_until_out(found: Cluster, act: Act, code: int) -> float:
    """How long it takes in a new room until both sockets of Bob are closed."""
    await found.open_room()
    maud, bob = await found.join("Maud", moderator=True), await found.join("Bob", 1)
    async with (
        sockets_of(found, maud.body["sessionToken"]) as own,
        sockets_of(found, bob.body["sessionToken"]) as others,
    ):
        began = await act(Scene(found, own, others, {"targetSessionId": bob.body["sessionId"]}))
        assert [await socket.ended() for socket in others] == [code, code]
        return time.monotonic() - began


@pytest.mark.gen_test
async def test_a_room_ends_in_time_though_the_node_that_saw_to_it_was_killed(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    """Whichever it was: jobs that one node does for all go on at the other long before a lease of presence is over."""
    async with cluster(2, own_postgres, own_redis, folder) as found:
        for survivor, victim in (found.nodes, found.nodes[::-1]):
            await found.open_room()
            alone = Cluster(folder, own_postgres, own_redis, [survivor], found.room, found.tokens)
            alice = await alone.join("Alice")
            async with sockets_of(alone, alice.body["sessionToken"]) as (socket,):
                victim.process.kill()
                began = await expire(Scene(alone, [], [], {}))
                assert await socket.ended() == 4410
                assert time.monotonic() - began < JOB_SECONDS
            await victim.start()


@pytest.mark.gen_test
async def test_a_mute_holds_on_all_nodes_within_a_second(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    async with cluster(2, own_postgres, own_redis, folder, plugins={"enabled": ["moderation"]}) as found:
        maud, bob = await found.join("Maud", moderator=True), await found.join("Bob", 1)
        async with (
            sockets_of(found, maud.body["sessionToken"]) as own,
            sockets_of(found, bob.body["sessionToken"]) as others,
        ):
            target = {"targetSessionId": bob.body["sessionId"], "durationSeconds": 60}
            began = await event("mute", **target)(Scene(found, own, others, target))
            await asyncio.sleep(max(0.0, began + ACTS_SECONDS - time.monotonic()))
            for number, socket in enumerate(others):
                answer = await socket.ask("send_message", {"text": "Hello", "clientMsgId": str(number)})
                assert answer["data"].get("code") == "muted", answer


# --- who comes first


def codes(answers: Sequence[Any]) -> Counter[str]:
    """How many answers there are of each kind."""
    return Counter(reply.body["code"] if reply.status >= 400 else "" for reply in answers)


async def join_all(found: Cluster, names: Sequence[str]) -> list[Any]:
    """All at once, turn by turn on each node."""
    return await asyncio.gather(*(found.join(name, turn % 2) for turn, name in enumerate(names)))


@pytest.mark.gen_test
async def test_concurrent_attempts_on_two_nodes_never_pass_together(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    async with cluster(2, own_postgres, own_redis, folder, plugins={"enabled": ["polls"]}) as found:
        assert codes(await join_all(found, ["Scope"] * 32)) == {"": 1, "username_taken": 31}
        await found.open_room(maxParticipants=10)
        assert codes(await join_all(found, [f"Guest {n}" for n in range(20)])) == {"": 10, "room_full": 10}
        await found.open_room()
        await vote_twice(found, voters=25)
    assert run_sql(folder, "SELECT count(*), count(DISTINCT session_id) FROM polls_votes") == [(25, 25)]


async def vote_twice(found: Cluster, voters: int) -> None:
    """Each votes on both nodes in the same moment: one of the two counts."""
    async with AsyncExitStack() as stack:
        maud = await found.join("Maud", moderator=True)
        (socket, _) = await stack.enter_async_context(sockets_of(found, maud.body["sessionToken"]))
        created = await socket.ask("create_poll", {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]})
        votes = []
        for reply in await join_all(found, [f"Voter {n}" for n in range(voters)]):
            sockets = await stack.enter_async_context(sockets_of(found, reply.body["sessionToken"]))
            for option, one in enumerate(sockets, 1):
                votes.append(one.ask("vote", {"pollId": created["data"]["pollId"], "optionIds": [str(option)]}))
        answers = Counter(answer["data"].get("code", "") for answer in await asyncio.gather(*votes))
    assert answers == {"": voters, "already_voted": voters}


@pytest.mark.gen_test
async def test_names_that_nothing_holds_apart_are_noticed(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    """The control: nodes that look whether a name is free, without the key that decides."""
    async with cluster(2, own_postgres, own_redis, folder, ["hasty_names"]) as found:
        assert codes(await join_all(found, ["Scope"] * 32))[""] > 1
