"""What is decided about held messages happens with its entry in the log and its count, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonchat.plugins.dispatch import Dispatcher
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import failing, run_sql
from anonchat.testing.people import open_room

from .conftest import House, Moderated, heard_by, texts

NEWCOMERS = {"newcomers": {"action": "hold", "seconds": 300, "messages": 5, "holdSeconds": 20}}


@pytest.mark.parametrize(("act", "entry"), [("release", "released"), ("drop", "dropped")])
@pytest.mark.gen_test
async def test_what_is_not_in_the_log_is_not_done(house: House, tmp_path: Path, act: str, entry: str) -> None:
    await house.rules(links={"action": "hold"})
    async with house.enter("Alice") as alice, house.enter("Bob") as bob:
        message_id = (await alice.say("example.org")).data["messageId"]
        with failing(tmp_path, "INSERT ON moderation_log", f"NEW.act = '{entry}'"):
            assert (await house.olga.ask(f"{act}_message", {"messageId": message_id})).event == "error"
        (waits,) = (await house.press("get_held_messages"))["messages"]
        assert waits["message"]["id"] == message_id
        assert texts(await heard_by(bob)) == []
        await house.press(f"{act}_message", messageId=message_id)
        assert texts(await heard_by(bob)) == (["example.org"] if act == "release" else [])


@pytest.mark.gen_test
async def test_a_calm_that_was_cut_off_is_reported_as_a_whole(house: House, tmp_path: Path) -> None:
    async with house.enter("Mallory") as mallory:
        await house.press("panic")
        answers = [await mallory.say(f"message {number}") for number in range(8)]
        ids = [answer.data["messageId"] for answer in answers[:5]]
        await house.press("drop_message", messageId=ids[0])
        with failing(tmp_path, "DELETE ON messages", f"OLD.id = '{ids[3]}'"):
            assert (await house.olga.ask("calm")).event == "error"
        assert await house.press("calm") == {"held": 5, "dropped": 8, "released": 0}
        assert await house.press("calm") == {"held": 0, "dropped": 0, "released": 0}


@pytest.mark.gen_test
async def test_of_who_is_banned_nothing_is_shown_though_nobody_hears_that_they_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is told to observers gets lost, as when a plugin has failed too often."""
    await house.rules(**NEWCOMERS)
    async with house.enter("Bob") as bob, house.enter("Mallory") as mallory:
        for number in range(3):
            assert (await mallory.say(f"look {number}")).event == "message_held"
        await house.server.dispatcher.settle()
        monkeypatch.setattr(Dispatcher, "observe", lambda *_, **__: None)
        await house.press("ban", targetSessionId=mallory.session_id)
        assert (await house.press("get_held_messages"))["messages"] == []
        assert [(await house.olga.hear("message_dropped")).event for _ in range(3)]
        house.clock.advance(21)
        for scheduled in house.server.jobs._jobs.values():
            await scheduled.job.run()
        assert texts(await heard_by(bob)) == []


@pytest.mark.gen_test
async def test_of_who_is_banned_nothing_is_shown_after_a_crash(
    moderated: Moderated, clock: SettableClock, tmp_path: Path
) -> None:
    """The ban was stored, and nothing else was done: the time of the messages comes while the server is down."""
    async with moderated(preset="careful") as server:
        room = await open_room(server)
        held = {}
        for name, device in (("Mallory", "device-m"), ("Mal", "device-m"), ("Alice", "device-a")):
            joined = (await room.join(name, deviceId=device)).body
            person = await room.identify(name, joined["sessionId"], joined["sessionToken"])
            held[name] = (await person.say(f"I am {name}")).data["messageId"]
            await person.close()
    now = clock.now()
    run_sql(
        tmp_path,
        "INSERT INTO moderation_bans (id, room_id, kind, session_id, username, anonymous_id, device, by_rank, at, until) "
        f"SELECT 'b', room_id, 'ban', id, 'Mallory', 'a', device_hash, 2, {now}, {now + 60_000} FROM sessions "
        "WHERE username = 'Mallory'",
    )
    clock.advance(30)
    async with moderated(preset="careful") as server:
        room = type(room)(server, room.id, room.invite_token, room.moderator_token)
        async with room.enter("Olga", moderator=True) as olga:
            for scheduled in server.jobs._jobs.values():
                await scheduled.job.run()
            rows = run_sql(tmp_path, "SELECT id, seq IS NULL FROM messages")
            assert rows == [(held["Alice"], 0)]
            assert (await olga.ask("get_held_messages")).data["messages"] == []
