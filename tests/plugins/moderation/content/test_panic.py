"""Panic and calm: one button for a raid, one that undoes it and says what became of what was held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anonchat import Draft, hookimpl
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import Person, open_room
from anonchat_moderation.content.verdicts import REASONS

from .conftest import House, Moderated, heard_by, texts

LINK = "look at example.com"


@pytest.fixture
async def bob(house: House) -> AsyncIterator[Person]:
    """Somebody who has been there for long."""
    async with house.enter("Bob") as bob:
        house.clock.advance(601)
        yield bob


@pytest.mark.gen_test
async def test_newcomers_are_frozen_and_others_talk(house: House, bob: Person) -> None:
    async with house.enter("Early") as early, house.enter("Carol") as carol:
        said = (await early.say("before the panic")).data["serverMessageId"]
        house.clock.advance(60)
        assert (await house.press("panic"))["panic"] is True
        async with house.enter("Late") as late:
            for person in (early, late):
                told = (await person.say("may I?")).data
                assert (told["reason"], told["releaseAt"]) == (REASONS["panic"], None)
                assert (await house.olga.hear("held_message")).data["message"]["id"] == told["messageId"]
            refused = await early.ask("edit_message", {"messageId": said, "text": LINK})
            assert (refused.data["code"], refused.data["message"]) == ("message_refused", REASONS["panic"])
            assert (await bob.say("still here")).event == "message_ack"
            assert (await bob.say("too fast")).data["code"] == "slow_mode"
            house.clock.advance(10)
            assert (await bob.say(LINK)).data["reason"] == REASONS["panic_links"]
            assert (await house.olga.say(LINK)).event == "message_ack"
            assert texts(await heard_by(carol)) == ["before the panic", "still here", LINK]


@pytest.mark.gen_test
async def test_nobody_sees_newcomers_type(house: House, bob: Person) -> None:
    async with house.enter("Carol") as carol:
        await house.press("panic")
        refused = (await carol.ask("typing", {"typing": True})).data
        assert (refused["code"], refused["message"]) == ("message_refused", REASONS["panic"])
        await bob.send("typing", {"typing": True})
        assert [heard.data["username"] for heard in await heard_by(house.olga) if heard.event == "typing"] == ["Bob"]
        await house.press("calm")
        await carol.send("typing", {"typing": True})
        assert (await house.olga.hear("typing")).data["username"] == "Carol"


@pytest.mark.gen_test
async def test_everybody_hears_of_it(house: House, bob: Person) -> None:
    await house.press("panic")
    changed = await bob.hear("moderation_changed")
    rules = {"links": "hold", "flooding": "refuse", "repeats": "refuse"}
    assert changed.data == {"preset": "relaxed", "slowModeSeconds": 10, "panic": True, "rules": rules}
    assert changed.seq is not None
    await house.press("panic")  # pressed twice is pressed once
    await house.press("calm")
    changed = await bob.hear("moderation_changed")
    assert (changed.data["panic"], changed.data["slowModeSeconds"]) == (False, 0)
    entries = (await house.press("get_moderation_log"))["entries"]
    assert sorted((entry["act"], entry["by"]) for entry in entries) == [("calm", "moderator"), ("panic", "moderator")]


@pytest.mark.gen_test
async def test_a_panic_survives_a_restart(moderated: Moderated, clock: SettableClock) -> None:
    async with moderated() as server:
        room = await open_room(server)
        async with room.enter("Olga", moderator=True) as olga, room.enter("Mallory") as mallory:
            await olga.ask("panic")
            held = (await mallory.say("may I?")).data["messageId"]
    async with moderated() as server:
        room = type(room)(server, room.id, room.invite_token, room.moderator_token)
        mallory = await room.identify("Mallory", mallory.session_id, mallory.token)
        assert (await mallory.hear("moderation")).data["panic"] is True
        waiting = (await mallory.hear("held_messages")).data["messages"]
        assert [one["message"]["id"] for one in waiting] == [held]
        assert (await mallory.say("and now?", clientMsgId="second")).event == "message_held"
        olga = await room.identify("Olga", olga.session_id, olga.token)
        assert (await olga.ask("calm")).data == {"held": 2, "dropped": 2, "released": 0}
        assert (await mallory.say("and now?", clientMsgId="third")).event == "message_ack"
        await mallory.close()
        await olga.close()


@pytest.mark.gen_test
async def test_calm_restores_what_held_before(house: House, bob: Person) -> None:
    rules = {"links": {"action": "hold"}, "words": {"words": ["war"]}}
    before = await house.press("set_moderation", preset="careful", slowModeSeconds=25, rules=rules)
    during = await house.press("panic")
    assert (during["slowModeSeconds"], during["rules"]["links"]) == (25, "hold")
    await house.press("calm")
    assert await house.press("get_moderation") == before


@pytest.mark.gen_test
async def test_what_is_set_in_a_panic_holds_after_it(house: House, bob: Person) -> None:
    await house.press("panic")
    during = await house.press("set_moderation", slowModeSeconds=3, rules={"links": {"action": "allow"}})
    assert (during["slowModeSeconds"], during["rules"]["links"], during["panic"]) == (10, "hold", True)
    assert (await bob.say(LINK)).event == "message_held"
    await house.press("calm")
    after = await house.press("get_moderation")
    assert (after["slowModeSeconds"], "links" in after["rules"]) == (3, False)
    house.clock.advance(10)
    assert (await bob.say(LINK)).event == "message_ack"


@pytest.mark.parametrize("choice", ["drop", "release"])
@pytest.mark.gen_test
async def test_calm_reports_what_was_held_and_dropped(house: House, bob: Person, choice: str) -> None:
    async with house.room.enter("Otto", moderator=True) as otto, house.enter("Mallory") as mallory:
        await house.press("set_moderation", rules={"words": {"action": "hold", "words": ["war"]}})
        ordinary = (await bob.say("no war please")).data["messageId"]
        await house.press("panic")
        answers = [await mallory.say(f"message {number}") for number in range(8)]
        assert [answer.event for answer in answers] == ["message_held"] * 5 + ["error"] * 3
        assert answers[7].data["code"] == "message_refused"
        ids = [answer.data["messageId"] for answer in answers[:5]]
        await house.press("release_message", messageId=ids[0])
        await house.press("drop_message", messageId=ids[1])
        report = await house.press("calm", held=choice)
        dropped, released = (3, 0) if choice == "drop" else (0, 3)
        assert report == {"held": 5, "dropped": 4 + dropped, "released": 1 + released}
        assert (await otto.hear("panic_report")).data == report
        event = "message_dropped" if choice == "drop" else "message_released"
        told = [frame.data["messageId"] for frame in await heard_by(mallory) if frame.event == event]
        assert set(ids[2:]) <= set(told)
        shown = texts(await heard_by(bob))
        assert shown == ["message 0", *([] if choice == "drop" else ["message 2", "message 3", "message 4"])]
        # What waited for another reason waits on.
        left = [one["message"]["id"] for one in (await house.press("get_held_messages"))["messages"]]
        assert left == [ordinary]
        entries = (await house.press("get_moderation_log"))["entries"]
        assert [entry["reason"] for entry in entries if entry["act"] == "calm"] == [
            "Held {held}, dropped {dropped}, released {released}.".format(**report)
        ]
        assert await house.press("calm") == {"held": 0, "dropped": 0, "released": 0}


@pytest.mark.gen_test
async def test_what_waits_in_the_filters_does_not_pass(house: House, bob: Person) -> None:
    """Many messages are under way at the moment of the panic; from its answer on none comes through."""
    async with house.enter("Mallory") as mallory:
        await house.rules()  # nothing but the panic is in their way
        early = [
            await mallory.send("send_message", {"text": f"{n} {LINK}", "clientMsgId": f"early-{n}"}) for n in range(50)
        ]
        await house.press("panic")
        late = [
            await mallory.send("send_message", {"text": f"{n} {LINK}", "clientMsgId": f"late-{n}"}) for n in range(50)
        ]
        answers = [await mallory.answer(number) for number in early + late]
        assert "message_ack" not in {answer.event for answer in answers[50:]}
        seen = texts(await heard_by(bob))
        assert len(seen) == sum(answer.event == "message_ack" for answer in answers)


@pytest.mark.gen_test
async def test_what_waits_for_its_time_waits_on(house: House, bob: Person) -> None:
    """Else what raiders said just before the panic would be shown in the middle of it."""
    await house.press("set_moderation", preset="careful")
    async with house.enter("Mallory") as mallory:
        held = (await mallory.say("hello from the raid")).data
        assert held["releaseAt"] is not None
        await mallory.hear("held_message")
        await house.press("panic")
        told = (await mallory.hear("held_message")).data
        assert (told["message"]["id"], told["releaseAt"], told["reason"]) == (held["messageId"], None, REASONS["panic"])
        assert (await house.olga.hear("held_messages")).data["messages"] == []  # when she came
        assert (await house.olga.hear("held_messages")).data["messages"] == [told]
        house.clock.advance(600)
        released = await house.server.held.release_due()
        assert released == 0
        assert texts(await heard_by(bob)) == []
        assert await house.press("calm", held="release") == {"held": 1, "dropped": 0, "released": 1}
        assert (await bob.hear("message")).data["id"] == held["messageId"]


@pytest.mark.gen_test
async def test_a_raider_is_kicked_in_the_panic(house: House, bob: Person) -> None:
    await house.press("set_moderation", rules={"words": {"action": "hold", "words": ["war"]}})
    await bob.say("no war please")
    async with house.enter("Mallory") as mallory:
        await house.press("panic")
        ids = {(await mallory.say(f"message {number}")).data["messageId"] for number in range(3)}
        await house.press("kick", targetSessionId=mallory.session_id)
        assert {(await house.olga.hear("message_dropped")).data["messageId"] for _ in ids} == ids
        (ordinary,) = (await house.press("get_held_messages"))["messages"]
        await house.press("release_message", messageId=ordinary["message"]["id"])
        assert await house.press("calm") == {"held": 3, "dropped": 3, "released": 0}


@pytest.mark.gen_test
async def test_two_moderators_press_at_once(house: House, bob: Person) -> None:
    async with house.room.enter("Otto", moderator=True) as otto, house.enter("Mallory") as mallory:
        for _ in range(3):
            both = await asyncio.gather(house.olga.ask("panic"), otto.ask("panic"))
            assert [answer.data["panic"] for answer in both] == [True, True]
            await mallory.say("held")
            reports = await asyncio.gather(house.olga.ask("calm"), otto.ask("calm"))
            assert sum(answer.data["dropped"] for answer in reports) == 1
        changes = [frame.data["panic"] for frame in await heard_by(bob) if frame.event == "moderation_changed"]
        assert changes == [True, False] * 3


@pytest.mark.gen_test
async def test_how_the_operator_sets_the_panic(moderated: Moderated, clock: SettableClock) -> None:
    async with moderated(newcomer_seconds=0, panic_slow_mode_seconds=0) as server:
        room = await open_room(server)
        async with room.enter("Olga", moderator=True) as olga, room.enter("Bob") as bob:
            clock.advance(1)
            await olga.ask("panic")
            clock.advance(1)
            assert (await bob.say("I was here a second before")).event == "message_ack"
            assert (await bob.say("and need not wait")).event == "message_ack"
            async with room.enter("Late") as late:
                assert (await late.say("hello")).event == "message_held"


class Slow:
    """A filter that takes its time with what Mallory says, after moderation has judged it."""

    def __init__(self) -> None:
        self.judged, self.go_on = asyncio.Event(), asyncio.Event()

    @hookimpl
    async def filter_message(self, draft: Draft) -> None:
        if draft.session.username == "Mallory":
            self.judged.set()
            await self.go_on.wait()


@asynccontextmanager
async def slow_house(folder: Path, clock: SettableClock, slow: Slow) -> AsyncIterator[House]:
    settings = settings_in(folder, plugins={"enabled": ("moderation",)})
    async with running_server(settings, clock, plugins={"slow": slow}) as server:
        room = await open_room(server)
        async with room.enter("Olga", moderator=True) as olga:
            yield House(server, clock, room, olga)


@pytest.mark.gen_test
async def test_what_was_judged_before_the_panic_and_stored_in_it_is_not_shown(
    tmp_path: Path, clock: SettableClock
) -> None:
    slow = Slow()
    async with slow_house(tmp_path, clock, slow) as house, house.enter("Mallory") as mallory:
        await house.press("set_moderation", preset="careful")
        said = await mallory.send("send_message", {"text": "hello from the raid", "clientMsgId": "1"})
        await slow.judged.wait()
        await house.press("panic")
        slow.go_on.set()
        assert (await mallory.answer(said)).data["releaseAt"] is not None
        house.clock.advance(2)
        told = (await mallory.hear("held_message")).data
        while told["releaseAt"] is not None:  # until the job has looked
            told = (await mallory.hear("held_message")).data
        assert told["reason"] == REASONS["panic"]
        house.clock.advance(600)
        assert await house.server.held.release_due() == 0
        assert await house.press("calm") == {"held": 1, "dropped": 1, "released": 0}


@pytest.mark.gen_test
async def test_calm_decides_also_what_is_on_its_way(tmp_path: Path, clock: SettableClock) -> None:
    slow = Slow()
    async with slow_house(tmp_path, clock, slow) as house, house.enter("Mallory") as mallory:
        await house.press("panic")
        said = await mallory.send("send_message", {"text": "hello from the raid", "clientMsgId": "1"})
        await slow.judged.wait()
        calm = await house.olga.send("calm", {})
        await house.olga.hear("moderation_changed")
        await house.olga.hear("moderation_changed")
        slow.go_on.set()
        assert (await mallory.answer(said)).event == "message_held"
        assert (await house.olga.answer(calm)).data == {"held": 1, "dropped": 1, "released": 0}
        assert (await house.press("get_held_messages"))["messages"] == []
