"""Held messages: the author sees them waiting, moderators with a countdown; released, dropped, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from anonchat.testing.people import Person, open_room
from anonchat_moderation.content.held import DROPPED, TAKEN_BACK
from anonchat_moderation.content.verdicts import REASONS

from .conftest import House, heard_by, texts

HOLD_LINKS = {"links": {"action": "hold"}}
NEWCOMERS = {"newcomers": {"action": "hold", "seconds": 300, "messages": 2, "holdSeconds": 20}}
NOBODY = {"messages": [], "hasMore": False}


@pytest.fixture
async def alice(house: House) -> AsyncIterator[Person]:
    async with house.enter("Alice") as alice:
        yield alice


@pytest.mark.gen_test
async def test_a_held_message_is_seen_waiting(house: House, alice: Person) -> None:
    await house.rules(**NEWCOMERS)
    async with house.enter("Bob") as bob:
        tab = await house.room.identify("Alice", alice.session_id, alice.token)
        told = (await alice.say("I am new here")).data
        assert told["releaseAt"] == "2027-01-15T08:00:20.000Z"
        assert told["reason"] == REASONS["newcomers"]
        waiting = (await house.olga.hear("held_message")).data
        assert waiting["releaseAt"] == "2027-01-15T08:00:20.000Z"
        assert waiting["message"]["id"] == told["messageId"]
        assert waiting["message"]["content"]["text"] == "I am new here"
        assert waiting["message"]["authorSessionId"] == alice.session_id
        assert (await tab.hear("held_message")).data == waiting
        assert all(frame.data == NOBODY for frame in await heard_by(bob) if "held" in frame.event)
        for person, seen in ((alice, [waiting]), (bob, []), (house.olga, [waiting])):
            again = await house.room.identify(person.username, person.session_id, person.token)
            assert (await again.hear("held_messages")).data == {"messages": seen, "hasMore": False}
            await again.close()
        await tab.close()


@pytest.mark.gen_test
async def test_it_is_released_when_its_time_has_come(house: House, alice: Person) -> None:
    await house.rules(**NEWCOMERS)
    async with house.enter("Bob") as bob:
        held = [(await alice.say(text)).data["messageId"] for text in ("one", "two")]
        assert (await alice.say("three")).event == "message_ack"  # two were held; from now on she is known
        house.clock.advance(19)
        assert texts(await heard_by(bob)) == ["three"]
        house.clock.advance(1)
        assert [(await bob.hear("message")).data["id"] for _ in held] == held
        assert [(await alice.hear("message")).data["id"] for _ in range(3)][1:] == held
        assert await house.press("get_held_messages") == NOBODY


@pytest.mark.gen_test
async def test_a_moderator_lets_it_through(house: House, alice: Person) -> None:
    await house.rules(**HOLD_LINKS)
    async with house.enter("Bob") as bob, house.room.enter("Otto", moderator=True) as otto:
        message_id = (await alice.say("example.com")).data["messageId"]
        assert await house.press("release_message", messageId=message_id) == {"messageId": message_id}
        assert (await bob.hear("message")).data["id"] == message_id
        assert (await alice.hear("message_released")).data == {"messageId": message_id}
        assert (await otto.hear("message_released")).data == {"messageId": message_id}
        for event in ("release_message", "drop_message"):
            assert (await otto.ask(event, {"messageId": message_id})).data["code"] == "conflict"
        assert await house.press("get_held_messages") == NOBODY


@pytest.mark.gen_test
async def test_a_moderator_drops_it(house: House, alice: Person) -> None:
    await house.rules(**HOLD_LINKS)
    async with house.enter("Bob") as bob, house.room.enter("Otto", moderator=True) as otto:
        message_id = (await alice.say("example.com")).data["messageId"]
        answer = await otto.ask("drop_message", {"messageId": message_id})
        told = (await alice.hear("message_dropped")).data
        assert told == answer.data == (await house.olga.hear("message_dropped")).data
        assert told["messageId"] == message_id
        assert texts(await heard_by(bob)) == []
        for event in ("release_message", "drop_message"):
            assert (await otto.ask(event, {"messageId": message_id})).data["code"] == "message_not_found"
        assert await house.press("get_held_messages") == NOBODY


@pytest.mark.gen_test
async def test_two_moderators_decide_at_once(house: House, alice: Person) -> None:
    """One of them does; the other is told that somebody was faster. The message is shown or gone, never both."""
    await house.rules(**HOLD_LINKS)
    async with house.room.enter("Otto", moderator=True) as otto:
        for number in range(5):
            message_id = (await alice.say(f"example.com/{number}")).data["messageId"]
            asked = [await house.olga.send("release_message", {"messageId": message_id})]
            asked.append(await otto.send("drop_message", {"messageId": message_id}))
            answers = [await house.olga.answer(asked[0]), await otto.answer(asked[1])]
            assert sorted(answer.event == "error" for answer in answers) == [False, True]
            shown = message_id in [frame.data["id"] for frame in await heard_by(alice) if frame.event == "message"]
            assert shown is (answers[0].event == "message_released")


@pytest.mark.gen_test
async def test_messages_of_another_room_are_none_of_ones_business(house: House) -> None:
    other = await open_room(house.server, "Another")
    async with other.enter("Otto", moderator=True) as otto, other.enter("Carol") as carol:
        await otto.ask("set_moderation", {"rules": HOLD_LINKS})
        message_id = (await carol.say("example.com")).data["messageId"]
        for event in ("release_message", "drop_message"):
            for wrong in (message_id, "nothing"):
                assert (await house.olga.ask(event, {"messageId": wrong})).data["code"] == "message_not_found"
        assert len((await otto.ask("get_held_messages")).data["messages"]) == 1


@pytest.mark.gen_test
async def test_what_may_not_even_wait_was_not_said(house: House) -> None:
    """Said again it is refused for the same reason, and it is none of the first messages of a newcomer."""
    newcomers = {"action": "hold", "messages": 7, "seconds": 600, "holdSeconds": 600}
    await house.rules(newcomers=newcomers, repeats={"action": "refuse", "times": 1})
    async with house.enter("Nora") as nora:
        for word in ("one", "two", "three", "four", "five"):
            assert (await nora.say(f"this is number {word}")).event == "message_held"
        for _ in range(3):
            assert (await nora.say("this is one too many")).data["message"] == REASONS["waiting"]
        for held in (await house.press("get_held_messages"))["messages"]:
            await house.press("release_message", messageId=held["message"]["id"])
        answers = [await nora.say(text) for text in ("this is one too many", "and the seventh", "and the eighth")]
        assert [answer.event for answer in answers] == ["message_held", "message_held", "message_ack"]


@pytest.mark.gen_test
async def test_how_many_may_wait(house: House, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat_moderation.content.waiting.MOST_IN_ROOM", 7)
    await house.rules(**HOLD_LINKS)
    numbers = [
        await alice.send("send_message", {"text": f"example.com/{number}", "clientMsgId": f"{number}"})
        for number in range(8)
    ]
    answers = [await alice.answer(number) for number in numbers]
    assert [answer.event for answer in answers] == ["message_held"] * 5 + ["error"] * 3
    assert answers[5].data["message"] == REASONS["waiting"]
    async with house.enter("Bob") as bob:
        assert [(await bob.say(f"example.org/{number}")).event for number in range(3)] == ["message_held"] * 2 + [
            "error"
        ]
        assert (await bob.say("no link")).event == "message_ack"
        await house.press("drop_message", messageId=answers[0].data["messageId"])
        assert (await bob.say("example.org/4")).event == "message_held"
        assert (await bob.say("example.org/5")).event == "error"
        house.clock.advance(2)  # what happened elsewhere is read anew: it is the same
        assert (await bob.say("example.org/6")).event == "error"


@pytest.mark.gen_test
async def test_a_list_that_is_too_long_says_so(house: House, alice: Person) -> None:
    await house.rules(**HOLD_LINKS)
    for number in range(5):
        await alice.say(f"example.com/{number} " + "日" * 3_900)
    page: Any = await house.press("get_held_messages")
    assert (len(page["messages"]), page["hasMore"]) == (5, False)
    others = [await house.room.join(f"Person {number}") for number in range(16)]
    for reply in others:
        person = await house.room.identify("x", reply.body["sessionId"], reply.body["sessionToken"])
        await person.say("example.com " + "日" * 3_900)
        await person.close()
    page = await house.press("get_held_messages")
    assert 5 < len(page["messages"]) < 21
    assert page["hasMore"] is True


@pytest.mark.parametrize("act", ["kick", "ban"])
@pytest.mark.gen_test
async def test_of_those_who_are_sent_away_nothing_waits(house: House, act: str) -> None:
    await house.rules(**HOLD_LINKS)
    async with house.enter("Bob") as bob, house.enter("Mallory") as mallory:
        stays = (await bob.say("example.org")).data["messageId"]
        gone = {(await mallory.say(f"example.com/{number}")).data["messageId"] for number in range(3)}
        await house.press(act, targetSessionId=mallory.session_id)
        dropped = {(await house.olga.hear("message_dropped")).data["messageId"] for _ in gone}
        assert dropped == gone
        left = (await house.press("get_held_messages"))["messages"]
        assert [one["message"]["id"] for one in left] == [stays]


@pytest.mark.gen_test
async def test_what_waits_goes_with_all_that_somebody_wrote(house: House) -> None:
    """Author and moderators are told, so that nobody keeps a row whose buttons do nothing."""
    await house.rules(**HOLD_LINKS)
    async with house.enter("Mallory") as mallory:
        held = (await mallory.say("example.com")).data["messageId"]
        await house.press("purge_messages", targetSessionId=mallory.session_id)
        for person in (house.olga, mallory):
            assert (await person.hear("message_dropped")).data["messageId"] == held
        assert (await house.press("get_held_messages"))["messages"] == []


@pytest.mark.gen_test
async def test_an_author_takes_it_back(house: House) -> None:
    """By deleting the message, or by leaving with "forget me"; who only leaves is waited for."""
    await house.rules(**HOLD_LINKS)
    async with house.enter("Alice") as alice, house.enter("Bob") as bob, house.enter("Carol") as carol:
        ids = [(await person.say("example.org")).data["messageId"] for person in (alice, bob, carol)]
        assert (await alice.ask("delete_message", {"messageId": ids[0]})).event == "delete_ack"
        assert (await house.olga.hear("message_dropped")).data["messageId"] == ids[0]
        await bob.send("leave", {"forget": True})
        assert (await house.olga.hear("message_dropped")).data["messageId"] == ids[1]
        await carol.send("leave")
        while await carol.read() is not None:
            pass
        left = (await house.press("get_held_messages"))["messages"]
        assert [one["message"]["id"] for one in left] == [ids[2]]


@pytest.mark.gen_test
async def test_it_is_said_who_has_deleted_it(house: House, alice: Person) -> None:
    await house.rules(**HOLD_LINKS)
    for person, reason in ((alice, TAKEN_BACK), (house.olga, DROPPED)):
        message_id = (await alice.say("example.org")).data["messageId"]
        assert (await person.ask("delete_message", {"messageId": message_id})).event == "delete_ack"
        for hears in (alice, house.olga):
            assert (await hears.hear("message_dropped")).data == {"messageId": message_id, "reason": reason}


@pytest.mark.gen_test
async def test_what_was_forgotten_leaves_the_screens_of_moderators_also_after_a_while(house: House) -> None:
    """What waits was read so long ago that it is read anew, and is not there any more."""
    await house.rules(**HOLD_LINKS)
    async with house.enter("Bob") as bob:
        ids = [(await bob.say(f"example.org/{number}")).data["messageId"] for number in range(2)]
        house.clock.advance(10)
        await bob.send("leave", {"forget": True})
        assert {(await house.olga.hear("message_dropped")).data["messageId"] for _ in ids} == set(ids)


@pytest.mark.gen_test
async def test_what_was_done_stands_in_the_log(house: House, alice: Person) -> None:
    await house.rules(**HOLD_LINKS)
    ids = [(await alice.say(f"example.com/{number}")).data["messageId"] for number in range(4)]
    for message_id in ids[:2]:
        await house.press("release_message", messageId=message_id)
    await house.press("drop_message", messageId=ids[2])
    wanted = {("held", "rule"): 4, ("released", "moderator"): 2, ("dropped", "moderator"): 1}
    found: dict[tuple[str, str], int] = {}
    async with asyncio.timeout(60):  # what rules did is written once a second
        while not wanted.items() <= found.items():
            await asyncio.sleep(0.05)
            entries = (await house.press("get_moderation_log"))["entries"]
            found = {(entry["act"], entry["by"]): entry["count"] for entry in entries}


@pytest.mark.gen_test
async def test_who_is_promoted_sees_what_waits_and_who_is_demoted_does_not_any_more(
    house: House, alice: Person
) -> None:
    await house.rules(**NEWCOMERS)
    async with house.enter("Meg") as meg:
        await heard_by(meg)
        await alice.say("I am new here")
        await house.press("promote", targetSessionId=meg.session_id)
        while not (held := (await meg.hear("held_messages")).data["messages"]):
            pass
        assert [one["message"]["content"]["text"] for one in held] == ["I am new here"]
        await house.press("demote", targetSessionId=meg.session_id)
        assert (await meg.hear("held_messages")).data == NOBODY
