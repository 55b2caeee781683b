"""While the rules of one room change, its messages wait for what will hold; those of other rooms do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from anonchat import Row, Transaction
from anonchat.app import Server
from anonchat.testing.people import open_room
from anonchat_moderation.content.room_rules import RoomRules
from anonchat_moderation.content.tables import UPDATE_RULES

from .conftest import House

LINK = "look at example.com"
HOLD = {"new_preset": "relaxed", "new_seconds": None, "new_rules": '{"links": {"action": "hold"}}'}


def rules_of(server: Server) -> RoomRules:
    """What the running plugin has at hand."""
    (rules,) = [plugin.instance.content.rooms for plugin in server.plugins.all if plugin.name == "moderation"]
    assert isinstance(rules, RoomRules)
    return rules


class Stalled:
    """A change of a room's rules that waits for `go` before its transaction begins, as for a busy database."""

    def __init__(self, house: House) -> None:
        self.began, self.go = asyncio.Event(), asyncio.Event()
        self._house = house
        self.task = asyncio.create_task(rules_of(house.server).change(house.room.id, self._work, self._run))

    async def _work(self, tx: Transaction, _: Row) -> None:
        await tx.execute(UPDATE_RULES, {"room": self._house.room.id, **HOLD})

    async def _run(self, locked: Callable[[Transaction], Awaitable[Any]]) -> None:
        self.began.set()
        await self.go.wait()
        await self._house.server.journal.transaction(locked)


@pytest.mark.gen_test
async def test_a_change_that_stalls_holds_up_its_own_room_alone(house: House) -> None:
    other = await open_room(house.server, "Another")
    async with house.enter("Alice") as alice, other.enter("Carol") as carol:
        for person in (alice, carol):
            assert (await person.say(LINK)).event == "message_ack"
        stalled = Stalled(house)
        await stalled.began.wait()
        waiting = await alice.send("send_message", {"text": f"{LINK} again", "clientMsgId": "again"})
        for text in ("Hello", "Is anybody here?", "Goodbye"):
            house.clock.advance(2)  # what is at hand is too old, and read anew
            assert (await carol.say(text)).event == "message_ack"
        stalled.go.set()
        await stalled.task
        assert (await alice.answer(waiting)).event == "message_held"


@pytest.mark.gen_test
async def test_what_another_room_reads_meanwhile_does_not_bring_back_what_held_before(house: House) -> None:
    other = await open_room(house.server, "Another")
    rules = rules_of(house.server)
    async with house.enter("Alice") as alice, other.enter("Carol") as carol:
        for person in (alice, carol):  # both rooms talk, and are read together from now on
            assert (await person.say(LINK)).event == "message_ack"
            assert (await person.say("Hello")).event == "message_ack"
        stalled = Stalled(house)
        await stalled.began.wait()
        house.clock.advance(2)
        await rules.of(other.id)
        stalled.go.set()
        await stalled.task
        assert rules.at_hand(house.room.id, house.clock.now()) is None
        assert (await alice.say("See example.com")).event == "message_held"
