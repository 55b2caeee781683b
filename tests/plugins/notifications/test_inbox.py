"""What people are notified of: live and stored, read, paged, wanted and not wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from anonchat import Message, StartError, Transaction, hookimpl, iso, messages_table
from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person, open_room, request
from anonchat_notifications.tables import entries, unwanted

pytestmark = pytest.mark.gen_test

ROUNDS = 24
EMPTY = {"notifications": [], "unread": 0, "hasMore": False}


async def inbox(person: Person, **asked: Any) -> Mapping[str, Any]:
    return (await person.ask("get_notifications", asked)).data


async def excerpts(person: Person, **asked: Any) -> list[str]:
    return [told["message"]["excerpt"] for told in (await inbox(person, **asked))["notifications"]]


async def last_said(server: Server, text: str, most: int) -> list[str]:
    """The ids of the last messages whose text is like that, in their order."""
    said = (
        select(messages_table.c.id).where(messages_table.c.content.like(f'%"{text}"%')).order_by(messages_table.c.seq)
    )
    return [row["id"] for row in (await server.journal.fetch_all(said))][-most:]


async def count(server: Server, table: Any) -> int:
    rows = await server.journal.fetch_all(table.select())
    return len(rows)


async def here(room: OpenRoom, username: str) -> Person:
    """Return somebody who has come and whose socket the test closes."""
    reply = await room.join(username)
    return await room.identify(username, reply.body["sessionId"], reply.body["sessionToken"])


async def back(person: Person, room: OpenRoom) -> Person:
    """Return one more socket of the person, which the test closes."""
    return await room.identify(person.username, person.session_id, person.token)


# --- mentions and replies


async def test_who_is_there_hears_of_a_mention_at_once(alice: Person, bob: Person, clock: SettableClock) -> None:
    ack = await alice.say("@Bob look")
    told = dict((await bob.hear("notification")).data)
    assert len(told.pop("id")) == 36
    assert told == {
        "type": "mention",
        "createdAt": iso(clock.now()),
        "read": False,
        "message": {
            "id": ack.data["serverMessageId"],
            "seq": 1,
            "authorUsername": "Alice",
            "anonymousId": next(heard.data["anonymousId"] for heard in alice.welcome if heard.event == "identified"),
            "authorSessionId": alice.session_id,
            "contentType": "text",
            "excerpt": "@Bob look",
        },
    }
    assert {**(await inbox(bob))["notifications"][0], "id": None} == {**told, "id": None}


async def live(person: Person) -> list[str]:
    """What a person heard up to now: texts of messages, and of what notifications are about in brackets."""
    await person.send("heartbeat")
    heard = []
    while (frame := await person.read()) is not None and frame.event != "heartbeat_ack":
        if frame.event == "message":
            heard.append(frame.data["content"]["text"])
        elif frame.event == "notification":
            heard.append(f"({frame.data['message']['excerpt']})")
    return heard


async def test_who_is_there_hears_of_a_message_before_it(alice: Person, bob: Person, zoe: Person) -> None:
    """So it is on every node: what removes a message comes after the message, and thus after what tells of it."""
    await alice.say("@Bob one")
    await alice.say("two")
    await zoe.say("@room three, @Alice")
    assert await live(bob) == ["(@Bob one)", "@Bob one", "two", "(@room three, @Alice)", "@room three, @Alice"]


async def test_only_whose_row_is_written_is_told(room: OpenRoom, alice: Person, bob: Person, zoe: Person) -> None:
    await bob.ask("set_notification_preferences", {"ignored": [alice.session_id]})
    for text in ("@Bob", "@Bob, @Zoe", "@Zoe"):
        await alice.say(text)
    assert await live(bob) == ["@Bob", "@Bob, @Zoe", "@Zoe"]
    assert await live(zoe) == ["@Bob", "(@Bob, @Zoe)", "@Bob, @Zoe", "(@Zoe)", "@Zoe"]


async def test_who_is_away_finds_it_when_they_come(room: OpenRoom, alice: Person) -> None:
    bob = await here(room, "Bob")
    await bob.close()
    await alice.say("@Bob one")
    await alice.say("@Bob two")
    bob = await back(bob, room)
    told = (await bob.hear("notifications")).data
    assert [one["message"]["excerpt"] for one in told["notifications"]] == ["@Bob two", "@Bob one"]
    assert told["unread"] == 2
    await bob.close()


async def test_a_reply_notifies_the_author(alice: Person, bob: Person, zoe: Person) -> None:
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    await alice.say("Yes", replyToId=asked)
    told = (await bob.hear("notification")).data
    assert (told["type"], told["message"]["excerpt"]) == ("reply", "Yes")
    assert await inbox(zoe) == EMPTY


async def test_a_reply_that_mentions_its_author_is_told_once(alice: Person, bob: Person) -> None:
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    await alice.say("@Bob yes", replyToId=asked)
    (told,) = (await inbox(bob))["notifications"]
    assert told["type"] == "mention"
    await bob.ask("set_notification_preferences", {"types": {"mention": False}})
    await alice.say("@Bob no", replyToId=asked)  # the second reason counts where the first is not wanted
    (told,) = (await inbox(bob))["notifications"]
    assert (told["type"], told["message"]["excerpt"]) == ("reply", "@Bob no")


async def test_ones_own_acts_notify_nobody(alice: Person, zoe: Person) -> None:
    own = (await alice.say("@Alice note to myself")).data["serverMessageId"]
    await alice.say("and more", replyToId=own)
    assert await inbox(alice) == EMPTY


async def test_a_held_message_notifies_when_it_is_released(
    room: OpenRoom, alice: Person, bob: Person, others: Any
) -> None:
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    reply = (await alice.say("hold that thought", replyToId=asked)).data["messageId"]
    mention = (await alice.say("hold on, @Bob")).data["messageId"]
    assert await inbox(bob) == EMPTY
    for message_id, kind in ((reply, "reply"), (mention, "mention")):
        await others.ctx.messages.release(room.id, message_id)
        assert (await bob.hear("notification")).data["type"] == kind


async def test_a_held_message_is_for_whom_it_was_meant(room: OpenRoom, alice: Person, others: Any) -> None:
    carol = await here(room, "Carol")
    held = (await alice.say("hold on, @Carol")).data["messageId"]
    await carol.ask("leave")
    await carol.close()
    async with room.enter("Carol") as other:
        await others.ctx.messages.release(room.id, held)
        assert (await other.hear("message")).data["mentions"] == ["Carol"]
        assert await inbox(other) == EMPTY


class Fails:
    """Refuses what says so, after everybody else has written."""

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: list[Message]) -> None:
        if any("fail" in message.content["text"] for message in messages):
            raise ValueError


async def test_rows_are_written_with_their_message_or_not_at_all(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": ("notifications",)})
    async with running_server(settings, plugins={"fails": Fails()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob") as bob:
            assert (await alice.say("@Bob fail")).data["code"] == "plugin_failed"
            assert (await alice.say("@Bob good")).event == "message_ack"
            assert await live(bob) == ["(@Bob good)", "@Bob good"]
            assert await excerpts(bob) == ["@Bob good"]


async def test_somebody_who_has_left_refuses_no_message(
    server: Server, room: OpenRoom, alice: Person, bob: Person, others: Any
) -> None:
    """Between the look at the names and the commit one of those who are meant may go."""
    carol = await here(room, "Carol")
    await carol.ask("leave")
    await carol.close()
    session = await server.sessions.get(alice.session_id)
    meant = [carol.session_id, bob.session_id]
    await others.ctx.messages.send(session, {"type": "text", "text": "hello", "mentionIds": meant})
    assert await excerpts(bob) == ["hello"]
    assert await count(server, entries) == 1


async def test_long_messages_are_shown_in_part(alice: Person, bob: Person) -> None:
    await alice.say("@Bob " + "x" * 500)
    assert await excerpts(bob) == ["@Bob " + "x" * 195 + "…"]


# --- reading


async def test_one_is_marked_as_read_and_other_tabs_hear_of_it(room: OpenRoom, alice: Person, bob: Person) -> None:
    tab = await back(bob, room)
    assert (await tab.hear("notifications")).data == EMPTY
    for text in ("@Bob one", "@Bob two"):
        await alice.say(text)
    newest, oldest = (await inbox(bob))["notifications"]
    answer = await bob.ask("mark_notification_read", {"notificationId": newest["id"]})
    left = {"notifications": [oldest], "unread": 1, "hasMore": False}
    assert (answer.event, answer.data) == ("notifications", left)
    assert (await tab.hear("notifications")).data == left
    again = await bob.ask("mark_notification_read", {"notificationId": newest["id"]})
    assert again.data == left
    assert [told["read"] for told in (await inbox(bob, unreadOnly=False))["notifications"]] == [True, False]
    await tab.close()


async def test_all_are_marked_as_read(room: OpenRoom, alice: Person, bob: Person, zoe: Person) -> None:
    tab = await back(bob, room)
    await alice.say("@Bob one")
    await zoe.say("@room two")
    assert (await inbox(bob))["unread"] == 2
    assert (await bob.ask("mark_all_notifications_read")).data == EMPTY
    while (await tab.hear("notifications")).data != EMPTY:
        pass
    assert await excerpts(bob, unreadOnly=False) == ["@room two", "@Bob one"]
    assert (await inbox(alice))["unread"] == 1  # it is read by one, and not by the others
    await alice.say("@Bob three")
    assert await excerpts(bob) == ["@Bob three"]
    await tab.close()


async def test_what_is_for_everybody_is_read_by_each(alice: Person, bob: Person, zoe: Person) -> None:
    await zoe.say("@room one")
    (told,) = (await inbox(bob))["notifications"]
    for _ in range(2):
        answer = await bob.ask("mark_notification_read", {"notificationId": told["id"]})
        assert answer.data == EMPTY
    assert [one["read"] for one in (await inbox(bob, unreadOnly=False))["notifications"]] == [True]
    assert (await inbox(alice))["unread"] == 1


async def test_nobody_marks_or_sees_what_is_not_theirs(server: Server, alice: Person, bob: Person, zoe: Person) -> None:
    await alice.say("@Bob psst")
    await zoe.say("@room lunch")
    shared, own = (await inbox(bob))["notifications"]
    async with (await open_room(server)).enter("Eve") as eve:
        for entry in (shared, own):
            answer = await eve.ask("mark_notification_read", {"notificationId": entry["id"]})
            assert answer.data["code"] == "not_found"
    assert (await alice.ask("mark_notification_read", {"notificationId": own["id"]})).data["code"] == "not_found"
    assert (await bob.ask("mark_notification_read", {"notificationId": "nothing"})).data["code"] == "not_found"
    assert (await inbox(bob))["unread"] == 2


async def test_pages(alice: Person, bob: Person, zoe: Person, clock: SettableClock) -> None:
    for number in range(9):
        clock.advance(1)
        await (zoe.say(f"@room {number}") if number in (2, 5) else alice.say(f"@Bob {number}"))
    pages, before = [], None
    while True:
        page = await inbox(bob, before=before, limit=4)
        pages.append([told["message"]["excerpt"][-1] for told in page["notifications"]])
        assert page["unread"] == 9
        if not page["hasMore"]:
            break
        before = page["notifications"][-1]["id"]
    assert pages == [["8", "7", "6", "5"], ["4", "3", "2", "1"], ["0"]]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("get_notifications", {"limit": 101}),
        ("get_notifications", {"limit": "4"}),
        ("get_notifications", {"unreadOnly": "yes"}),
        ("mark_notification_read", {}),
        ("mark_all_notifications_read", {"now": True}),
        ("set_notification_preferences", {"types": {"weather": True}}),
        ("set_notification_preferences", {"types": {"mention": 1}}),
        ("set_notification_preferences", {"ignored": [f"s{number}" for number in range(101)]}),
        ("set_notification_preferences", {"ignored": [7]}),
    ],
)
async def test_what_cannot_be_asked(alice: Person, event: str, data: Mapping[str, Any]) -> None:
    assert (await alice.ask(event, data)).data["code"] == "validation_failed"


# --- what is wanted


async def test_preferences_by_type(alice: Person, bob: Person, zoe: Person) -> None:
    every = {"mention", "reply", "room", "poll_opened", "poll_closed", "votes", "moderation"}
    preferences = (await bob.ask("get_notification_preferences")).data
    assert preferences == {"types": dict.fromkeys(every, True), "ignored": []}
    answer = await bob.ask("set_notification_preferences", {"types": {"mention": False, "room": False}})
    assert answer.event == "notification_preferences"
    assert {name for name, on in answer.data["types"].items() if not on} == {"mention", "room"}
    await alice.say("@Bob one")
    await zoe.say("@room two")
    assert (await alice.hear("notification")).data["type"] == "room"  # others still hear of it
    assert await inbox(bob) == EMPTY
    await bob.ask("set_notification_preferences", {"types": {"mention": True}})
    await alice.say("@Bob three")
    assert (await bob.hear("notification")).data["message"]["excerpt"] == "@Bob three"  # the first of all
    assert (await bob.ask("get_notification_preferences")).data["types"]["room"] is False


async def test_preferences_are_each_sessions_own_and_known_in_all_tabs(
    room: OpenRoom, alice: Person, bob: Person
) -> None:
    tab = await back(bob, room)
    answer = await bob.ask("set_notification_preferences", {"types": {"reply": False}})
    assert (await tab.hear("notification_preferences")).data == answer.data
    assert (await alice.ask("get_notification_preferences")).data["types"]["reply"] is True
    await tab.close()


async def test_ignored_people_notify_nobody(alice: Person, bob: Person, zoe: Person) -> None:
    await zoe.say("@Bob before")
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    answer = await bob.ask("set_notification_preferences", {"ignored": [zoe.session_id, bob.session_id, "nobody"]})
    assert answer.data["ignored"] == [zoe.session_id]
    for text in ("@Bob one", "@room two"):
        await zoe.say(text)
    await zoe.say("three", replyToId=asked)
    assert await inbox(bob) == EMPTY  # also what came before
    await alice.say("@Bob four")
    assert (await bob.hear("notification")).data["message"]["excerpt"] == "@Bob before"
    assert (await bob.hear("notification")).data["message"]["excerpt"] == "@Bob four"
    await bob.ask("set_notification_preferences", {"ignored": []})
    assert "@Bob one" not in await excerpts(bob)  # what was not wanted then was not stored


async def test_a_list_of_ignored_people_forgets_who_wants_to_be_forgotten(
    server: Server, room: OpenRoom, bob: Person
) -> None:
    eve = await here(room, "Eve")
    await bob.ask("set_notification_preferences", {"ignored": [eve.session_id]})
    assert await count(server, unwanted) == 1
    await eve.ask("leave", {"forget": True})
    await eve.close()
    assert await count(server, unwanted) == 0


# --- what is kept


@pytest.mark.parametrize("options", [{"kept_per_person": 10, "kept_per_room": 5, "room_mentions": "off"}])
async def test_a_flood_fills_nothing(server: Server, room: OpenRoom, alice: Person, bob: Person, zoe: Person) -> None:
    for number in range(14):
        await alice.say(f"@Bob {number}")
        await zoe.say(f"@room {number}")
    assert await count(server, entries) == 15
    kept = await inbox(bob)
    assert kept["unread"] == 15
    texts = [told["message"]["excerpt"] for told in kept["notifications"]]
    assert sorted(texts) == sorted(
        [f"@Bob {number}" for number in range(4, 14)] + [f"@room {number}" for number in range(9, 14)]
    )


@pytest.mark.parametrize("options", [{"kept_per_person": 10, "kept_per_room": 5, "room_mentions": "off"}])
async def test_a_clock_that_is_set_back_drops_nothing_that_is_new(
    server: Server, alice: Person, bob: Person, zoe: Person, clock: SettableClock
) -> None:
    for number in range(14):
        await alice.say(f"@Bob {number}")
        await zoe.say(f"@room {number}")
        clock.advance(-60)
    assert (await excerpts(bob))[:3] == ["@Bob 13", "@Bob 12", "@Bob 11"]
    rows = await server.journal.fetch_all(entries.select().order_by(entries.c.id))
    assert [row["message_id"] for row in rows if row["session_id"] is None] == await last_said(server, "@room %", 5)
    assert [row["message_id"] for row in rows if row["session_id"] is not None] == await last_said(server, "@Bob %", 10)


@pytest.mark.parametrize("options", [{"kept_per_person": 10}])
async def test_nor_does_it_where_nothing_is_said(
    room: OpenRoom, alice: Person, others: Any, clock: SettableClock
) -> None:
    for number in range(12):
        await others.act(room, "mute", alice, number)
        clock.advance(-60)
    kept = (await inbox(alice))["notifications"]
    assert [told["until"] for told in kept] == [iso(number) for number in range(11, 1, -1)]


async def test_a_deleted_message_takes_its_notifications_with_it(
    server: Server, alice: Person, bob: Person, zoe: Person
) -> None:
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    mention, reply = await alice.say("@Bob one"), await alice.say("two", replyToId=asked)
    shared = await zoe.say("@room three")
    assert (await inbox(bob))["unread"] == 3
    await bob.ask("mark_notification_read", {"notificationId": (await inbox(bob))["notifications"][0]["id"]})
    for ack in (mention, reply, shared):
        await zoe.ask("delete_message", {"messageId": ack.data["serverMessageId"]})
    assert await inbox(bob, unreadOnly=False) == EMPTY
    assert await count(server, entries) == 0


async def test_what_is_for_a_session_goes_with_it(server: Server, room: OpenRoom, alice: Person) -> None:
    for forget in (False, True):
        bob = await here(room, "Bob")
        await bob.ask("set_notification_preferences", {"types": {"reply": False}})
        await alice.say("@Bob one")
        assert await count(server, entries) == 1
        await bob.ask("leave", {"forget": forget})
        await bob.close()
        assert await count(server, entries) + await count(server, unwanted) == 0


async def test_who_is_forgotten_leaves_no_notification_of_theirs(room: OpenRoom, bob: Person) -> None:
    alice = await here(room, "Alice")
    await alice.say("@Bob one")
    assert (await inbox(bob))["unread"] == 1
    await alice.ask("leave", {"forget": True})
    await alice.close()
    assert await inbox(bob, unreadOnly=False) == EMPTY


async def test_the_end_of_a_room_counts_what_it_deletes(
    server: Server, room: OpenRoom, alice: Person, bob: Person
) -> None:
    await alice.say("@Bob one")
    await server.retention.end(room.id, "test")
    assert (await bob.hear("room_ended")).data["deleted"]["notifications.notifications_entries"] == 1
    assert await count(server, entries) == 0


async def test_rows_hold_no_text_and_no_names(server: Server, alice: Person, bob: Person) -> None:
    await alice.say("@Bob a secret")
    (row,) = await server.journal.fetch_all(entries.select())
    stored = " ".join(str(row[name]) for name in row.keys())  # noqa: SIM118
    assert not any(word in stored for word in ("Alice", "Bob", "secret"))


# --- REST


async def test_what_is_told_after_a_mark_is_never_older_than_what_was_told_before(
    room: OpenRoom, alice: Person, bob: Person
) -> None:
    """Beside mentions that come all the time Bob reads and marks; what he was told last is how it is."""
    view = {told["id"] for told in (await bob.hear("notifications")).data["notifications"]}
    asked = ("mark_all_notifications_read", "get_notifications")
    for number in range(ROUNDS):
        said = [await alice.send("send_message", {"text": "@Bob", "clientMsgId": f"{number}-{n}"}) for n in range(3)]
        await bob.send(asked[number % 2])
        for frame_id in said:
            await alice.answer(frame_id)
        last = await bob.send("heartbeat")
        while (frame := await bob.read()) is not None and frame.id != last:
            if frame.event == "notification":
                view.add(frame.data["id"])
            elif frame.event == "notifications":
                view = {told["id"] for told in frame.data["notifications"]}
        assert view == {told["id"] for told in (await inbox(bob))["notifications"]}, number


async def test_rest(server: Server, room: OpenRoom, alice: Person, bob: Person) -> None:
    path = f"/api/rooms/{room.id}/notifications"
    for number in range(3):
        await alice.say(f"@Bob {number}")
    page = await request(server, "GET", f"{path}?limit=2", token=bob.token)
    assert page.body == await inbox(bob, limit=2)
    newest = page.body["notifications"][0]["id"]
    marked = await request(server, "POST", f"{path}/{newest}/read", token=bob.token)
    assert (marked.status, marked.body) == (200, {"unread": 2})
    assert (await bob.hear("notifications")).data["unread"] == 0  # when Bob came
    assert (await bob.hear("notifications")).data["unread"] == 2  # other tabs hear of it
    assert (await request(server, "GET", f"{path}/count", token=bob.token)).body == {"unread": 2}
    read = await request(server, "GET", f"{path}?unreadOnly=false&before={newest}&limit=1", token=bob.token)
    assert [told["message"]["excerpt"] for told in read.body["notifications"]] == ["@Bob 1"]
    assert (await request(server, "POST", f"{path}/read-all", token=bob.token)).body == {"unread": 0}
    assert (await request(server, "POST", f"{path}/nothing/read", token=bob.token)).status == 404


async def test_rest_is_for_members_of_the_room(server: Server, room: OpenRoom) -> None:
    path = f"/api/rooms/{room.id}/notifications"
    async with (await open_room(server)).enter("Eve") as eve:
        for method, route in (
            ("GET", path),
            ("GET", f"{path}/count"),
            ("POST", f"{path}/read-all"),
            ("POST", f"{path}/x/read"),
        ):
            assert (await request(server, method, route)).status == 401
            assert (await request(server, method, route, token=eve.token)).status == 403


@pytest.mark.parametrize(
    "options", [{"kept_per_person": 9}, {"kept_per_room": "many"}, {"room_mentions": "often"}, {"room_mentions": None}]
)
async def test_a_setting_that_cannot_be_stops_the_start(tmp_path: Path, options: dict[str, Any]) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": ("notifications",), "options": {"notifications": options}})
    with pytest.raises(StartError, match=rf"plugins\.notifications\.{next(iter(options))}"):
        async with running_server(settings):
            pass
