"""Rooms are locked before all else, also by jobs, by who leaves, and at the end of a room."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonchat.store.rooms import LOCK_ROOM
from anonchat.store.sessions import UPDATE_HOLD
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import open_room

from .lock_order import crossing, locked_by, recorded

POLL = {"question": "When?", "options": ["now", "later"], "closesInSeconds": 60}


@pytest.mark.gen_test
async def test_jobs_and_endings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SettableClock()
    settings = settings_in(tmp_path, plugins={"enabled": None}, sessions={"ttl_seconds": 7_200})
    with recorded(monkeypatch) as orders:
        async with running_server(settings, clock) as server:
            room = await open_room(server, retentionSeconds=3_600, settings={"moderation": {"preset": "careful"}})
            async with room.enter("Olga", moderator=True) as olga, room.enter("Bob") as bob, room.enter("Cid") as cid:
                assert (await bob.say("@Olga I am new here")).event == "message_held"
                for secrecy in ("open", "hidden", "secret"):
                    made = await olga.ask("create_poll", {**POLL, "secrecy": secrecy})
                    vote = {"pollId": made.data["pollId"], "optionId": "1"}
                    assert (await bob.ask("vote", vote)).event in ("vote_recorded", "vote_pending")
                for seconds in (30, 60, 3_600):
                    clock.advance(seconds)
                    for scheduled in server.jobs._jobs.values():
                        await scheduled.job.run()
                await cid.say("Bye @Olga")
                assert (await cid.ask("leave", {"forget": True})).event == "left"
            clock.advance(8_000)
            assert await server.sessions.expire() == 2
            await server.retention.end(room.id, "test")
            await server.dispatcher.settle()
    assert len(orders) > 20
    assert any("moderation_log" in order for order in orders)
    assert crossing(orders) == set()


def test_what_crosses_is_noticed() -> None:
    assert (locked_by(LOCK_ROOM), locked_by(UPDATE_HOLD)) == ("rooms", "sessions")
    assert crossing([["rooms", "sessions"], ["sessions"]]) == set()
    assert crossing([["sessions", "rooms", "rooms"]]) == {("sessions", "rooms")}
