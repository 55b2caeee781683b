"""Two nodes on one Postgres decide together: names, places, votes, repetitions, the order of a room.

They share no bus here, so that nothing but the database can have decided.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from anonchat.app import Server
from anonchat.models import Draft
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import VARIABLE, run_sql
from anonchat.testing.people import OpenRoom, Person, Reply, open_room
from anonchat.testing.postgres import PostgresServer

PLUGINS = {"enabled": ("polls",)}


@dataclass
class Nodes:
    """Two servers, and one room as each of them shows it."""

    folder: Path
    servers: tuple[Server, Server]
    rooms: tuple[OpenRoom, OpenRoom]

    async def open(self, **body: object) -> None:
        """Another room."""
        room = await open_room(self.servers[0], **body)  # type: ignore[arg-type]
        self.rooms = (room, replace(room, server=self.servers[1]))

    async def joins(self, names: list[str]) -> list[Reply]:
        """All at once, turn by turn on each node."""
        return await asyncio.gather(*(self.rooms[turn % 2].join(name) for turn, name in enumerate(names)))

    async def everywhere(self, reply: Reply) -> list[Person]:
        """One session with a socket on each node."""
        body = reply.body
        return [await room.identify("", body["sessionId"], body["sessionToken"]) for room in self.rooms]


@pytest.fixture
async def nodes(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Nodes]:
    monkeypatch.setenv(VARIABLE, postgres.url())
    settings = settings_in(tmp_path, plugins=PLUGINS)
    async with running_server(settings) as one, running_server(settings) as other:
        found = Nodes(tmp_path, (one, other), ())  # type: ignore[arg-type]
        await found.open()
        yield found


def codes(replies: list[Reply]) -> Counter[str]:
    """How many answers there are of each kind."""
    return Counter(reply.body["code"] if reply.status >= 400 else "" for reply in replies)


@pytest.mark.gen_test(timeout=30)
async def test_one_name_has_one_winner(nodes: Nodes) -> None:
    assert codes(await nodes.joins(["Scope"] * 32)) == {"": 1, "username_taken": 31}


@pytest.mark.gen_test(timeout=30)
async def test_a_room_never_has_one_too_many(nodes: Nodes) -> None:
    await nodes.open(maxParticipants=20)
    answers = codes(await nodes.joins([f"Person {number}" for number in range(40)]))
    assert answers == {"": 20, "room_full": 20}


@pytest.mark.gen_test(timeout=60)
async def test_one_person_has_one_vote(nodes: Nodes) -> None:
    async with AsyncExitStack() as stack, nodes.rooms[0].enter("Maud", moderator=True) as maud:
        created = await maud.ask("create_poll", {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]})
        voters = []
        for reply in await nodes.joins([f"Voter {number}" for number in range(25)]):
            sockets = await nodes.everywhere(reply)
            for socket in sockets:
                stack.push_async_callback(socket.close)
            voters.append(sockets)
        votes = [
            socket.ask("vote", {"pollId": created.data["pollId"], "optionIds": [str(turn + 1)]})
            for sockets in voters
            for turn, socket in enumerate(sockets)
        ]
        answers = Counter(answer.data.get("code", "") for answer in await asyncio.gather(*votes))
        assert answers == {"": 25, "already_voted": 25}
    assert run_sql(nodes.folder, "SELECT count(*), count(DISTINCT session_id) FROM polls_votes") == [(25, 25)]


async def repeat_sends(nodes: Nodes) -> None:
    """At the same moment on two nodes: one stores it, and the other gives the same answer."""
    reply = await nodes.rooms[0].join("Alice")
    session = await nodes.servers[0].sessions.get(reply.body["sessionId"])
    assert session is not None
    for number in range(20):
        draft = Draft(session.room_id, session, f"send {number}", {"type": "text", "text": "Hello"}, None)
        one, other = await asyncio.gather(*(server.intake.post(draft) for server in nodes.servers))
        assert one == other
        assert one.seq == number + 1


@pytest.mark.gen_test(timeout=30)
async def test_a_send_that_is_repeated_elsewhere_is_one_message(nodes: Nodes) -> None:
    await repeat_sends(nodes)


@pytest.mark.gen_test(timeout=60)
async def test_a_room_has_one_order_without_a_gap(nodes: Nodes) -> None:
    async def write(room: OpenRoom, name: str) -> list[int]:
        async with room.enter(name) as person:
            frames = [await person.send("send_message", {"text": "x", "clientMsgId": f"m{n}"}) for n in range(200)]
            return [(await person.answer(frame)).data["seq"] for frame in frames]

    lists = await asyncio.gather(
        *(write(room, f"{name} {turn}") for name in "ab" for turn, room in enumerate(nodes.rooms))
    )
    assert all(seqs == sorted(seqs) for seqs in lists)
    assert sorted(seq for seqs in lists for seq in seqs) == list(range(1, 801))


@pytest.mark.gen_test(timeout=30)
async def test_nodes_agree_on_the_epoch(nodes: Nodes) -> None:
    assert nodes.servers[0].epoch == nodes.servers[1].epoch


@pytest.mark.gen_test(timeout=30)
async def test_sends_that_nothing_holds_together_are_noticed(nodes: Nodes) -> None:
    """The control: without the key of receipts, a repetition on another node is a second message."""
    run_sql(nodes.folder, "ALTER TABLE receipts DROP CONSTRAINT receipts_pkey")
    with pytest.raises(AssertionError):
        await repeat_sends(nodes)
