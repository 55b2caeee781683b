"""Two nodes on one Postgres decide together: names, places, votes, repetitions, the order of a room.

They share no bus here, so that nothing but the database can have decided.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from anonchat.app import Server
from anonchat.delivery.journal import Transaction
from anonchat.errors import ChatError
from anonchat.models import Draft, Receipt
from anonchat.store.rooms import LOCK_ROOM, LOCK_ROOMS
from anonchat.store.sessions import UPDATE_HOLD
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


@pytest.mark.gen_test
async def test_one_name_has_one_winner(nodes: Nodes) -> None:
    assert codes(await nodes.joins(["Scope"] * 32)) == {"": 1, "username_taken": 31}


@pytest.mark.gen_test
async def test_a_room_never_has_one_too_many(nodes: Nodes) -> None:
    await nodes.open(maxParticipants=20)
    answers = codes(await nodes.joins([f"Person {number}" for number in range(40)]))
    assert answers == {"": 20, "room_full": 20}


@pytest.mark.gen_test
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


@pytest.mark.gen_test
async def test_a_send_that_is_repeated_elsewhere_is_one_message(nodes: Nodes) -> None:
    await repeat_sends(nodes)


@pytest.mark.gen_test
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


@pytest.mark.gen_test
async def test_nodes_agree_on_the_epoch(nodes: Nodes) -> None:
    assert nodes.servers[0].epoch == nodes.servers[1].epoch


@pytest.mark.gen_test
@pytest.mark.parametrize("ended", [0, 1])
async def test_a_session_that_comes_back_while_it_is_to_end_stays(nodes: Nodes, ended: int) -> None:
    """The control: unless it comes back, it does end."""
    one, other = nodes.servers
    session_id = (await nodes.rooms[0].join("Alice")).body["sessionId"]
    run_sql(nodes.folder, "UPDATE sessions SET expires_at = 1")

    async def come_back(tx: Transaction) -> None:
        await tx.fetch_one(LOCK_ROOM, {"room": nodes.rooms[0].id})
        hold = {"session": session_id, "until": 1, "expires": 1 if ended else other.clock.now() + 60_000}
        await tx.execute(UPDATE_HOLD, hold)
        await tx.fetch_one(text("SELECT pg_sleep(1)"))

    coming = asyncio.ensure_future(other.journal.transaction(come_back, nodes.rooms[0].id))
    await asyncio.sleep(0.3)
    assert await one.sessions.expire() == ended  # waits for the room
    await coming
    assert run_sql(nodes.folder, "SELECT count(*) FROM sessions") == [(1 - ended,)]


@pytest.mark.gen_test
async def test_sends_that_nothing_holds_together_are_noticed(nodes: Nodes) -> None:
    """The control: without the key of receipts, a repetition on another node is a second message."""
    run_sql(nodes.folder, "ALTER TABLE receipts DROP CONSTRAINT receipts_pkey")
    with pytest.raises(AssertionError):
        await repeat_sends(nodes)


# --- what one room waits for is nothing to the others


class Saying:
    """Somebody in each of some rooms, who says something there without a socket."""

    def __init__(self, server: Server, rooms: list[OpenRoom]) -> None:
        self.server = server
        self.rooms = rooms
        self._drafts: list[Draft] = []

    async def join(self) -> None:
        for room in self.rooms:
            session = await self.server.sessions.get((await room.join("Alice")).body["sessionId"])
            assert session is not None
            self._drafts.append(Draft(room.id, session, "", {"type": "text", "text": "Hello"}, None))

    def say(self, place: int, what: str) -> asyncio.Future[Receipt]:
        """Begin to say something in a room."""
        return asyncio.ensure_future(self.server.intake.post(replace(self._drafts[place], client_msg_id=what)))


async def saying(server: Server, rooms: int) -> Saying:
    found = Saying(server, [await open_room(server) for _ in range(rooms)])
    await found.join()
    return found


@asynccontextmanager
async def locked(server: Server, rooms: list[OpenRoom]) -> AsyncIterator[None]:
    """Rooms are locked by a node."""
    taken, free = asyncio.Event(), asyncio.Event()

    async def work(tx: Transaction) -> None:
        await tx.fetch_all(LOCK_ROOMS, {"rooms": sorted(room.id for room in rooms)})
        taken.set()
        await free.wait()

    holding = asyncio.ensure_future(server.journal.transaction(work))
    await taken.wait()
    try:
        yield
    finally:
        free.set()
        await holding


@pytest.mark.gen_test
@pytest.mark.parametrize("count", [1, 6], ids=["one", "more than write side by side"])
async def test_rooms_that_are_locked_delay_only_themselves(nodes: Nodes, count: int) -> None:
    people = await saying(nodes.servers[0], count + 2)
    free = range(count, count + 2)
    async with locked(nodes.servers[1], people.rooms[:count]):
        late = [people.say(place, what) for what in ("first", "second") for place in range(count)]
        for what in ("first", "second", "third"):
            answers = await asyncio.wait_for(asyncio.gather(*(people.say(place, what) for place in free)), 2)
            assert {answer.seq for answer in answers} == {("first", "second", "third").index(what) + 1}
        late += [people.say(place, "third") for place in range(count)]
        assert not any(answer.done() for answer in late)
    assert [answer.seq for answer in await asyncio.gather(*late)] == [1] * count + [2] * count + [3] * count


@pytest.mark.gen_test
async def test_a_room_that_stays_locked_is_told_and_its_sends_can_be_repeated(nodes: Nodes) -> None:
    people = await saying(nodes.servers[0], 2)
    async with locked(nodes.servers[1], people.rooms[:1]):
        late, _ = people.say(0, "late"), await people.say(1, "in time")
        with pytest.raises(ChatError) as refused:
            await late
        assert (refused.value.code, refused.value.retry_after_ms) == ("storage_unavailable", 2_000)
    assert (await people.say(0, "late")).seq == 1


@pytest.mark.gen_test
async def test_work_without_a_room_delays_nothing_that_is_said(nodes: Nodes) -> None:
    server = nodes.servers[0]
    people = await saying(server, 2)
    slow = asyncio.ensure_future(server.journal.transaction(lambda tx: tx.fetch_one(text("SELECT pg_sleep(1.5)"))))
    await asyncio.wait_for(asyncio.gather(people.say(0, "one"), people.say(1, "other")), 1)
    assert not slow.done()
    await slow


@pytest.mark.gen_test
async def test_where_one_send_cannot_be_stored_the_others_are(nodes: Nodes) -> None:
    """Room by room, and in that one's room each by itself."""
    people = await saying(nodes.servers[0], 2)
    run_sql(nodes.folder, "ALTER TABLE receipts ADD CHECK (client_msg_id <> 'bad')")
    sends = [people.say(place, what) for place, what in ((0, "a"), (0, "bad"), (1, "a"), (0, "b"))]
    first, bad, elsewhere, last = await asyncio.gather(*sends, return_exceptions=True)
    assert isinstance(bad, ChatError)
    assert bad.code == "conflict"
    assert [answer.seq for answer in (first, elsewhere, last) if isinstance(answer, Receipt)] == [1, 1, 2]
