"""A repetition is known as one, whatever is in memory; and most sends are known to be new without a query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat import Draft, Held, Journal, Receipt, Session, hookimpl
from anonchat import receipts as receipts
from anonchat.node import Node
from anonchat.rooms import NewRoom
from anonchat.seats import Applicant
from anonchat.store.messages import SELECT_RECEIPTS
from anonchat.testing import settings_in
from anonchat.testing.clocks import SettableClock

pytestmark = pytest.mark.gen_test(timeout=20)


class Filter:
    """Notes which messages it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.verdict: Held | None = None

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held | None:
        self.asked.append(draft.client_msg_id)
        return self.verdict


class House:
    """A node whose queries for receipts are counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SettableClock()
        self.filter = Filter()
        self.queries = 0

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        node = Node(settings_in(self.folder), self.clock, plugins={"filter": self.filter})
        await node.open()
        self.clock.advance(1)
        self._count(node.messages._receipts._journal)
        try:
            yield node
        finally:
            await node.close()

    def _count(self, journal: Journal) -> None:
        fetch_all = journal.fetch_all

        async def counted(statement: Any, parameters: Any = None) -> Any:
            self.queries += statement is SELECT_RECEIPTS
            return await fetch_all(statement, parameters)

        journal.fetch_all = counted  # type: ignore[method-assign]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def people(node: Node, count: int = 1) -> list[Session]:
    room = await node.rooms.create(NewRoom(title="Room"))
    joins = (
        node.seats.join(room.room, Applicant(f"Person {number}", "participant", ""), room.invite_token)
        for number in range(count)
    )
    return [session for session, _ in await asyncio.gather(*joins)]


async def send(node: Node, session: Session, key: str) -> Receipt:
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    await node.messages.send(session, {"text": "hello", "client_msg_id": key, "reply_to_id": None}, answered.set_result)
    receipt = await answered
    assert isinstance(receipt, Receipt), receipt
    return receipt


async def test_who_came_after_the_start_costs_no_query(house: House) -> None:
    async with house.node() as node:
        (session,) = await people(node)
        first = await send(node, session, "one")
        assert await send(node, session, "one") == first
        await send(node, session, "two")
        assert (house.filter.asked, house.queries) == (["one", "two"], 0)


async def test_after_a_restart_repetitions_are_read(house: House) -> None:
    async with house.node() as node:
        sessions = await people(node, 50)
        before = [await send(node, session, "one") for session in sessions]
    house.filter.asked.clear()
    async with house.node() as node:
        after = await asyncio.gather(*(send(node, session, "one") for session in sessions))
        assert after == before
        assert house.filter.asked == []
        assert 1 <= house.queries <= 3, "a crowd asks together"
        await asyncio.gather(*(send(node, session, "two") for session in sessions))
        assert len(house.filter.asked) == 50


async def test_what_is_pushed_out_of_memory_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "RECENT", 3)
    async with house.node() as node:
        (session,) = await people(node)
        sent = [await send(node, session, str(number)) for number in range(5)]
        house.filter.asked.clear()
        assert [await send(node, session, str(number)) for number in range(5)] == sent
        assert house.filter.asked == []
        assert house.queries > 0


async def test_more_doubts_than_can_be_noted_are_doubts_about_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "RECENT", 1)
    monkeypatch.setattr(receipts, "DOUBTED", 3)
    async with house.node() as node:
        sessions = await people(node, 9)
        sent = [await send(node, session, "one") for session in sessions]
        house.filter.asked.clear()
        assert [await send(node, session, "one") for session in sessions] == sent
        assert house.filter.asked == []
        assert len(node.messages._receipts._doubted) <= 3


async def test_a_held_message_is_read_anew_since_it_changes(house: House) -> None:
    async with house.node() as node:
        (session,) = await people(node)
        house.filter.verdict = Held(None, "wait")
        held = await send(node, session, "one")
        assert held.seq is None
        house.filter.verdict = None
        await node.held.release(session.room_id, held.message_id)
        assert (await send(node, session, "one")).seq == 1
        assert house.filter.asked == ["one"]


async def test_a_read_that_fails_is_told_to_all_who_wait(house: House) -> None:
    async with house.node() as node:
        sessions = await people(node, 3)
        node.messages._receipts._known_since = house.clock.now()
        await node.database.close()
        outcomes = await asyncio.gather(*(send(node, session, "one") for session in sessions), return_exceptions=True)
        assert [getattr(outcome, "code", None) for outcome in outcomes] == ["storage_unavailable"] * 3
        assert node.messages._receipts._reading is None
