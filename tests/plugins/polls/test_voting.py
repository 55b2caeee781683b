"""Votes in open and hidden polls: one a session, changed and taken back, and nothing after the close."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from anonchat import ChatError
from anonchat.testing.people import Heard, Person, open_room
from anonchat_polls.statements import SELECT_OWN
from anonchat_polls.tables import votes
from anonchat_polls.votes import Votes

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test


async def test_single_choice(booth: Booth) -> None:
    poll_id = await booth.create()
    answer = await booth.vote(booth.moderator, poll_id, 2)
    assert (answer.event, answer.data) == ("vote_recorded", {"pollId": poll_id, "optionIds": ["2"]})
    one = await booth.moderator.ask("vote", {"pollId": poll_id, "optionId": "2"})
    assert one.data == answer.data  # an answer may get lost, so the same vote again is none
    assert (await booth.vote(booth.moderator, poll_id, 1)).data["code"] == "already_voted"
    assert (await booth.vote(booth.moderator, poll_id, 1, 2)).data["code"] == "validation_failed"
    assert (await booth.results(booth.moderator, poll_id))["totals"] == {"1": 0, "2": 1, "3": 0}


async def test_changing_a_vote(booth: Booth) -> None:
    poll_id = await booth.create()
    await booth.vote(booth.moderator, poll_id, 2)
    changed = await booth.vote(booth.moderator, poll_id, 1, change=True)
    assert (changed.event, changed.data["optionIds"]) == ("vote_recorded", ["1"])
    results = await booth.results(booth.moderator, poll_id)
    assert (results["totals"], results["voters"]) == ({"1": 1, "2": 0, "3": 0}, 1)


async def test_multiple_choice(booth: Booth) -> None:
    poll_id = await booth.create(allowMultipleAnswers=True)
    await booth.vote(booth.moderator, poll_id, 1)
    assert (await booth.vote(booth.moderator, poll_id, 3)).data["optionIds"] == ["1", "3"]
    assert (await booth.vote(booth.moderator, poll_id, 3)).data["optionIds"] == ["1", "3"]
    async with booth.room.enter("Alice") as alice:
        assert (await booth.vote(alice, poll_id, 3, 2, 2)).data["optionIds"] == ["2", "3"]
        results = await booth.results(alice, poll_id)
        assert (results["totals"], results["voters"]) == ({"1": 1, "2": 1, "3": 2}, 2)
        assert (await booth.vote(alice, poll_id, 1, change=True)).data["optionIds"] == ["1"]
    assert (await booth.results(booth.moderator, poll_id))["totals"] == {"1": 2, "2": 0, "3": 1}


async def test_taking_a_vote_back(booth: Booth) -> None:
    poll_id = await booth.create(allowMultipleAnswers=True)
    await booth.vote(booth.moderator, poll_id, 1, 2, 3)
    for _ in range(2):  # again: what is not there stays away
        removed = await booth.moderator.ask("unvote", {"pollId": poll_id, "optionId": "2"})
        assert (removed.event, removed.data) == ("vote_removed", {"pollId": poll_id, "optionIds": ["1", "3"]})
    everything = await booth.moderator.ask("unvote", {"pollId": poll_id})
    assert everything.data["optionIds"] == []
    assert (await booth.results(booth.moderator, poll_id))["totals"] == {"1": 0, "2": 0, "3": 0}


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_what_does_not_fit_has_a_code(booth: Booth, secrecy: str) -> None:
    poll_id = await booth.create(secrecy=secrecy)
    ask = booth.moderator.ask
    for event in ("vote", "unvote"):
        assert (await ask(event, {"pollId": poll_id, "optionId": "4"})).data["code"] == "unknown_option"
        assert (await ask(event, {"pollId": poll_id, "optionId": "Tea"})).data["code"] == "unknown_option"
        assert (await ask(event, {"pollId": "none", "optionId": "1"})).data["code"] == "poll_not_found"
    assert (await ask("vote", {"pollId": poll_id})).data["code"] == "validation_failed"
    await booth.close(poll_id)
    for event in ("vote", "unvote", "close_poll"):
        data = {"pollId": poll_id} if event == "close_poll" else {"pollId": poll_id, "optionId": "1"}
        assert (await ask(event, data)).data["code"] == "poll_closed"


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_another_rooms_poll_is_not_found(booth: Booth, secrecy: str) -> None:
    poll_id = await booth.create(secrecy=secrecy)
    elsewhere = await open_room(booth.server)
    async with elsewhere.enter("Mallory", moderator=True) as mallory:
        assert (await booth.vote(mallory, poll_id, 1)).data["code"] == "poll_not_found"
        for event in ("unvote", "close_poll", "get_poll_results"):
            assert (await mallory.ask(event, {"pollId": poll_id})).data["code"] == "poll_not_found"


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_the_poll_of_a_message_that_is_gone_is_not_found(booth: Booth, secrecy: str) -> None:
    poll_id = await booth.create(secrecy=secrecy)
    message = await booth.moderator.hear("message")
    await booth.vote(booth.moderator, poll_id, 1)
    await booth.moderator.ask("delete_message", {"messageId": message.data["id"]})
    assert (await booth.vote(booth.moderator, poll_id, 1)).data["code"] == "poll_not_found"
    assert (await booth.close(poll_id)).data["code"] == "poll_not_found"
    assert await booth.count(votes) == 0


async def test_fifty_votes_at_once_are_one(booth: Booth) -> None:
    """Of one person from fifty tabs, for two options: one option has it, and whoever chose that one is told so."""
    poll_id = await booth.create()
    reply = await booth.room.join("Alice")
    async with AsyncExitStack() as stack:
        tabs = []
        for _ in range(50):
            tab = await booth.room.identify("Alice", reply.body["sessionId"], reply.body["sessionToken"])
            stack.push_async_callback(tab.close)
            tabs.append(tab)
        answers = await asyncio.gather(*(booth.vote(tab, poll_id, 1 + number % 2) for number, tab in enumerate(tabs)))
        results = await booth.results(tabs[0], poll_id)
    recorded = {answer.data["optionIds"][0] for answer in answers if answer.event == "vote_recorded"}
    refused = {answer.data["code"] for answer in answers if answer.event == "error"}
    assert (len(recorded), refused) == (1, {"already_voted"})
    assert results["totals"] == {"1": 0, "2": 0, "3": 0} | {recorded.pop(): 1}
    assert await booth.count(votes) == 1


async def test_it_is_the_key_that_decides(booth: Booth) -> None:
    """The control: a second vote that nobody checks is refused by the database itself."""
    poll = await booth.poll(await booth.create())
    row = {"poll_id": poll.id, "session_id": "somebody", "slot": 0, "room_id": poll.room_id, "username": None}
    transaction = booth.polls.ctx.db.transaction
    await transaction(lambda tx: tx.execute(insert(votes), row | {"option": 1}))
    with pytest.raises(ChatError, match="conflict"):
        await transaction(lambda tx: tx.execute(insert(votes), row | {"option": 2}))


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_a_vote_at_the_moment_of_the_close_counts_in_it_or_not_at_all(booth: Booth, secrecy: str) -> None:
    async with booth.crowd(12) as crowd:
        for _ in range(5):
            poll_id = await booth.create(secrecy=secrecy)
            meanwhile = asyncio.gather(*(booth.vote(person, poll_id, 1) for person in crowd[:6]))
            answers = [*await _close_and_vote(booth, poll_id, crowd[6:]), *await meanwhile]
            counted = sum(answer.event in ("vote_recorded", "vote_pending") for answer in answers)
            assert all(answer.data["code"] == "poll_closed" for answer in answers if answer.event == "error")
            told = (await booth.moderator.hear("poll_closed")).data
            if secrecy == "secret" and counted < 5:
                assert told["discarded"]
            else:
                assert (told["totals"]["1"], told["voters"]) == (counted, counted)
            later = await booth.results(booth.moderator, poll_id)
            assert {name: later[name] for name in told} == told


async def _close_and_vote(booth: Booth, poll_id: str, people: list[Person]) -> list[Heard]:
    """Votes before, beside and after the close."""
    answers = await asyncio.gather(
        booth.vote(people[0], poll_id, 1),
        booth.close(poll_id),
        *(booth.vote(person, poll_id, 1) for person in people[1:4]),
    )
    late = [await booth.vote(person, poll_id, 1) for person in people[4:]]
    assert {answer.data["code"] for answer in late} == {"poll_closed"}
    return [answer for answer in (*answers, *late) if answer.event != "poll_results"]


async def test_a_vote_that_was_on_its_way_is_refused_after_the_close(booth: Booth) -> None:
    """What was read before is not believed: the transaction asks the row again."""
    poll = await booth.poll(await booth.create())
    session = await booth.session(booth.moderator)
    await booth.close(poll.id)
    for attempt in (
        Votes(booth.polls.ctx).cast(poll, session, [1], change=False),
        Votes(booth.polls.ctx).withdraw(poll, session, [1]),
    ):
        with pytest.raises(ChatError, match="poll_closed"):
            await attempt
    assert await booth.count(votes) == 0


async def test_who_has_just_left_has_not_voted(booth: Booth) -> None:
    """The vote of a tab that comes in after another tab wanted everything forgotten."""
    poll = await booth.poll(await booth.create())
    async with booth.room.enter("Alice") as alice:
        session = await booth.session(alice)
        await alice.ask("leave", {"forget": True})
        with pytest.raises(ChatError, match="session_expired"):
            await Votes(booth.polls.ctx).cast(poll, session, [1], change=False)
        mine = {"poll": poll.id, "session": session.id}
        assert await booth.polls.ctx.db.fetch_all(SELECT_OWN, mine) == []


async def test_who_leaves_while_a_vote_is_on_its_way_keeps_the_votes_before(booth: Booth) -> None:
    """Leaving is not "forget me": the vote that comes too late is refused, and the others stay."""
    early, late = [await booth.poll(await booth.create()) for _ in range(2)]
    async with booth.room.enter("Alice") as alice:
        session = await booth.session(alice)
        await booth.vote(alice, early.id, 1)
        await alice.ask("leave")
        with pytest.raises(ChatError, match="session_expired"):
            await Votes(booth.polls.ctx).cast(late, session, [1], change=False)
        with pytest.raises(ChatError, match="session_expired"):
            await Votes(booth.polls.ctx).withdraw(early, session, [1])
    totals = [(await booth.results(booth.moderator, poll.id))["totals"]["1"] for poll in (early, late)]
    assert totals == [1, 0]


async def test_forget_me_beside_votes_leaves_no_vote(booth: Booth) -> None:
    """Whichever comes first: there is no moment at which a vote of somebody who is forgotten is stored."""
    poll = await booth.poll(await booth.create(allowMultipleAnswers=True))
    casts = Votes(booth.polls.ctx).cast
    for number in range(5):
        async with booth.room.enter(f"Alice {number}") as alice:
            session = await booth.session(alice)
            leaving = booth.polls.ctx.sessions.remove(session, "left", forget=True)
            votings = [casts(poll, session, [option], change=False) for option in (1, 2, 3)]
            outcomes = await asyncio.gather(*votings[:2], leaving, votings[2], return_exceptions=True)
            assert {getattr(one, "code", None) for one in outcomes} <= {None, "session_expired"}
            assert await booth.count(votes) == 0
