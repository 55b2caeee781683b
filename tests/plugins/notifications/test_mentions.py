"""Who is mentioned by a text: reading it, and deciding it when the message is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from anonchat import folded_name
from anonchat.app import Server
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person
from anonchat_notifications.mentions import _ANY, _ASCII, MOST_ENDS, MOST_MARKS, candidates, chosen

NAMES = {
    folded_name(name)
    for name in ("Bob", "Anna", "Anna Maria", "Anna-Lena", "J. R.", "Zoë", "संजय", "🦊 Fox", "O'Neil", "x.y", "Room Service")
}  # fmt: skip


def mentioned(text: str) -> list[str]:
    return chosen(candidates(text), NAMES)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Bob", ["bob"]),
        ("Hello @bob!", ["bob"]),
        ("(@BOB)", ["bob"]),
        ("@Bob's turn", ["bob"]),
        ("@Bob, @Anna", ["bob", "anna"]),
        ("ask @Anna Maria about it", ["anna maria"]),
        ("ask @Anna  Maria", ["anna maria"]),
        ("ask @Anna Mariana", ["anna"]),
        ("@Anna\nMaria", ["anna"]),
        ("@Anna-Lena and @Anna", ["anna-lena", "anna"]),
        ("@J. R. said so", ["j. r."]),
        ("@x.y.", ["x.y"]),
        ("@O'Neil?", ["o'neil"]),
        ("@Zoe\u0308", [folded_name("Zoë")]),
        ("@संजय जी", ["संजय"]),
        ("@🦊 Fox runs", ["🦊 fox"]),
        ("@Bob @bob @BOB", ["bob"]),
        ("@room, @Room service", ["room", "room service"]),
        ("bullet:@Bob", ["bob"]),
        ("bob@Bob.example", []),
        ("me+tag@Bob", []),
        ("https://example.org/@Bob", []),
        ("@@Bob", []),
        ("@ Bob", []),
        ("@Bobby", []),
        ("@", []),
        ("Bob", []),
    ],
)
def test_what_is_a_mention(text: str, names: list[str]) -> None:
    assert mentioned(text) == names


def word(letter: str) -> bool:
    """Whether it makes up words, or stands in the midst of one."""
    return regex.fullmatch(r"[\p{L}\p{M}\p{N}_\u200c\u200d]", letter) is not None


def one_by_one(text: str) -> list[list[str]]:
    """The candidates, each cut out first and then folded by itself."""
    patterns = _ASCII if text.isascii() else _ANY
    found = []
    for mark in patterns.mark.finditer(text):
        if (reach := patterns.reach.match(text, mark.end())) is not None:
            whole = text[mark.end() : reach.end() + 1]
            cut = [end for end in range(1, len(whole) + 1) if not (word(whole[end - 1]) and word(whole[end : end + 1]))]
            ends = [end for end in cut if not whole[end - 1].isspace()][:MOST_ENDS]
            found.append([folded_name(whole[:end]) for end in reversed(ends) if end <= len(reach[0])])
    return found[:MOST_MARKS]


@given(st.text("aBK_1-.'! @/\n\x1f\xa0ß\u0301é\u200dK🦊", max_size=80) | st.text("aB1 @-.,\0", max_size=80))
@example("@" + "a  " * 20)
@example("@Anna  Maria  \x1f@Bob \xa0C")
def test_what_is_folded_at_once_is_folded_one_by_one(text: str) -> None:
    assert candidates(text) == one_by_one(text)


@pytest.mark.parametrize(
    "text", ["@a " * 2_000, "@" * 4_000, "@" + "a-" * 2_000, "@" + "! " * 2_000, "@a" + "\u0301" * 3_998]
)
def test_what_is_looked_at_is_bounded(text: str) -> None:
    found = candidates(text)
    assert len(found) <= MOST_MARKS
    assert all(len(mark) <= MOST_ENDS for mark in found)


# --- in a room

live = pytest.mark.gen_test


async def heard_message(person: Person, text: str) -> Mapping[str, Any]:
    """The next message with that text."""
    while (heard := await person.hear("message")).data["content"]["text"] != text:
        pass
    return heard.data


@live
async def test_a_message_says_whom_it_mentions(room: OpenRoom, alice: Person, bob: Person) -> None:
    async with room.enter("Anna Maria") as anna:
        await alice.say("@anna maria and @BOB and @nobody")
        message = await heard_message(bob, "@anna maria and @BOB and @nobody")
        assert message["mentions"] == ["Anna Maria", "Bob"]
        assert message["content"]["mentionIds"] == [anna.session_id, bob.session_id]


@live
async def test_other_messages_stay_as_they_are(alice: Person, bob: Person) -> None:
    for text in ("Hello Bob", "bob@example.org", "@nobody", "@room"):
        await alice.say(text)
        message = await heard_message(bob, text)
        assert message["content"] == {"type": "text", "text": text}
        assert message["mentions"] == []


@live
async def test_at_most_five_people_hear_of_a_message(room: OpenRoom, alice: Person) -> None:
    names = [f"Person {letter}" for letter in "ABCDEFG"]
    for name in names:
        assert (await room.join(name)).status == 201
    text = ", ".join(f"@{name}" for name in names)
    await alice.say(text)
    assert (await heard_message(alice, text))["mentions"] == names[:5]


@live
async def test_an_edit_says_whom_it_mentions_and_notifies_nobody(alice: Person, bob: Person, zoe: Person) -> None:
    message_id = (await alice.say("@Bob look")).data["serverMessageId"]
    assert (await bob.hear("notification")).data["type"] == "mention"
    for text, names in (("@Zoe look", ["Zoe"]), ("look", [])):
        await alice.ask("edit_message", {"messageId": message_id, "text": text})
        changed = (await zoe.hear("message_edited")).data["message"]
        assert changed["mentions"] == names
        assert changed["content"].get("mentionIds", []) == [zoe.session_id] * len(names)
    assert (await zoe.ask("get_notifications")).data["unread"] == 0
    (kept,) = (await bob.ask("get_notifications")).data["notifications"]
    assert kept["message"]["excerpt"] == "look"  # what is shown is what stands there now


@live
async def test_recipients_are_kept_as_sessions_since_names_get_reused(
    server: Server, room: OpenRoom, alice: Person
) -> None:
    async with room.enter("Carol") as carol:
        await alice.say("@Carol psst")
        assert (await carol.hear("notification")).data["type"] == "mention"
        await carol.ask("leave")
    async with room.enter("Carol") as other:
        assert (await other.hear("notifications")).data == {"notifications": [], "unread": 0, "hasMore": False}


# --- everybody


@live
async def test_a_moderator_mentions_everybody(
    room: OpenRoom, alice: Person, bob: Person, zoe: Person, clock: SettableClock
) -> None:
    await zoe.say("@room lunch is ready")
    for person in (alice, bob):
        told = (await person.hear("notification")).data
        assert (told["type"], told["message"]["excerpt"]) == ("room", "@room lunch is ready")
        assert (await person.ask("get_notifications")).data["unread"] == 1
    assert (await zoe.ask("get_notifications")).data["unread"] == 0  # her own
    assert (await heard_message(alice, "@room lunch is ready"))["content"]["mentionsRoom"] is True
    clock.advance(1)
    async with room.enter("Late") as late:  # was not meant
        assert (await late.hear("notifications")).data["unread"] == 0


@live
async def test_a_mention_of_everybody_by_a_participant_is_plain_text(alice: Person, bob: Person) -> None:
    await alice.say("@room free money")
    assert (await heard_message(bob, "@room free money"))["content"] == {"type": "text", "text": "@room free money"}
    assert (await bob.ask("get_notifications")).data["unread"] == 0


@live
async def test_a_mention_of_everybody_has_a_limit(room: OpenRoom, alice: Person, zoe: Person) -> None:
    for number in range(3):
        assert (await zoe.say(f"@room {number}")).event == "message_ack"
    async with room.enter("Yann", moderator=True) as yann:  # the limit is the room's
        refused = await yann.say("@room 3")
    assert (refused.data["code"], refused.data["retryAfterMs"] > 0) == ("rate_limited", True)
    assert (await zoe.say("no more of that")).event == "message_ack"
    assert (await alice.ask("get_notifications")).data["unread"] == 3


@live
async def test_a_name_that_begins_with_room_is_a_name(room: OpenRoom, alice: Person, zoe: Person) -> None:
    async with room.enter("Room 12") as twelve:
        await zoe.say("@Room 12 please")
        assert (await twelve.hear("notification")).data["type"] == "mention"
    assert (await alice.ask("get_notifications")).data["unread"] == 0


@live
@pytest.mark.parametrize("options", [{"room_mentions": "off"}])
async def test_the_limit_can_be_lifted(alice: Person, zoe: Person) -> None:
    for number in range(5):
        assert (await zoe.say(f"@room {number}")).event == "message_ack"
    assert (await alice.ask("get_notifications")).data["unread"] == 5
