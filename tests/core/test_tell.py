"""What is told in a transaction is heard after its commit: then, in its place, once, and by whom it is for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, literal, select

from anonchat import EventSchema, Message, PluginContext, ServerEvent, Transaction, Work, hookimpl
from anonchat.app import Server
from anonchat.delivery.journal import PUBLISHED, Journal
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import OpenRoom, Person, open_room

pytestmark = pytest.mark.gen_test

TOLD, KEPT = "teller.told", "teller.kept"


class Teller:
    """Tells of each message in the transaction that stores it, and fails for one that says so."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, ...]] = []

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent(TOLD, EventSchema()), ServerEvent(KEPT, EventSchema(), durable=True)]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        self.batches.append(tuple(message.content["text"] for message in messages))
        for message in messages:
            if message.content["text"] == "fail":
                raise ValueError(message.id)
            tx.tell(message.room_id, TOLD, {"what": message.content["text"]})


class Racing:
    """A database where everybody loses a race once, so that all work runs again from its start."""

    def __init__(self, database: Any) -> None:
        self._database = database

    async def transaction(
        self,
        work: Work[Any],
        committed: Callable[[], None] | None = None,
        room: str | None = None,
        *,
        first: bool = False,
    ) -> Any:
        async def lost(statements: Any) -> None:
            await work(statements)
            raise LookupError

        with suppress(LookupError):
            await self._database.transaction(lost, committed, room, first=first)
        return await self._database.transaction(work, committed, room, first=first)


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
async def server(tmp_path: Path, teller: Teller) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path), plugins={"teller": teller}) as running:
        yield running


@pytest.fixture
async def room(server: Server) -> OpenRoom:
    return await open_room(server)


@pytest.fixture
async def ann(room: OpenRoom) -> AsyncIterator[Person]:
    async with room.enter("Ann") as person:
        yield person


async def heard(person: Person) -> list[tuple[str, Any]]:
    """(event, what) of the plugin's events up to now."""
    await person.send("heartbeat")
    events = []
    while (frame := await person.read()) is not None and frame.event != "heartbeat_ack":
        if frame.event in (TOLD, KEPT):
            events.append((frame.event, frame.data["what"]))
    return events


_counted = select(literal(1).label("number")).cte(recursive=True)
_counted = _counted.union_all(select(_counted.c.number + 1).where(_counted.c.number < 300_000))
LONG = select(func.count().label("rows")).select_from(_counted)  # some tenths of a second


def telling(room: OpenRoom, what: str, **to: Any) -> Callable[[Transaction], Awaitable[None]]:
    async def work(tx: Transaction) -> None:
        tx.tell(room.id, TOLD, {"what": what}, **to)

    return work


async def test_nothing_is_told_before_the_commit(
    server: Server, room: OpenRoom, ann: Person, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    broadcast = server.relay.broadcast

    def noted(*arguments: Any) -> None:
        order.append("told")
        broadcast(*arguments)

    monkeypatch.setattr(server.relay, "broadcast", noted)

    async def work(tx: Transaction) -> None:
        tx.tell(room.id, TOLD, {"what": "one"})
        order.append("worked")

    await teller.ctx.db.transaction(work)
    order.append("answered")
    assert await heard(ann) == [(TOLD, "one")]
    assert order == ["worked", "answered", "told"]


async def test_it_keeps_its_place_among_durable_events(room: OpenRoom, ann: Person, teller: Teller) -> None:
    async def work(tx: Transaction) -> None:
        for number in range(3):
            tx.tell(room.id, TOLD, {"what": number})
            await tx.append(room.id, KEPT, {"what": number})

    await teller.ctx.db.transaction(work)
    await asyncio.gather(*(teller.ctx.db.transaction(telling(room, what)) for what in ("a", "b")))
    assert await heard(ann) == [
        *((event, number) for number in range(3) for event in (TOLD, KEPT)),
        (TOLD, "a"),
        (TOLD, "b"),
    ]


async def test_what_is_told_is_not_replayed(room: OpenRoom, ann: Person, teller: Teller) -> None:
    await teller.ctx.db.transaction(telling(room, "one"))
    assert await heard(ann) == [(TOLD, "one")]
    again = await room.identify("Ann", ann.session_id, ann.token, since=0)
    assert await heard(again) == []
    await again.close()


async def test_nothing_is_told_of_what_is_undone(room: OpenRoom, ann: Person, teller: Teller) -> None:
    async def work(tx: Transaction) -> None:
        tx.tell(room.id, TOLD, {"what": "undone"})
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await teller.ctx.db.transaction(work)
    await teller.ctx.db.transaction(telling(room, "done"))
    assert await heard(ann) == [(TOLD, "done")]


async def test_it_is_told_once_when_the_work_runs_again(server: Server, room: OpenRoom, ann: Person) -> None:
    journal = Journal(Racing(server.database), server.clock)  # type: ignore[arg-type]
    journal.publish_to(server.relay.committed)
    runs = 0

    async def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.tell(room.id, TOLD, {"what": runs})

    await journal.transaction(work)
    assert await heard(ann) == [(TOLD, 2)]


async def test_of_a_batch_that_falls_apart_only_what_stands_is_told(
    room: OpenRoom, ann: Person, teller: Teller
) -> None:
    session = await teller.ctx.sessions.get(ann.session_id)
    assert session is not None
    texts = ("one", "two", "fail")
    sends = (teller.ctx.messages.send(session, {"type": "text", "text": text}) for text in texts)
    refused = [error for error in await asyncio.gather(*sends, return_exceptions=True) if isinstance(error, Exception)]
    assert [getattr(error, "code", None) for error in refused] == ["plugin_failed"]
    assert teller.batches[0] == texts, "it was one batch, and all but the last was told in it"
    assert sorted(await heard(ann)) == [(TOLD, "one"), (TOLD, "two")]


async def test_who_is_told(room: OpenRoom, ann: Person, teller: Teller) -> None:
    other = await open_room(room.server)
    async with room.enter("Bob", moderator=True) as bob, other.enter("Cid") as cid:
        audiences: dict[str, dict[str, Any]] = {
            "all": {},
            "not Bob": {"skip": bob.session_id},
            "Bob": {"only": {bob.session_id, cid.session_id, "nobody"}},
            "nobody": {"only": ()},
            "moderators": {"moderators": True},
        }

        async def work(tx: Transaction) -> None:
            for what, to in audiences.items():
                tx.tell(room.id, TOLD, {"what": what}, **to)

        await teller.ctx.db.transaction(work)
        assert [what for _, what in await heard(ann)] == ["all", "not Bob"]
        assert [what for _, what in await heard(bob)] == ["all", "Bob", "moderators"]
        assert await heard(cid) == []


async def test_what_was_not_declared_cannot_be_told(room: OpenRoom, ann: Person, teller: Teller) -> None:
    async def work(tx: Transaction) -> None:
        tx.tell(room.id, "message", {"what": "not mine"})

    with pytest.raises(LookupError, match=r"'teller' sends 'message' without having declared it"):
        await teller.ctx.db.transaction(work)


async def test_how_much_a_transaction_tells_is_bounded(room: OpenRoom, teller: Teller) -> None:
    told = 0

    async def work(tx: Transaction) -> None:
        nonlocal told
        while True:
            tx.tell(room.id, TOLD, {"what": told}, only=())
            told += 1

    with pytest.raises(ValueError, match=r"at most 10000 events.*`only`"):
        await teller.ctx.db.transaction(work)
    assert told == PUBLISHED


@pytest.mark.parametrize("is_said", [False, True], ids=["told", "said"])
@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "control"])
async def test_a_read_in_order_is_answered_before_what_is_committed_after_it(
    room: OpenRoom, ann: Person, teller: Teller, in_order: bool, is_said: bool
) -> None:
    """The control: what any other read has found may be older than what was told in the meantime."""
    begun = threading.Event()

    async def read(statements: Any) -> int:
        begun.set()
        row = await statements.fetch_one(LONG)
        return int(row["rows"])

    def answer(rows: int) -> None:
        teller.ctx.rooms.broadcast(room.id, TOLD, {"what": rows})

    async def ask() -> None:
        if in_order:
            await teller.ctx.db.read_in_order(read, room.id, answer)
        else:
            answer(await teller.ctx.db.read(read))

    asking = asyncio.create_task(ask())
    await asyncio.to_thread(begun.wait)
    if is_said:
        await ann.send("send_message", {"text": "later", "clientMsgId": "later"})
    else:
        await teller.ctx.db.transaction(telling(room, "later"), room.id)
    told = [(await ann.hear(TOLD)).data["what"] for _ in range(2)]
    await asking
    assert told == ([300_000, "later"] if in_order else ["later", 300_000])
