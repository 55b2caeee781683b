"""A repetition gets the first answer, whatever is in memory and whatever limits and filters say by now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat import ChatError, Draft, Held, Receipt, Rejected, Session, hookimpl
from anonchat.messages import receipts
from anonchat.node import Node
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import NewRoom
from anonchat.store.messages import SELECT_AFTER
from anonchat.testing import settings_in
from anonchat.testing.clocks import SettableClock

pytestmark = pytest.mark.gen_test
THREE_AN_HOUR = "3/hour"


class Filter:
    """Notes which messages it was asked about, and says what it is told to say."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.verdict: Held | Rejected | Exception | None = None

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held | Rejected | None:
        self.asked.append(draft.client_msg_id)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


class House:
    """A database, on which one node after another is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SettableClock()
        self.filter = Filter()

    @asynccontextmanager
    async def node(self, rate: str = "off") -> AsyncIterator[Node]:
        settings = settings_in(self.folder, limits={"messages_per_session": rate})
        node = Node(settings, self.clock, plugins={"filter": self.filter})
        await node.open()
        try:
            yield node
        finally:
            await node.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def enter(node: Node) -> Session:
    room = await node.rooms.create(NewRoom(title="Room"))
    session, _ = await node.seats.join(room.room, Applicant("Alice", "participant", ""), room.invite_token)
    return session


async def answer(node: Node, session: Session, key: str) -> Receipt | ChatError:
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    data = {"text": f"hello {key}", "client_msg_id": key, "reply_to_id": None}
    try:
        await node.intake.send(session, data, answered.set_result)
    except ChatError as error:
        return error
    outcome = await answered
    assert isinstance(outcome, Receipt | ChatError)
    return outcome


async def count(node: Node, session: Session) -> int:
    return len(await node.journal.fetch_all(SELECT_AFTER, {"room": session.room_id, "after": 0, "limit": 99}))


async def test_what_is_in_memory_is_answered_without_asking_anybody(house: House) -> None:
    async with house.node(THREE_AN_HOUR) as node:
        session = await enter(node)
        first = await answer(node, session, "one")
        assert [await answer(node, session, "one") for _ in range(9)] == [first] * 9
        assert house.filter.asked == ["one"]


VERDICTS = {
    "fine": None,
    "rejected": Rejected("message_refused"),
    "held": Held(None, "wait"),
    "coded": ChatError("rate_limited"),
    "failed": RuntimeError("a failure"),
}


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_after_a_restart_the_first_answer_stands(house: House, verdict: str) -> None:
    async with house.node() as node:
        session = await enter(node)
        first = await answer(node, session, "one")
        assert isinstance(first, Receipt)
    house.filter.verdict = VERDICTS[verdict]
    async with house.node() as node:
        assert await answer(node, session, "one") == first
        assert await count(node, session) == 1
        new = await answer(node, session, "two")
        assert isinstance(new, Receipt) == (verdict in ("fine", "held")), "the control: it is in force"


async def test_limits_refuse_what_is_new_and_not_what_is_repeated(house: House) -> None:
    async with house.node(THREE_AN_HOUR) as node:
        session = await enter(node)
        sent = [await answer(node, session, str(number)) for number in range(3)]
    async with house.node(THREE_AN_HOUR) as node:
        for _ in range(3):
            assert [await answer(node, session, str(number)) for number in range(3)] == sent
        refused = await answer(node, session, "new")
        assert isinstance(refused, ChatError)
        assert refused.code == "rate_limited"


async def test_what_is_pushed_out_of_memory_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "RECENT", 3)
    async with house.node() as node:
        session = await enter(node)
        sent = [await answer(node, session, str(number)) for number in range(9)]
        house.filter.verdict = Rejected("message_refused")
        assert [await answer(node, session, str(number)) for number in range(9)] == sent
        assert await count(node, session) == 9


@pytest.mark.parametrize("leap", [receipts.RECENT_MILLISECONDS // 1_000, -5], ids=["later", "a clock that was ahead"])
async def test_what_was_sent_a_while_ago_is_in_memory_no_more(house: House, leap: int) -> None:
    async with house.node() as node:
        session = await enter(node)
        sent = [await answer(node, session, str(number)) for number in range(3)]
        await node.receipts.forget_old()
        assert session.id in repr(node.receipts._recent)
        house.clock.advance(leap)
        young = await enter(node)
        await answer(node, young, "young")
        await node.receipts.forget_old()
        assert [key for key in node.receipts._recent if key[0] == session.id] == []
        assert [key for key in node.receipts._recent if key[0] == young.id] == [(young.id, "young")]
        house.filter.verdict = Rejected("message_refused")
        assert [await answer(node, session, str(number)) for number in range(3)] == sent


async def test_a_held_message_is_answered_as_it_is_by_then(house: House) -> None:
    async with house.node() as node:
        session = await enter(node)
        house.filter.verdict = Held(None, "wait")
        held = await answer(node, session, "one")
        assert isinstance(held, Receipt)
        assert held.seq is None
        assert await answer(node, session, "one") == held
        house.filter.verdict = Rejected("message_refused")
        await node.held.release(session.room_id, held.message_id)
        released = await answer(node, session, "one")
        assert isinstance(released, Receipt)
        assert (released.message_id, released.seq) == (held.message_id, 1)


async def test_a_repetition_of_what_is_held_is_not_remembered_as_held_for_ever(house: House) -> None:
    async with house.node() as node:
        session = await enter(node)
        house.filter.verdict = Held(None, "wait")
        held = await answer(node, session, "one")
        assert isinstance(held, Receipt)
        house.filter.verdict = None  # what would be let through by now is still that message
        assert await answer(node, session, "one") == held
        await node.held.release(session.room_id, held.message_id)
        released = await answer(node, session, "one")
        assert isinstance(released, Receipt)
        assert released.seq == 1


async def test_while_the_storage_is_away_nobody_is_told_that_it_was_refused(house: House) -> None:
    async with house.node() as node:
        session = await enter(node)
        house.filter.verdict = Rejected("message_refused")
        await node.database.close()
        outcome = await answer(node, session, "one")
        assert isinstance(outcome, ChatError)
        assert outcome.code == "storage_unavailable"
