"""What polls and moderation cause: written in their transactions, and told with their commits to who is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from anonchat import iso
from anonchat.app import Server
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person
from anonchat_notifications.tables import entries

pytestmark = pytest.mark.gen_test


async def inbox(person: Person, **asked: Any) -> Mapping[str, Any]:
    return (await person.ask("get_notifications", asked)).data


async def types(person: Person) -> list[str]:
    return [told["type"] for told in (await inbox(person))["notifications"]]


# --- polls


async def test_a_poll_is_told_to_everybody_but_its_owner(
    room: OpenRoom, alice: Person, bob: Person, zoe: Person, others: Any, server: Server
) -> None:
    await bob.ask("set_notification_preferences", {"types": {"poll_opened": False}})
    message_id = await others.open_poll(zoe, "Where to?")
    told = (await alice.hear("notification")).data
    assert (told["type"], told["message"]["contentType"]) == ("poll_opened", "poll")
    assert (told["message"]["id"], told["message"]["excerpt"]) == (message_id, "Where to?")
    assert (await types(alice), await types(bob), await types(zoe)) == (["poll_opened"], [], [])
    assert len(await server.journal.fetch_all(entries.select())) == 1  # one row, however many people


async def test_the_close_of_a_poll_is_told_to_everybody_but_its_owner(
    room: OpenRoom, alice: Person, zoe: Person, others: Any
) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    assert (await alice.hear("notification")).data["type"] == "poll_opened"
    await others.close_poll(room, zoe, message_id)
    told = (await alice.hear("notification")).data
    assert (told["type"], told["message"]["id"], told["read"]) == ("poll_closed", message_id, False)
    assert told == (await inbox(alice))["notifications"][0]
    assert (await types(alice), await types(zoe)) == (["poll_closed", "poll_opened"], [])


async def test_who_joins_or_wants_it_later_is_not_told(
    room: OpenRoom, alice: Person, bob: Person, zoe: Person, others: Any, clock: SettableClock
) -> None:
    await bob.ask("set_notification_preferences", {"types": {"poll_closed": False}})
    message_id = await others.open_poll(zoe, "Where to?")
    await others.close_poll(room, zoe, message_id)
    clock.advance(0.01)
    await bob.ask("set_notification_preferences", {"types": {"poll_closed": True}})
    async with room.enter("Carol") as carol:
        told = {}
        for person in (alice, bob, carol, zoe):
            await person.ask("get_notification_preferences")
            told[person.username] = [heard.data["type"] for heard in person._heard if heard.event == "notification"]
        assert told == {"Alice": ["poll_opened", "poll_closed"], "Bob": ["poll_opened"], "Carol": [], "Zoe": []}
        assert await types(carol) == []


async def test_a_poll_that_is_closed_twice_is_told_once(
    room: OpenRoom, alice: Person, zoe: Person, others: Any
) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    for _ in range(2):
        await others.close_poll(room, zoe, message_id)
    assert await types(alice) == ["poll_closed", "poll_opened"]


async def test_votes_on_ones_own_poll_are_one_notification_whose_number_grows(
    server: Server, room: OpenRoom, alice: Person, zoe: Person, others: Any
) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    heard = []
    for voters in (1, 3, 7):
        await others.count_votes(room, zoe, message_id, voters)
        heard.append((await zoe.hear("notification")).data)
    assert [told["voters"] for told in heard] == [1, 3, 7]
    assert {(told["type"], told["id"], told["message"]["id"]) for told in heard} == {
        ("votes", heard[0]["id"], message_id)
    }
    assert await inbox(zoe) == {"notifications": [heard[2]], "unread": 1, "hasMore": False}
    assert await types(alice) == ["poll_opened"]


async def test_votes_after_the_number_was_read_are_new(
    server: Server, room: OpenRoom, zoe: Person, others: Any
) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    await others.count_votes(room, zoe, message_id, 2)
    first = (await zoe.hear("notification")).data["id"]
    await zoe.ask("mark_all_notifications_read")
    for voters in (1, 2, 0):  # votes that were taken back are no news
        await others.count_votes(room, zoe, message_id, voters)
    await others.count_votes(room, zoe, message_id, 3)
    told = (await zoe.hear("notification")).data
    assert told["voters"] == 3
    assert told["id"] != first
    (kept,) = (await inbox(zoe, unreadOnly=False))["notifications"]
    assert kept == told


async def test_votes_that_nobody_wants_to_hear_of(server: Server, room: OpenRoom, zoe: Person, others: Any) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    await zoe.ask("set_notification_preferences", {"types": {"votes": False}})
    await others.count_votes(room, zoe, message_id, 2)
    await server.dispatcher.settle()
    assert (await inbox(zoe))["unread"] == 0


async def test_a_poll_that_is_deleted_takes_everything_with_it(
    server: Server, room: OpenRoom, alice: Person, zoe: Person, others: Any
) -> None:
    message_id = await others.open_poll(zoe, "Where to?")
    await others.count_votes(room, zoe, message_id, 2)
    await others.close_poll(room, zoe, message_id)
    await server.dispatcher.settle()
    await zoe.ask("delete_message", {"messageId": message_id})
    await others.count_votes(room, zoe, message_id, 3)
    await server.dispatcher.settle()
    assert await server.journal.fetch_all(entries.select()) == []


# --- moderation


async def test_acts_of_moderation_are_told_to_whom_they_concern(
    room: OpenRoom, alice: Person, bob: Person, others: Any, clock: SettableClock
) -> None:
    until = clock.now() + 60_000
    await others.act(room, "mute", alice, until)
    told = (await alice.hear("notification")).data
    assert (told["type"], told["act"], told["until"]) == ("moderation", "mute", iso(until))
    assert "Shouting." not in str(told)
    for act in ("unmute", "promote", "demote", "held", "dropped", "removed"):
        await others.act(room, act, alice)
        assert (await alice.hear("notification")).data["act"] == act
    acts = [(told["act"], told["until"]) for told in (await inbox(alice))["notifications"]]
    assert acts[:2] == [("removed", None), ("dropped", None)]
    assert len(acts) == 7
    assert await types(bob) == []


async def test_an_act_that_is_undone_was_never_told(room: OpenRoom, alice: Person, others: Any) -> None:
    with pytest.raises(ValueError, match="promote"):
        await others.act(room, "promote", alice, fails=True)
    await others.act(room, "demote", alice)
    assert (await alice.hear("notification")).data["act"] == "demote"
    assert len((await inbox(alice))["notifications"]) == 1


@pytest.mark.parametrize("act", ["kick", "ban"])
async def test_who_is_sent_away_has_no_inbox_any_more(room: OpenRoom, alice: Person, others: Any, act: str) -> None:
    await others.act(room, act, alice)
    assert (await inbox(alice))["unread"] == 0


async def test_acts_on_somebody_who_has_left(room: OpenRoom, alice: Person, others: Any) -> None:
    async with room.enter("Bob") as bob:
        await bob.ask("leave")
    for act in ("mute", "unmute", "removed"):
        await others.act(room, act, bob)
    assert (await alice.say("still here")).event == "message_ack"


# --- muted people


async def test_a_muted_person_notifies_nobody(
    room: OpenRoom, alice: Person, bob: Person, zoe: Person, others: Any, clock: SettableClock
) -> None:
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    held = (await alice.say("hold on", replyToId=asked)).data["messageId"]
    await others.act(room, "mute", alice, clock.now() + 60_000)
    await others.ctx.messages.release(room.id, held)  # sent before, and shown now
    await others.open_poll(alice, "Shall we?")
    await alice.say("@Bob psst")  # what keeps her from it is moderation's business, not this plugin's
    assert await types(bob) == []
    clock.advance(61)
    await alice.say("@Bob sorry")
    assert await types(bob) == ["mention"]


async def test_who_is_unmuted_is_heard_again(room: OpenRoom, alice: Person, bob: Person, others: Any) -> None:
    await others.act(room, "mute", alice)
    await alice.say("@Bob one")
    await others.act(room, "unmute", alice)
    await alice.say("@Bob two")
    assert [told["message"]["excerpt"] for told in (await inbox(bob))["notifications"]] == ["@Bob two"]
