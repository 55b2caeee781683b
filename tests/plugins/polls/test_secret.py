"""Secret polls: votes live in memory, are final, and are told only at the close, if enough have voted (promise P4)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from anonchat import ChatError
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person, open_room, request
from anonchat_polls import Polls
from anonchat_polls.ballots import BallotBoxes, Ballots
from anonchat_polls.shelves import SHELVES
from anonchat_polls.tables import ledger, polls, votes

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

GONE = Ballots(b"", (), sealed=True)
pytestmark = pytest.mark.gen_test


async def dump(booth: Booth) -> str:
    """Every row of every table of the plugin."""
    rows = [
        [table.name, *map(str, (row[column.name] for column in table.c))]
        for table in (polls, votes, ledger)
        for row in await booth.polls.ctx.db.fetch_all(select(table))
    ]
    return json.dumps(rows)


async def test_nothing_is_told_or_stored_before_the_close(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    before = await dump(booth)
    async with booth.crowd(6) as crowd, booth.room.enter("Alice") as alice:
        for person in crowd:
            answer = await booth.vote(person, poll_id, 2)
            assert (answer.event, answer.data) == ("vote_pending", {"pollId": poll_id})
            assert answer.seq is None
        booth.clock.advance(1)
        await booth.polls.telling.tell()
        assert {heard.event for heard in await booth.until_now(alice)} <= {"open_polls", "presence"}
        for person in (crowd[0], alice, booth.moderator):
            state = await booth.results(person, poll_id)
            assert (state["voters"], state["totals"], state["optionIds"]) == (None, None, [])
            assert "votes" not in state
        assert await dump(booth) == before


async def test_a_vote_is_final(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    await booth.vote(booth.moderator, poll_id, 1)
    for change in (False, True):
        assert (await booth.vote(booth.moderator, poll_id, 2, change=change)).data["code"] == "already_voted"
    assert (await booth.moderator.ask("unvote", {"pollId": poll_id})).data["code"] == "polls.vote_final"


@pytest.mark.parametrize(("multiple", "chosen", "totals"), [(False, [1], [5, 0, 0]), (True, [1, 3], [5, 0, 5])])
async def test_the_close_writes_totals_and_voters_once(
    booth: Booth, multiple: bool, chosen: list[int], totals: list[int]
) -> None:
    poll_id = await booth.create(secrecy="secret", allowMultipleAnswers=multiple)
    async with booth.crowd(6) as crowd:
        for person in crowd[:5]:
            assert (await booth.vote(person, poll_id, *chosen)).event == "vote_pending"
        await booth.close(poll_id)
        told = (await crowd[0].hear("poll_closed")).data
        assert told["totals"] == {str(number): total for number, total in enumerate(totals, 1)}
        assert (told["voters"], told["discarded"]) == (5, False)
        states = [await booth.results(person, poll_id) for person in crowd]
        assert [state["voted"] for state in states] == [True] * 5 + [False]
    rows = await booth.polls.ctx.db.fetch_all(select(ledger))
    assert len(rows) == 5
    assert (await booth.close(poll_id)).data["code"] == "poll_closed"


@pytest.mark.memory
async def test_too_few_votes_are_discarded_and_the_card_says_so(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    async with booth.crowd(4) as crowd:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
        await booth.close(poll_id)
        told = (await crowd[0].hear("poll_closed")).data
        assert (told["voters"], told["totals"], told["discarded"]) == (None, None, True)
        page = await request(booth.server, "GET", f"/api/rooms/{booth.room.id}/messages", token=booth.moderator.token)
        assert page.body["messages"][-1]["ext"]["polls"]["discarded"]
        state = await booth.results(crowd[0], poll_id)
        assert (state["voters"], state["totals"], state["discarded"]) == (None, None, True)
    assert await booth.count(ledger) == 0
    poll = await booth.poll(poll_id)
    assert await booth.polls.boxes.known([poll]) == {poll_id: GONE}  # until a vote that is on its way has come
    booth.clock.advance(60)
    assert await booth.polls.boxes.known([poll]) == {}


async def test_fifty_votes_at_once_are_one(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    reply = await booth.room.join("Alice")
    async with AsyncExitStack() as stack:
        tabs = []
        for _ in range(50):
            tab = await booth.room.identify("Alice", reply.body["sessionId"], reply.body["sessionToken"])
            stack.push_async_callback(tab.close)
            tabs.append(tab)
        answers = await asyncio.gather(*(booth.vote(tab, poll_id, 1) for tab in tabs))
    outcomes = Counter(answer.data.get("code", answer.event) for answer in answers)
    assert outcomes == {"vote_pending": 1, "already_voted": 49}
    ballots = (await booth.polls.boxes.known([await booth.poll(poll_id)]))[poll_id]
    assert (len(ballots.voters), ballots.totals) == (1, (1, 0, 0))


async def test_votes_on_two_nodes_at_once_are_all_counted(booth: Booth) -> None:
    """Two nodes that share nothing but the ephemeral storage: compare-and-set decides between them."""
    poll = await booth.poll(await booth.create(secrecy="secret"))
    nodes = [booth.polls.boxes, BallotBoxes(booth.polls.ctx)]
    voters = [f"{number:012x}" for number in range(40)]

    async def cast(node: BallotBoxes, voter: str) -> str:
        try:
            await node.cast(poll, voter, [1])
        except ChatError as error:
            return error.code
        return "counted"

    # Everybody votes on both nodes: counted on one of them.
    outcomes = await asyncio.gather(*(cast(node, voter) for voter in voters for node in nodes))
    assert Counter(outcomes) == {"counted": 40, "already_voted": 40}
    sealed = await nodes[1].seal(poll)
    assert (len(sealed.voters), sealed.totals) == (40, (40, 0, 0))
    assert await cast(nodes[0], "late") == "poll_closed"
    assert await nodes[0].seal(poll) == sealed


@pytest.mark.memory
async def test_clients_are_told_what_a_restart_has_forgotten_and_vote_again(tmp_path: Any) -> None:
    settings, clock = settings_in(tmp_path), SettableClock()
    async with running_server(settings, clock, plugins={"polls": Polls()}) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Maud", moderator=True) as maud:
            asked = {"question": "Tea?", "options": ["Yes", "No"], "secrecy": "secret"}
            poll_id = (await maud.ask("create_poll", asked)).data["pollId"]
            await maud.ask("vote", {"pollId": poll_id, "optionId": "1"})
            again = await room.identify("Maud", maud.session_id, maud.token)
            assert [state["voted"] for state in (await again.hear("open_polls")).data["polls"]] == [True]
            await again.close()
    async with running_server(settings, clock, plugins={"polls": Polls()}) as server:
        room = OpenRoom(server, room.id, room.invite_token, room.moderator_token)
        maud = await room.identify("Maud", maud.session_id, maud.token)
        assert [state["voted"] for state in (await maud.hear("open_polls")).data["polls"]] == [False]
        assert (await maud.ask("vote", {"pollId": poll_id, "optionId": "1"})).event == "vote_pending"
        await maud.close()


async def lose_everything(booth: Booth) -> None:
    """As where Redis is flushed."""
    keys = [f"box:{poll_id}" for poll_id in await booth.polls.boxes.listed()]
    for key in (*keys, "boxes", *(f"shelf:{number}" for number in range(SHELVES))):
        await booth.polls.ctx.ephemeral.remove(key)


async def asked_again(booth: Booth, person: Person) -> list[list[str]]:
    """The polls of each `votes_lost` that somebody hears from a look to now."""
    await booth.polls.recall.look()
    return [heard.data["pollIds"] for heard in await booth.until_now(person) if heard.event == "votes_lost"]


async def test_votes_that_are_lost_while_people_stay_are_asked_for_again(booth: Booth) -> None:
    poll_id, other = await booth.create(secrecy="secret"), await booth.create()
    await booth.server.jobs.stop()
    async with booth.crowd(5) as crowd:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
        for _ in range(2):
            assert await asked_again(booth, crowd[0]) == [], f"nothing is lost, least of all in {other}"
        await lose_everything(booth)
        assert (await booth.vote(crowd[4], poll_id, 1)).event == "vote_pending"
        assert await asked_again(booth, crowd[0]) == [[poll_id]]
        assert [(await booth.results(person, poll_id))["voted"] for person in crowd] == [False] * 4 + [True]
        for person in crowd[:4]:
            assert (await booth.vote(person, poll_id, 1)).event == "vote_pending"
        assert [await asked_again(booth, crowd[1]) for _ in range(2)] == [[[poll_id]], []]
    assert (await booth.close(poll_id)).data["totals"] == {"1": 5, "2": 0, "3": 0}


async def test_a_secret_poll_always_closes_by_itself(booth: Booth) -> None:
    poll = await booth.poll(await booth.create(secrecy="secret"))
    assert poll.closes_at == booth.clock.now() + 7 * 86_400_000


async def test_a_close_that_failed_can_be_tried_again(booth: Booth) -> None:
    """The poll was sealed, and then the database was away: no vote comes in, and none is lost."""
    poll_id = await booth.create(secrecy="secret")
    async with booth.crowd(6) as crowd:
        for person in crowd[:5]:
            await booth.vote(person, poll_id, 1)
        await booth.polls.boxes.seal(await booth.poll(poll_id))
        assert (await booth.vote(crowd[5], poll_id, 1)).data["code"] == "poll_closed"
        assert (await booth.close(poll_id)).data["totals"] == {"1": 5, "2": 0, "3": 0}


async def test_who_has_just_left_has_not_voted(booth: Booth) -> None:
    """As on a node that has not heard of it yet."""
    poll_id = await booth.create(secrecy="secret")
    async with booth.crowd(6) as crowd:
        await booth.server.sessions.leave(await booth.session(crowd[0]))
        for person in crowd:
            answer = await booth.vote(person, poll_id, 1)
            assert answer.data.get("code") == ("session_expired" if person is crowd[0] else None)
        assert (await booth.close(poll_id)).data["totals"]["1"] == 5
