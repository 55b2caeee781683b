"""What is stored of polls goes with its people, messages and rooms (promise P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anonchat.testing.databases import run_sql, tables_in
from anonchat_polls.ballots import voter_of
from anonchat_polls.tables import ledger, polls, votes

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test


async def test_leaving_with_forget_takes_votes_back(booth: Booth) -> None:
    poll_id, closed = await booth.create(), await booth.create()
    async with booth.room.enter("Alice") as alice:
        for each in (poll_id, closed):
            await booth.vote(alice, each, 1)
            await booth.vote(booth.moderator, each, 1)
        await booth.close(closed)
        booth.clock.advance(1)
        await booth.moderator.hear("poll_update")
        await alice.ask("leave", {"forget": True})
        booth.clock.advance(1)
        told = {(await booth.moderator.hear("poll_update")).data["pollId"] for _ in range(2)}
        assert told == {poll_id, closed}
        for each in (poll_id, closed):
            results = await booth.results(booth.moderator, each)
            assert (results["totals"], results["voters"]) == ({"1": 1, "2": 0, "3": 0}, 1)
        assert alice.session_id not in await _whole_database(booth)


async def test_a_hidden_vote_of_who_is_forgotten_becomes_nobodys(booth: Booth) -> None:
    """Totals that change when somebody leaves would tell everybody what they voted."""
    poll_id = await booth.create(secrecy="hidden", allowMultipleAnswers=True)
    closed = await booth.create(secrecy="hidden")
    async with booth.room.enter("Alice") as alice, booth.room.enter("Bob") as bob:
        await booth.vote(alice, poll_id, 1, 2)
        await booth.vote(alice, closed, 2)
        for each in (poll_id, closed):
            await booth.vote(bob, each, 1)
        booth.clock.advance(1)
        await bob.hear("poll_results")
        await booth.close(closed)
        before = [await booth.results(bob, each) for each in (poll_id, closed)]
        assert [each["voters"] for each in before] == [2, 2]
        await booth.until_now(bob)
        await alice.ask("leave", {"forget": True})
        booth.clock.advance(1)
        await booth.polls.telling.tell()
        assert {one.event for one in await booth.until_now(bob)} == {"presence"}
        assert [await booth.results(bob, each) for each in (poll_id, closed)] == before
    assert alice.session_id not in await _whole_database(booth)
    voters = {row[0] for row in run_sql(booth.folder, "SELECT session_id FROM polls_votes")}
    assert len(voters) == 3, "nobody is somebody else in each poll"


async def _whole_database(booth: Booth) -> str:
    """Every row of every table, as text."""
    return str([run_sql(booth.folder, f'SELECT * FROM "{name}"') for name in tables_in(booth.folder)])


async def test_leaving_without_forget_keeps_votes(booth: Booth) -> None:
    poll_id = await booth.create()
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, poll_id, 1)
        await alice.ask("leave")
    assert [vote["username"] for vote in (await booth.results(booth.moderator, poll_id))["votes"]] == ["Alice"]


async def test_a_secret_vote_cannot_be_taken_back(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    async with booth.crowd(5) as crowd:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
        await crowd[0].ask("leave", {"forget": True})
    assert (await booth.close(poll_id)).data["totals"]["1"] == 5


@pytest.mark.memory
async def test_leaving_with_forget_leaves_no_mark_of_a_secret_vote(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret")
    room, poll = await booth.polls.ctx.rooms.find(booth.room.id), await booth.poll(poll_id)
    async with booth.crowd(6) as crowd:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
        await booth.close(poll_id)
        marks = [voter_of(room, poll, person.session_id) for person in crowd]
        stored = await _whole_database(booth)
        assert [mark in stored for mark in marks] == [True] * 6
        await crowd[0].ask("leave", {"forget": True})
        stored = await _whole_database(booth)
        assert [mark in stored for mark in marks] == [False] + [True] * 5
        assert (await booth.results(crowd[1], poll_id))["voters"] == 6


async def test_a_deleted_message_takes_its_poll_along(booth: Booth) -> None:
    poll_id = await booth.create()
    message = await booth.moderator.hear("message")
    await booth.vote(booth.moderator, poll_id, 1)
    booth.clock.advance(1)
    await booth.moderator.hear("poll_update")
    await booth.moderator.ask("delete_message", {"messageId": message.data["id"]})
    assert [await booth.count(table) for table in (polls, votes)] == [0, 0]
    assert poll_id not in await _whole_database(booth)  # no event tells of it either


async def test_the_end_of_a_room_counts_what_it_deletes(booth: Booth) -> None:
    open_poll, secret_poll = await booth.create(), await booth.create(secrecy="secret")
    async with booth.crowd(5) as crowd:
        for person in crowd:
            await booth.vote(person, open_poll, 1)
            await booth.vote(person, secret_poll, 1)
    await booth.close(secret_poll)
    await booth.server.retention.end(booth.room.id, "test")
    deleted = (await booth.moderator.hear("room_ended")).data["deleted"]
    counts = {name: count for name, count in deleted.items() if name.startswith("polls.")}
    assert counts == {"polls.polls_polls": 2, "polls.polls_votes": 5, "polls.polls_ledger": 5}
    assert [await booth.count(table) for table in (polls, votes, ledger)] == [0, 0, 0]
