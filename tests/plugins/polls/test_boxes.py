"""Secret votes do not outlive their poll, wherever it goes, and one poll's votes cost nothing to the others (P2, P4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import ChatError
from anonchat_polls.ballots import HASH_LENGTH, BallotBoxes, Ballots, voter_of

if TYPE_CHECKING:
    from anonchat_polls.poll import Poll
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test
GONE = Ballots(b"", (), sealed=True)


class Watched:
    """The ephemeral storage of the plugin: notes which keys are written, and fails at will."""

    def __init__(self, booth: Booth) -> None:
        self._real = booth.polls.ctx.ephemeral
        self.written: list[str] = []
        self.fails_to_clear = False

    async def get(self, key: str) -> bytes | None:
        return await self._real.get(key)

    async def put(self, key: str, value: bytes, milliseconds: int, **conditions: Any) -> bool:
        if self.fails_to_clear and value.startswith(b"[[],true]"):
            raise ChatError("storage_unavailable")
        self.written.append(key)
        return await self._real.put(key, value, milliseconds, **conditions)


def watch(booth: Booth) -> Watched:
    watched = Watched(booth)
    boxes: Any = booth.polls.boxes
    boxes._ctx = replace(boxes._ctx, ephemeral=watched)
    return watched


async def voted(booth: Booth, **asked: Any) -> Poll:
    """A secret poll with one vote in its box."""
    poll = await booth.poll(await booth.create(secrecy="secret", **asked))
    assert (await booth.vote(booth.moderator, poll.id, 1)).event == "vote_pending"
    assert (await held(booth, poll)).count == 1
    return poll


async def held(booth: Booth, poll: Poll) -> Ballots:
    return (await booth.polls.boxes.known([poll])).get(poll.id, GONE)


async def run_job(booth: Booth) -> None:
    """What runs every twenty seconds."""
    (job,) = (job for job in booth.polls.register_jobs() if job.name == "prune")
    await job.run()


async def cast_late(booth: Booth, poll: Poll) -> None:
    """A vote that has found its poll before the poll was gone."""
    await booth.polls.boxes.cast(poll, "0" * HASH_LENGTH, [1])


async def test_ballots_go_with_their_message(booth: Booth) -> None:
    poll = await voted(booth)
    await booth.moderator.ask("delete_message", {"messageId": poll.message_id})
    await booth.server.dispatcher.settle()
    assert await held(booth, poll) == GONE


async def test_ballots_go_with_who_wants_to_be_forgotten(booth: Booth) -> None:
    poll, other = await voted(booth), await voted(booth)
    await booth.polls.ctx.sessions.remove(await booth.session(booth.moderator), "left", forget=True)
    await run_job(booth)
    assert [await held(booth, one) for one in (poll, other)] == [GONE, GONE]
    assert await booth.polls.boxes.listed() == {}


async def test_open_polls_keep_their_ballots(booth: Booth) -> None:
    """The control."""
    poll = await voted(booth)
    await run_job(booth)
    assert (await held(booth, poll)).count == 1
    assert await booth.polls.boxes.listed() == {poll.id: booth.room.id}


async def test_ballots_go_with_their_room(booth: Booth) -> None:
    polls = [await voted(booth) for _ in range(3)]
    await booth.server.retention.end(booth.room.id, "test")
    assert [await held(booth, poll) for poll in polls] == [GONE] * 3
    assert await booth.polls.boxes.listed(booth.room.id) == {}


@pytest.mark.memory
async def test_a_vote_that_comes_after_the_purge_stays_nowhere(booth: Booth) -> None:
    begun, untouched = await voted(booth), await booth.poll(await booth.create(secrecy="secret"))
    await booth.server.retention.end(booth.room.id, "test")
    with pytest.raises(ChatError, match="poll_closed"):
        await cast_late(booth, begun)
    await cast_late(booth, untouched)  # nobody had voted in it, so nothing told that it is gone
    assert (await held(booth, untouched)).count == 1
    await run_job(booth)
    assert await held(booth, untouched) == GONE
    booth.clock.advance(61)
    assert await booth.polls.boxes.known([begun, untouched]) == {}


async def test_who_closes_is_told_so_even_if_the_ballots_cannot_be_cleared(booth: Booth) -> None:
    poll, watched = await voted(booth), watch(booth)
    watched.fails_to_clear = True
    assert (await booth.close(poll.id)).event == "poll_results"
    assert (await held(booth, poll)).totals == (1, 0, 0)
    watched.fails_to_clear = False
    await run_job(booth)
    assert await held(booth, poll) == GONE


async def test_a_box_that_could_not_be_cleared_at_the_purge_is_found_again(booth: Booth) -> None:
    poll, watched = await voted(booth), watch(booth)
    watched.fails_to_clear = True
    await booth.server.retention.end(booth.room.id, "test")
    assert (await held(booth, poll)).count == 1
    watched.fails_to_clear = False
    await run_job(booth)
    assert await held(booth, poll) == GONE


@pytest.mark.memory
async def test_a_box_lives_a_day_longer_than_its_poll(booth: Booth) -> None:
    poll = await voted(booth, closesInSeconds=60)
    await booth.server.jobs.stop()
    booth.clock.advance(60 + 86_399)
    assert (await held(booth, poll)).count == 1
    booth.clock.advance(1)
    assert await booth.polls.boxes.known([poll]) == {}


async def test_a_poll_that_the_machine_sleeps_through_counts(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="secret", closesInSeconds=60)
    async with booth.crowd(5) as crowd:
        for person in crowd:
            await booth.vote(person, poll_id, 1)
    await booth.server.jobs.stop()
    booth.clock.advance(12 * 3_600)
    await booth.polls.closing.close_due()
    closed = await booth.polls.views.public_page(booth.room.id, "g", 1)
    assert [(poll["voters"], poll["discarded"]) for poll in closed] == [(5, False)]


async def test_a_vote_writes_its_own_poll_alone(booth: Booth) -> None:
    first, second = await voted(booth), await voted(booth)
    watched = watch(booth)
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, second.id, 2)
    assert watched.written == [f"box:{second.id}"]
    assert [(await held(booth, poll)).count for poll in (first, second)] == [1, 2]


async def test_a_box_is_found_by_every_node(booth: Booth) -> None:
    poll = await voted(booth)
    assert await BallotBoxes(booth.polls.ctx).listed(booth.room.id) == {poll.id: booth.room.id}
    room = await booth.polls.ctx.rooms.find(booth.room.id)
    found = (await BallotBoxes(booth.polls.ctx).known([poll]))[poll.id]
    assert found.holds(voter_of(room, poll, booth.moderator.session_id))


@given(st.lists(st.integers(0, 2 ** (4 * HASH_LENGTH) - 1), unique=True, max_size=50), st.randoms())
def test_voters_are_sorted_whatever_order_they_came_in(numbers: list[int], order: Any) -> None:
    voters = [f"{number:0{HASH_LENGTH}x}" for number in numbers]
    shuffled = order.sample(voters, len(voters))
    ballots = Ballots(b"", (0, 0))
    for voter in shuffled:
        assert not ballots.holds(voter)
        ballots = ballots.with_vote(voter, [2])
    assert ballots.voters == sorted(voters)
    assert all(ballots.holds(voter) for voter in voters)
    assert ballots.totals == (0, len(voters))
