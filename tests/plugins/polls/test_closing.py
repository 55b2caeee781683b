"""The close: by hand or by time, once, also over restarts and on two nodes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anonchat import ChatError
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, open_room
from anonchat_polls import Polls

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test


async def test_a_moderator_closes(booth: Booth) -> None:
    poll_id = await booth.create()
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, poll_id, 1)
        assert (await booth.close(poll_id, alice)).data["code"] == "not_moderator"
        answer = await booth.close(poll_id)
        closed = await alice.hear("poll_closed")
    assert closed.seq is not None
    assert closed.data == {
        "pollId": poll_id,
        "messageId": answer.data["messageId"],
        "secrecy": "open",
        "closesAt": None,
        "closedAt": "2027-01-15T08:00:00.000Z",
        "voters": 1,
        "totals": {"1": 1, "2": 0, "3": 0},
        "discarded": False,
    }
    assert {name: answer.data[name] for name in closed.data} == closed.data


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_a_poll_closes_by_itself(booth: Booth, secrecy: str) -> None:
    poll_id = await booth.create(secrecy=secrecy, closesInSeconds=60)
    booth.clock.advance(59.9)
    assert (await booth.vote(booth.moderator, poll_id, 1)).event in ("vote_recorded", "vote_pending")
    booth.clock.advance(1)  # the job may have run a moment ago
    closed = await booth.moderator.hear("poll_closed")  # within a real second
    assert closed.data["closedAt"] == closed.data["closesAt"] == "2027-01-15T08:01:00.000Z"
    assert closed.data["discarded"] == (secrecy == "secret")


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_no_vote_counts_after_its_time_also_where_the_close_is_late(booth: Booth, secrecy: str) -> None:
    poll = await booth.poll(await booth.create(secrecy=secrecy, closesInSeconds=60))
    await booth.server.jobs.stop()
    booth.clock.advance(60)
    for event in ("vote", "unvote"):
        late = await booth.moderator.ask(event, {"pollId": poll.id, "optionId": "1"})
        assert late.data["code"] == "poll_closed"
    assert (await booth.poll(poll.id)).closed_at is None  # the job has not run
    await booth.polls.closing.close_due()
    assert (await booth.moderator.hear("poll_closed")).data["totals"] in (None, {"1": 0, "2": 0, "3": 0})


async def test_a_restart_does_not_forget_the_time(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path), SettableClock()
    async with running_server(settings, clock, plugins={"polls": Polls()}) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Maud", moderator=True) as maud:
            asked = {"question": "Tea?", "options": ["Yes", "No"], "closesInSeconds": 60}
            poll_id = (await maud.ask("create_poll", asked)).data["pollId"]
            await maud.ask("vote", {"pollId": poll_id, "optionId": "2"})
    clock.advance(3_600)
    async with running_server(settings, clock, plugins={"polls": Polls()}) as server:
        room = OpenRoom(server, room.id, room.invite_token, room.moderator_token)
        maud = await room.identify("Maud", maud.session_id, maud.token)
        clock.advance(1)
        state = (await maud.ask("get_poll_results", {"pollId": poll_id})).data
        if state["closedAt"] is None:
            state = (await maud.hear("poll_closed")).data
        assert (state["closedAt"], state["totals"]) == ("2027-01-15T08:01:00.000Z", {"1": 0, "2": 1})
        await maud.close()


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_two_who_close_at_once_close_once(booth: Booth, secrecy: str) -> None:
    poll = await booth.poll(await booth.create(secrecy=secrecy))
    closings = (booth.polls.closing.close(poll, booth.clock.now()) for _ in range(10))
    outcomes = await asyncio.gather(*closings, return_exceptions=True)
    refused = [outcome.code for outcome in outcomes if isinstance(outcome, ChatError)]
    assert (outcomes.count(None), refused) == (1, ["poll_closed"] * 9)
    await booth.moderator.hear("poll_closed")
    assert "poll_closed" not in {heard.event for heard in await booth.until_now(booth.moderator)}


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_rooms_that_are_over_do_not_keep_the_job_busy(booth: Booth, secrecy: str) -> None:
    """In the grace before the purge their rows are still there, but nobody can be told anything."""
    poll = await booth.poll(await booth.create(secrecy=secrecy, closesInSeconds=60))
    await booth.vote(booth.moderator, poll.id, 1)
    await booth.server.jobs.stop()
    booth.server.retention._purge_grace = 3_600_000
    await booth.server.retention.end(booth.room.id, "test")
    booth.clock.advance(60)
    await booth.polls.closing.close_due()
    await booth.polls.telling.tell()
    assert (await booth.poll(poll.id)).closed_at == booth.clock.now()
