"""How members hear of votes: seldom, in order, and so that coming back is as good as having stayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import select

from anonchat import Journal, Message, Statements, message_wire
from anonchat.testing.people import Heard, Person
from anonchat_polls.tables import polls
from anonchat_polls.views import Views

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test

HOUR = 3_600


async def updates_heard(booth: Booth, person: Person) -> list[Heard]:
    """Every `poll_update` that somebody has not yet read."""
    return [heard for heard in await booth.until_now(person) if heard.event == "poll_update"]


async def test_updates_come_twice_a_second_at_most(booth: Booth) -> None:
    poll_id = await booth.create()
    booth.clock.advance(10)
    started = booth.clock.now()
    times = set()
    async with booth.room.enter("Alice") as alice:
        for _ in range(30):  # votes that change all the time for three seconds
            for option in (1, 2):
                assert (await booth.vote(booth.moderator, poll_id, option, change=True)).event == "vote_recorded"
            await booth.polls.telling.tell()
            row = await booth.polls.ctx.db.fetch_one(select(polls.c.told_at).where(polls.c.id == poll_id))
            assert row is not None
            times.add(row["told_at"])
            booth.clock.advance(0.1)
        updates = await updates_heard(booth, alice)
    ordered = sorted(times)
    assert all(later - earlier >= 500 for earlier, later in pairwise(ordered))
    assert 4 <= len(updates) <= 2 * (booth.clock.now() - started) / 1_000 + 1


async def test_many_votes_are_told_at_once(booth: Booth) -> None:
    poll_id = await booth.create()
    async with booth.crowd(20) as crowd, booth.room.enter("Alice") as alice:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
        booth.clock.advance(1)
        first = await alice.hear("poll_update")
        assert first.data == {
            "pollId": poll_id,
            "messageId": first.data["messageId"],
            "voters": 20,
            "totals": {"1": 20, "2": 0, "3": 0},
        }
        assert first.seq is not None
        await booth.polls.telling.tell()
        assert await updates_heard(booth, alice) == []


async def test_nothing_is_told_where_nothing_has_changed(booth: Booth) -> None:
    poll_id = await booth.create()
    await booth.vote(booth.moderator, poll_id, 1)
    booth.clock.advance(1)
    await booth.moderator.hear("poll_update")
    await booth.vote(booth.moderator, poll_id, 1)
    await booth.vote(booth.moderator, poll_id, 2)  # refused
    booth.clock.advance(1)
    await booth.polls.telling.tell()
    assert await updates_heard(booth, booth.moderator) == []


async def test_votes_are_told_after_a_moment_in_which_the_clock_was_ahead(booth: Booth) -> None:
    poll_id = await booth.create()
    async with booth.room.enter("Alice") as alice:
        for leap, voter in ((HOUR, booth.moderator), (-HOUR, alice)):
            booth.clock.advance(leap)
            assert (await booth.vote(voter, poll_id, 1)).event == "vote_recorded"
            booth.clock.advance(1)
            await booth.polls.telling.tell()
        assert [(await alice.hear("poll_update")).data["voters"] for _ in range(2)] == [1, 2]


class Copy:
    """What a client knows of polls from the events alone, fed the same way live and after coming back."""

    def __init__(self) -> None:
        self.polls: dict[str, dict[str, Any]] = {}
        self.position: Mapping[str, Any] = {}

    def take(self, heard: Heard) -> None:
        if heard.event in ("history_chunk", "replay"):
            for message in heard.data.get("messages", ()):
                self.take(Heard("message", message))
            for event in heard.data.get("events", ()):
                self.take(Heard(event["event"], event["data"], event["seq"]))
        elif heard.event == "open_polls":
            for state in heard.data["polls"]:
                self._change(state)
        elif heard.event == "message" and heard.data["content"]["type"] == "poll":
            self.polls.setdefault(heard.data["content"]["pollId"], {})
            if "polls" in heard.data.get("ext", {}):
                self._change(heard.data["ext"]["polls"])
        elif heard.event in ("poll_update", "poll_closed", "poll_results"):
            self._change(heard.data)

    def _change(self, state: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in state.items() if name in ("voters", "totals", "closedAt", "votes")}
        self.polls.setdefault(state["pollId"], {}).update(
            {name: value for name, value in kept.items() if value is not None}
        )


async def test_coming_back_is_as_good_as_having_stayed(booth: Booth) -> None:
    """Alice stays, Bob sleeps while votes come in and polls are made and closed."""
    old = await booth.create()
    async with booth.room.enter("Alice") as alice:
        reply = await booth.room.join("Bob")
        bob = await booth.room.identify("Bob", reply.body["sessionId"], reply.body["sessionToken"])
        stayed, slept = Copy(), Copy()
        for copy, person in ((stayed, alice), (slept, bob)):
            for heard in person.welcome:
                copy.take(heard)
        identified = next(heard.data for heard in bob.welcome if heard.event == "identified")
        await bob.close()

        await booth.vote(alice, old, 1)
        booth.clock.advance(1)
        await booth.moderator.hear("poll_update")
        fresh = await booth.create(secrecy="hidden")
        await booth.vote(booth.moderator, old, 2)
        await booth.vote(alice, fresh, 1)
        booth.clock.advance(1)
        for _ in range(2):
            await booth.moderator.hear("poll_update")
        await booth.close(old)
        for heard in await booth.until_now(alice):
            stayed.take(heard)

        position = {"since": identified["seq"], "epoch": identified["epoch"]}
        bob = await booth.room.identify("Bob", bob.session_id, bob.token, **position)
        for heard in [*bob.welcome, *await booth.until_now(bob)]:
            slept.take(heard)
        assert [heard.event for heard in bob.welcome][-1] == "replay"
        stayed.polls[fresh].pop("totals")  # Alice has voted in the hidden poll
        assert slept.polls[fresh] == stayed.polls[fresh] == {"voters": 1}
        assert slept.polls[old]["totals"] == stayed.polls[old]["totals"] == {"1": 1, "2": 1, "3": 0}
        assert slept.polls[old]["closedAt"] == stayed.polls[old]["closedAt"]
        assert {**slept.polls[old], "votes": None} == {**stayed.polls[old], "votes": None}
        await bob.close()


async def test_open_polls_come_with_ones_own_votes(booth: Booth) -> None:
    single, multiple = await booth.create(), await booth.create(allowMultipleAnswers=True)
    gone = await booth.create()
    await booth.close(gone)
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, multiple, 1, 3)
        again = await booth.room.identify("Alice", alice.session_id, alice.token)
        told = (await again.hear("open_polls")).data["polls"]
        await again.close()
    assert [(state["pollId"], state["optionIds"], state["voted"]) for state in told] == [
        (single, [], False),
        (multiple, ["1", "3"], True),
    ]


async def test_where_nothing_is_open_that_is_said(booth: Booth) -> None:
    """So that a client that was away knows which of its polls are not open any more."""
    await booth.close(await booth.create())
    async with booth.room.enter("Alice") as alice:
        assert (await alice.hear("open_polls")).data == {"polls": []}


async def test_the_other_tabs_are_told_of_ones_vote_and_nobody_else(booth: Booth) -> None:
    poll_id = await booth.create()
    async with booth.room.enter("Alice") as alice:
        tab = await booth.room.identify("Alice", alice.session_id, alice.token)
        await booth.vote(alice, poll_id, 2)
        heard = await tab.hear("vote_recorded")
        assert (heard.data, heard.id, heard.seq) == ({"pollId": poll_id, "optionIds": ["2"]}, None, None)
        await alice.ask("unvote", {"pollId": poll_id})
        assert (await tab.hear("vote_removed")).data == {"pollId": poll_id, "optionIds": []}
        secret = await booth.create(secrecy="secret")
        await booth.vote(alice, secret, 1)
        assert "vote_pending" not in {heard.event for heard in await booth.until_now(tab)}
        told = {heard.event for heard in await booth.until_now(booth.moderator)}
        assert told.isdisjoint({"vote_recorded", "vote_removed"})
        await tab.close()


class CountedStatements:
    """`Statements` that count their queries in `counted`."""

    def __init__(self, tx: Statements, counted: list[object]) -> None:
        self._tx = tx
        self._counted = counted

    async def fetch_all(self, statement: Any, parameters: Any = None) -> Any:
        self._counted.append(statement)
        return await self._tx.fetch_all(statement, parameters)


class CountedJournal:
    """A journal for reading, whose queries are counted."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.counted: list[object] = []

    async def read(self, work: Any) -> Any:
        return await self._journal.read(lambda tx: work(CountedStatements(tx, self.counted)))


def wires(messages: Mapping[str, Message]) -> list[dict[str, Any]]:
    """Messages as plugins are shown them."""
    return [message_wire(message) for message in messages.values()]


@pytest.mark.memory
async def test_a_page_of_polls_costs_as_many_queries_as_one(booth: Booth) -> None:
    ctx = booth.polls.ctx
    journal = CountedJournal(ctx.db)
    views = Views(replace(ctx, db=cast("Journal", journal)), booth.polls.boxes)
    message_ids: list[str] = []
    costs = []
    for number in range(12):
        poll_id = await booth.create(secrecy=("open", "hidden", "secret")[number % 3])
        message_ids.append((await booth.moderator.hear("message")).data["id"])
        await booth.vote(booth.moderator, poll_id, 1)
        journal.counted.clear()
        found = await views.of_messages(wires(await ctx.messages.get(booth.room.id, message_ids)))
        assert found.keys() == set(message_ids)
        costs.append(len(journal.counted))
        booth.clock.advance(7)  # ten polls a minute are the limit
    assert costs == [4] * 12


async def test_a_page_without_polls_costs_nothing(booth: Booth) -> None:
    said = await booth.moderator.say("Hello")
    journal = CountedJournal(booth.polls.ctx.db)
    views = Views(replace(booth.polls.ctx, db=cast("Journal", journal)), booth.polls.boxes)
    messages = await booth.polls.ctx.messages.get(booth.room.id, [said.data["serverMessageId"]])
    assert (await views.of_messages(wires(messages)), journal.counted) == ({}, [])
