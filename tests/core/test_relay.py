"""Events reach the members once and in order, whatever is lost, doubled or late on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from anonchat.app import Server
from anonchat.delivery import active as active_module
from anonchat.delivery.active import ActiveRoom
from anonchat.delivery.hub import Channel, Wire
from anonchat.delivery.journal import Transaction
from anonchat.errors import ChatError
from anonchat.models import Event, Session
from anonchat.people.directory import Directory
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import NewRoom
from anonchat.testing import running_server, settings_in

REPLAY = 10


class Recorder:
    """A wire format and a member in one: it keeps what it is told."""

    closed = False

    def __init__(self, session: Session) -> None:
        self.wire: Wire = self
        self.session = session
        self.told: list[tuple[str, int | None]] = []

    def encode(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        seq: int | None = None,
        id: str | int | None = None,
        packed: bytes | None = None,
    ) -> bytes:
        self.told.append((event, seq))
        return b""

    def channel(self) -> Channel:
        return Channel()

    def enqueue(self, frame: bytes, droppable: bool = False) -> None:
        assert frame == b""

    def close(self, code: int, reason: str = "") -> None:
        self.closed = True

    async def finish(self) -> None:
        return None

    def update(self, session: Session) -> None:
        self.session = session


class Scene:
    """A room with one member, and commits whose publication is held back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kept: list[Event] = []
        server.journal.publish_to(self.keep)

    def keep(self, published: Sequence[Event]) -> None:
        self.kept.extend(published)

    async def begin(self) -> None:
        created = await self.server.rooms.create(NewRoom("Room"))
        applicant = Applicant("Alice", "participant", "network")
        session, _ = await self.server.seats.join(created.room, applicant, created.invite_token)
        self.room_id = created.room.id
        self.member = Recorder(session)
        self.active: ActiveRoom = await self.server.active.open(self.room_id)
        self.server.hub.enter(self.member)
        self.server.hub.add(self.member)

    async def commit(self, count: int) -> list[Event]:
        """Commit durable events; they are not published."""
        before = len(self.kept)

        async def work(tx: Transaction) -> None:
            for number in range(count):
                await tx.append(self.room_id, "room_updated", {"number": number})

        await self.server.journal.transaction(work)
        while len(self.kept) < before + count:
            await asyncio.sleep(0)
        return self.kept[before:]

    async def write(self, text: str) -> Event:
        """Send a message; it is not published."""
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        data = {"text": text, "client_msg_id": text, "reply_to_id": None}
        before = len(self.kept)
        await self.server.intake.send(self.member.session, data, done.set_result)
        await done
        while len(self.kept) == before:
            await asyncio.sleep(0)
        return self.kept[-1]

    def publish(self, *events: Event) -> None:
        self.server.relay.committed(events)

    @property
    def seqs(self) -> list[int | None]:
        return [seq for _, seq in self.member.told]

    async def hears(self, *seqs: int) -> None:
        """Wait until the member has been told exactly these, in this order."""
        async with asyncio.timeout(60):
            while len(self.member.told) < len(seqs):
                await asyncio.sleep(0.01)
        assert self.seqs == list(seqs)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running_server(settings_in(tmp_path, rooms={"replay_events": REPLAY})) as server:
        scene = Scene(server)
        await scene.begin()
        yield scene
        server.hub.remove(scene.member)
        await server.active.close(scene.active)


@pytest.mark.gen_test
async def test_who_is_told_to_be_there_after_the_room_was_closed_here_is_not_remembered(scene: Scene) -> None:
    """Nobody would hear them go."""
    server = scene.server
    Directory(server.relay, server.ephemeral, server.clock, server.presence, 30)
    described = replace(scene.member.session, id="somebody")

    def tell(room_id: str) -> None:
        told = {"node": "another", "session": asdict(replace(described, room_id=room_id))}
        server.relay.received(f"room:{room_id}:messages", orjson.dumps(("presence_here", told)))

    tell(scene.room_id)
    assert set(server.presence.of(scene.room_id).people) == {"somebody"}, "the control"
    tell("a-room-that-was-closed")
    assert server.presence.of("a-room-that-was-closed").people == {}
    assert server.presence.count() == 1


@pytest.mark.gen_test
async def test_who_is_missed_in_a_room_that_was_closed_here_is_not_remembered(scene: Scene) -> None:
    server = scene.server
    directory = Directory(server.relay, server.ephemeral, server.clock, server.presence, 30)
    told = {"node": "another", "session": asdict(replace(scene.member.session, id="somebody"))}
    server.relay.received(f"room:{scene.room_id}:messages", orjson.dumps(("presence_here", told)))
    await directory.beat()
    assert directory._missing, "the control"
    directory.closed(scene.room_id)
    assert not directory._missing


@pytest.mark.gen_test
async def test_order_is_restored(scene: Scene) -> None:
    first, second, third = await scene.commit(3)
    scene.publish(third, first)
    assert scene.seqs == [1]
    scene.publish(second)
    assert scene.seqs == [1, 2, 3]


@pytest.mark.gen_test
async def test_nothing_is_told_twice(scene: Scene) -> None:
    events = await scene.commit(2)
    scene.publish(*events, *events)
    scene.publish(events[0])
    assert scene.seqs == [1, 2]


@pytest.mark.gen_test
async def test_a_gap_is_filled_from_the_database(scene: Scene) -> None:
    *_, last = await scene.commit(4)
    scene.publish(last)
    assert scene.seqs == []
    await scene.hears(1, 2, 3, 4)


@pytest.mark.gen_test
async def test_a_lost_last_event_is_found(scene: Scene) -> None:
    await scene.commit(2)
    await scene.hears(1, 2)  # by the comparison with the database, once a second


@pytest.mark.gen_test
async def test_too_much_lost_is_a_fresh_start(scene: Scene) -> None:
    *_, last = await scene.commit(REPLAY + 2)
    scene.publish(last)
    async with asyncio.timeout(60):
        while not scene.member.told:
            await asyncio.sleep(0.01)
    assert scene.member.told == [("resync", None)]
    (following,) = await scene.commit(1)
    scene.publish(following)
    assert scene.seqs == [None, REPLAY + 3]


@pytest.mark.gen_test
async def test_memory_over_all_rooms_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_module, "REMEMBERED_BYTES", 60)
    for _ in range(4):
        scene.publish(*await scene.commit(4))
        assert scene.active.recent.size <= 60
    assert scene.seqs == list(range(1, 17))
    assert await scene.server.active.since(scene.active, 10) is not None  # from the database


@pytest.mark.gen_test
async def test_events_that_come_while_a_room_is_opened_are_not_lost(scene: Scene) -> None:
    await scene.server.active.close(scene.active)
    opening = asyncio.create_task(scene.server.active.open(scene.room_id))
    await asyncio.sleep(0)
    scene.publish(*await scene.commit(2))
    scene.active = await opening
    assert scene.active.recent.position == 2


@pytest.mark.gen_test
async def test_a_gap_is_not_filled_for_those_who_have_left(scene: Scene) -> None:
    """Somebody who comes while it is read sees the events of the gap once: from their own start."""
    relay, rooms = scene.server.relay, scene.server.active
    *_, last = await scene.commit(3)
    left = scene.active
    scene.publish(last)
    relay.gaps.fill(left)
    filling = left.filling
    assert filling is not None
    await rooms.close(left)
    scene.active = await rooms.open(scene.room_id)
    await filling
    assert (scene.seqs, scene.active.recent.position, left.recent.position) == ([], 3, 0)


@pytest.mark.gen_test
async def test_one_event_that_cannot_be_told_does_not_stop_the_others(scene: Scene) -> None:
    (told,) = await scene.commit(1)
    failing: list[Event] = []

    def listener(event: Event) -> None:
        if event.name == "odd":
            failing.append(event)
            raise ValueError(event.name)

    scene.server.relay.listen(listener)
    scene.publish(Event(scene.room_id, "odd", {}), told)
    assert len(failing) == 1
    assert scene.member.told == [("odd", None), ("room_updated", 1)]


@pytest.mark.gen_test
async def test_the_text_of_a_deleted_message_is_gone_from_memory(scene: Scene) -> None:
    """Also where the message itself was too old to be in memory, and only its edit was."""
    scene.publish(await scene.write("first words"))
    await scene.server.active.close(scene.active)
    for number in range(scene.server.settings.rooms.history_page):
        await scene.write(str(number))
    scene.active = await scene.server.active.open(scene.room_id)
    message_id = str(scene.kept[0].data["id"])
    for act in (
        scene.server.messages.edit(scene.member.session, message_id, "second words"),
        scene.server.messages.delete(scene.member.session, message_id),
    ):
        await act
        await asyncio.sleep(0)
        scene.publish(scene.kept[-1])
    replay = scene.active.recent.since(scene.active.recent.position - 2)
    assert replay is not None
    assert [event["event"] for event in replay.events] == ["gone", "message_deleted"]
    assert "words" not in str(replay)


@pytest.mark.gen_test
async def test_memory_of_removals_is_counted_and_leaves_plugins_events_alone(scene: Scene) -> None:
    rooms = scene.server.active

    async def work(tx: Transaction) -> None:
        await tx.append(scene.room_id, "dice.rolled", {"message": "a six", "id": 6})

    scene.publish(await scene.write("forgotten"))
    await scene.server.journal.transaction(work)
    await asyncio.sleep(0)
    scene.publish(scene.kept[-1])
    scene.publish(await scene.write("kept"))
    await scene.server.sessions.leave(scene.member.session, forget=True)
    await asyncio.sleep(0)
    scene.publish(scene.kept[-1])
    await rooms.newest(scene.active)
    replay = scene.active.recent.since(0)
    assert replay is not None
    assert [event["event"] for event in replay.events] == ["gone", "dice.rolled", "gone", "messages_removed"]
    assert rooms._remembered == scene.active.recent.size


@pytest.mark.gen_test
@pytest.mark.parametrize("grace", [0, 60])
async def test_an_end_that_was_not_told_is_found(tmp_path: Path, grace: int) -> None:
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": grace})) as server:
        scene = Scene(server)
        await scene.begin()
        await server.retention.end(scene.room_id, "closing time")
        assert scene.member.told == []
        async with asyncio.timeout(60):
            while not scene.member.closed:
                await asyncio.sleep(0.01)
        assert scene.member.told == [("room_ended", None)]
        server.hub.remove(scene.member)
        await server.active.close(scene.active)


@pytest.mark.gen_test
async def test_a_room_that_becomes_active_during_a_look_has_not_ended(scene: Scene) -> None:
    """Somebody with a bad line comes back during two looks that follow one another."""
    gaps, rooms = scene.server.relay.gaps, scene.server.active
    another = (await scene.server.rooms.create(NewRoom("Another"))).room
    fetch_all = scene.server.journal.fetch_all
    told: list[Event] = []

    class Slow:
        """A storage that takes some time to answer, in which a room becomes active."""

        async def fetch_all(self, *asked: Any) -> Any:
            rows = await fetch_all(*asked)
            self.room = await rooms.open(another.id)
            return rows

        fetch_one = scene.server.journal.fetch_one

    await scene.server.jobs.stop()
    gaps._journal = slow = Slow()  # type: ignore[assignment]
    gaps._tell = told.append
    for _ in range(2):
        await gaps.compare()
        await rooms.close(slow.room)
    assert told == []


@pytest.mark.gen_test
async def test_a_room_that_could_not_be_opened_is_not_listened_to(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []

    async def subscribe(channel: str) -> None:
        listened.append(channel)

    async def unsubscribe(channel: str) -> None:
        listened.remove(channel)

    async def away(_: str) -> None:
        raise ChatError("storage_unavailable")

    another = (await scene.server.rooms.create(NewRoom("Another"))).room
    for name, instead in (("subscribe", subscribe), ("unsubscribe", unsubscribe)):
        monkeypatch.setattr(scene.server.bus, name, instead)
    monkeypatch.setattr(scene.server.active, "read_page", away)
    with pytest.raises(ChatError):
        await scene.server.active.open(another.id)
    assert listened == []
