"""Pinned messages on a real server: moderators pin, everybody sees it, and who comes back sees the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anonchat import Call, ChatError, Draft, Held, PluginContext, StartError, hookimpl, iso
from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import Heard, OpenRoom, Person, open_room, request
from anonchat_pins import Pins

pytestmark = pytest.mark.gen_test

MOST = 3


def settings_with_pins(folder: Path, most: int = MOST) -> Any:
    return settings_in(folder, plugins={"enabled": ("pins",), "options": {"pins": {"pins_per_room": most}}})


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def server(tmp_path: Path, clock: SettableClock) -> AsyncIterator[Server]:
    async with running_server(settings_with_pins(tmp_path), clock) as running:
        yield running


@pytest.fixture
async def room(server: Server) -> OpenRoom:
    return await open_room(server)


@pytest.fixture
async def alice(room: OpenRoom) -> AsyncIterator[Person]:
    """Return a participant."""
    async with room.enter("Alice") as person:
        yield person


@pytest.fixture
async def zoe(room: OpenRoom) -> AsyncIterator[Person]:
    """Return a moderator."""
    async with room.enter("Zoe", moderator=True) as person:
        yield person


def said(person: Person) -> Any:
    """Who a person is, as `identified` tells it."""
    return next(heard.data for heard in person.welcome if heard.event == "identified")


async def written(person: Person, *texts: str) -> list[str]:
    """The ids of messages that the person writes."""
    return [(await person.say(text)).data["serverMessageId"] for text in texts]


async def pin(person: Person, message_id: str) -> Heard:
    return await person.ask("pin_message", {"messageId": message_id})


async def unpin(person: Person, message_id: str) -> Heard:
    return await person.ask("unpin_message", {"messageId": message_id})


async def pinned(person: Person) -> list[str]:
    """The ids of what is pinned, in their order."""
    answer = await person.ask("get_pinned_messages")
    return [message["id"] for message in answer.data["messages"]]


async def test_a_moderator_pins_and_everybody_hears_it(alice: Person, zoe: Person, clock: SettableClock) -> None:
    (message_id,) = await written(alice, "The rules")
    told = {"messageId": message_id, "pinnedAt": iso(clock.now()), "pinnedBy": said(zoe)["anonymousId"]}
    answer = await pin(zoe, message_id)
    assert (answer.event, answer.data) == ("pin_ack", told)
    first, second = await alice.hear("message_pinned"), await zoe.hear("message_pinned")
    assert first.data == second.data == told
    assert first.seq == second.seq == 2


async def test_a_moderator_unpins_what_another_pinned(room: OpenRoom, alice: Person, zoe: Person) -> None:
    (message_id,) = await written(alice, "The rules")
    await pin(zoe, message_id)
    async with room.enter("Yann", moderator=True) as yann:
        answer = await unpin(yann, message_id)
        assert (answer.event, answer.data) == ("unpin_ack", {"messageId": message_id})
    heard = await alice.hear("message_unpinned")
    assert (heard.data, heard.seq) == ({"messageId": message_id}, 3)
    assert await pinned(alice) == []


async def test_participants_do_not_pin(alice: Person, zoe: Person) -> None:
    first, second = await written(alice, "one", "two")
    await pin(zoe, first)
    assert (await pin(alice, second)).data["code"] == "not_moderator"
    assert (await unpin(alice, first)).data["code"] == "not_moderator"
    assert await pinned(alice) == [first]


async def test_pins_are_in_the_order_of_pinning(alice: Person, zoe: Person, clock: SettableClock) -> None:
    first, second, third = await written(alice, "one", "two", "three")
    for message_id in (second, third, first):  # the clock stands still: their order is that of the room
        await pin(zoe, message_id)
    assert await pinned(alice) == [second, third, first]
    clock.advance(-1)  # nor does a clock that was set back change it
    await unpin(zoe, second)
    await pin(zoe, second)
    assert await pinned(alice) == [third, first, second]


async def test_who_comes_gets_the_pinned_messages_in_full(room: OpenRoom, alice: Person, zoe: Person) -> None:
    (message_id,) = await written(alice, "The rules")
    ack = await pin(zoe, message_id)
    await alice.ask("edit_message", {"messageId": message_id, "text": "The new rules"})
    async with room.enter("Bob") as bob:
        (message,) = (await bob.hear("pinned_messages")).data["messages"]
        assert message["content"] == {"type": "text", "text": "The new rules"}
        assert message["authorUsername"] == "Alice"
        assert message["ext"] == {"pins": {"pinned": True, **without_id(ack)}}


def without_id(ack: Heard) -> dict[str, Any]:
    return {name: value for name, value in ack.data.items() if name != "messageId"}


async def test_history_says_what_is_pinned(room: OpenRoom, alice: Person, zoe: Person) -> None:
    first, _ = await written(alice, "one", "two")
    ack = await pin(zoe, first)
    answer = await alice.ask("get_history")
    assert [message.get("ext") for message in answer.data["messages"]] == [
        {"pins": {"pinned": True, **without_id(ack)}},
        None,
    ]


async def test_pinning_twice_changes_nothing(alice: Person, zoe: Person, clock: SettableClock) -> None:
    (message_id,) = await written(alice, "The rules")
    before = await pin(zoe, message_id)
    clock.advance(5)
    assert (await pin(zoe, message_id)).data == before.data
    await alice.hear("message_pinned")
    (later,) = await written(alice, "later")
    assert (await alice.hear("message")).data["id"] == message_id
    assert (heard := await alice.hear("message")).data["id"] == later
    assert heard.seq == 3  # nothing came between


async def test_unpinning_what_is_not_pinned(alice: Person, zoe: Person) -> None:
    (message_id,) = await written(alice, "The rules")
    for unknown in (message_id, "nothing"):
        assert (await unpin(zoe, unknown)).data["code"] == "pins.not_pinned"


class Holds:
    """Holds every message that says so."""

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held | None:
        return Held(None, "waits") if draft.content["text"] == "hold" else None


async def test_only_what_all_can_see_is_pinned(tmp_path: Path) -> None:
    async with running_server(settings_with_pins(tmp_path), plugins={"holds": Holds()}) as server:
        room, other = await open_room(server), await open_room(server)
        async with room.enter("Zoe", moderator=True) as zoe, other.enter("Alice") as alice:
            deleted, (elsewhere,) = (await written(zoe, "one"))[0], await written(alice, "two")
            await zoe.ask("delete_message", {"messageId": deleted})
            held = (await zoe.say("hold")).data["messageId"]
            for message_id in (deleted, elsewhere, held, "nothing"):
                assert (await pin(zoe, message_id)).data["code"] == "message_not_found"
            assert await pinned(zoe) == []


@pytest.mark.parametrize("data", [{}, {"messageId": 7}, {"messageId": ""}, {"messageId": "m", "force": True}])
async def test_what_cannot_be_asked(zoe: Person, data: Mapping[str, Any]) -> None:
    for event in ("pin_message", "unpin_message"):
        assert (await zoe.ask(event, data)).data["code"] == "validation_failed"


# --- the limit


async def test_no_more_than_the_limit(alice: Person, zoe: Person) -> None:
    messages = await written(alice, "one", "two", "three", "four")
    answers = [await pin(zoe, message_id) for message_id in messages]
    assert [answer.event for answer in answers] == ["pin_ack"] * MOST + ["error"]
    assert answers[MOST].data["code"] == "too_many_pins"
    assert (await pin(zoe, messages[0])).event == "pin_ack"  # it is pinned already
    await unpin(zoe, messages[1])
    assert (await pin(zoe, messages[3])).event == "pin_ack"
    assert await pinned(alice) == [messages[0], messages[2], messages[3]]


async def test_the_limit_is_fifty_where_nothing_is_set(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, plugins={"enabled": ("pins",)})) as server:
        room = await open_room(server)
        async with room.enter("Zoe", moderator=True) as zoe:
            messages = await written(zoe, *(f"message {number}" for number in range(51)))
            answers = [await pin(zoe, message_id) for message_id in messages]
            assert [answer.event for answer in answers] == ["pin_ack"] * 50 + ["error"]
            assert answers[50].data["code"] == "too_many_pins"


async def acks_of_a_rush(server: Server) -> int:
    """How many of 24 pins succeed that two moderators ask for at once, over six sockets, beside 24 messages."""
    room = await open_room(server)
    async with room.enter("Zoe", moderator=True) as zoe, room.enter("Yann", moderator=True) as yann:
        messages = await written(zoe, *(f"message {number}" for number in range(24)))
        tabs = [
            await room.identify(person.username, person.session_id, person.token)
            for person in (zoe, yann)
            for _ in range(3)
        ]

        async def ask(number: int, message_id: str) -> tuple[Person, int]:
            tab = tabs[number % 6]
            frame_id = await tab.send("pin_message", {"messageId": message_id})
            await tab.send("send_message", {"text": "meanwhile", "clientMsgId": f"c{number}"})
            return tab, frame_id

        asked = await asyncio.gather(*map(ask, *zip(*enumerate(messages), strict=True)))
        answers = [await tab.answer(frame_id) for tab, frame_id in asked]
        count = len(await pinned(zoe))
        await asyncio.gather(*(tab.close() for tab in tabs))
        assert count == sum(answer.event == "pin_ack" for answer in answers)
        assert {answer.data["code"] for answer in answers if answer.event == "error"} <= {"too_many_pins"}
        return count


async def test_concurrent_pins_never_exceed_the_limit(server: Server) -> None:
    assert await acks_of_a_rush(server) == MOST


class Careless(Pins):
    """Counts, and pins afterwards."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        await super().setup(replace(ctx, config={"pins_per_room": 1_000}))

    async def pin(self, call: Call) -> None:
        if len(await self._pinned(self.ctx.db, call.room_id)) >= MOST:
            raise ChatError("too_many_pins")
        await super().pin(call)


async def test_who_counts_outside_of_the_transaction_exceeds_it(tmp_path: Path) -> None:
    """The control: the rush above does find a limit that is only checked before."""
    async with running_server(settings_in(tmp_path), plugins={"pins": Careless()}) as server:
        assert await acks_of_a_rush(server) > MOST


@pytest.mark.parametrize("most", [0, 201, "many", None])
async def test_a_limit_that_cannot_be_stops_the_start(tmp_path: Path, most: Any) -> None:
    with pytest.raises(StartError, match=r"plugins\.pins\.pins_per_room"):
        async with running_server(settings_with_pins(tmp_path, most)):
            pass


# --- what is deleted


async def test_deleted_messages_disappear_from_pins(alice: Person, zoe: Person) -> None:
    messages = await written(alice, "one", "two", "three", "four")
    for message_id in messages[:MOST]:
        await pin(zoe, message_id)
    await alice.ask("delete_message", {"messageId": messages[0]})
    await zoe.ask("delete_message", {"messageId": messages[1]})
    assert await pinned(zoe) == [messages[2]]
    assert (await pin(zoe, messages[3])).event == "pin_ack"  # their places are free
    assert (await unpin(zoe, messages[0])).data["code"] == "pins.not_pinned"


async def test_forgotten_and_outdated_messages_disappear_too(tmp_path: Path, clock: SettableClock) -> None:
    async with running_server(settings_with_pins(tmp_path), clock) as server:
        room = await open_room(server, retentionSeconds=60)
        async with room.enter("Zoe", moderator=True) as zoe:
            async with room.enter("Alice") as alice:
                (old,) = await written(zoe, "old")
                clock.advance(59)
                forgotten, kept = (await written(alice, "mine"))[0], (await written(zoe, "kept"))[0]
                for message_id in (old, forgotten, kept):
                    await pin(zoe, message_id)
                await alice.ask("leave", {"forget": True})
            assert await pinned(zoe) == [old, kept]
            clock.advance(2)
            await server.retention.run()
            assert await pinned(zoe) == [kept]


async def test_the_end_of_a_room_counts_its_pins(server: Server, room: OpenRoom, zoe: Person) -> None:
    await pin(zoe, (await written(zoe, "one"))[0])
    await server.retention.end(room.id, "test")
    assert (await zoe.hear("room_ended")).data["deleted"]["pins.pins_pinned"] == 1


async def test_what_is_deleted_while_the_plugin_is_off_is_not_pinned_afterwards(tmp_path: Path) -> None:
    async with running_server(settings_with_pins(tmp_path)) as server:
        room = await open_room(server)
        async with room.enter("Zoe", moderator=True) as zoe:
            first, second = await written(zoe, "one", "two")
            for message_id in (first, second):
                await pin(zoe, message_id)
    async with running_server(settings_in(tmp_path)) as server:
        person = await OpenRoom(server, room.id, "", "").identify("Zoe", zoe.session_id, zoe.token)
        await person.ask("delete_message", {"messageId": first})
        await person.close()
    async with running_server(settings_with_pins(tmp_path)) as server:
        person = await OpenRoom(server, room.id, "", "").identify("Zoe", zoe.session_id, zoe.token)
        assert await pinned(person) == [second]
        await person.close()


# --- coming back


class Board:
    """What a client knows of pins: message id -> (time, moderator), in the order of pinning."""

    def __init__(self) -> None:
        self.pins: dict[str, tuple[str, str]] = {}

    def take(self, event: str, data: Mapping[str, Any]) -> None:
        match event:
            case "pinned_messages":
                of = [(message["id"], message["ext"]["pins"]) for message in data["messages"]]
                self.pins = {message_id: (ext["pinnedAt"], ext["pinnedBy"]) for message_id, ext in of}
            case "message_pinned":
                self.pins[data["messageId"]] = (data["pinnedAt"], data["pinnedBy"])
            case "message_unpinned" | "message_deleted":
                self.pins.pop(data["messageId"], None)
            case "replay":
                for item in data["events"]:
                    self.take(item["event"], item["data"])

    async def take_until(self, person: Person, text: str) -> None:
        """Take in what a person hears up to a message with that text."""
        for heard in person.welcome:
            self.take(heard.event, heard.data)
        while (heard_now := await person.read()) is not None:
            self.take(heard_now.event, heard_now.data)
            if heard_now.event == "message" and heard_now.data["content"]["text"] == text:
                return


async def test_after_a_reconnect_pins_are_as_if_one_had_never_left(
    server: Server, room: OpenRoom, zoe: Person, clock: SettableClock
) -> None:
    messages = await written(zoe, "one", "two", "three", "four")
    stays, drops = await here(room, "Stays"), await here(room, "Drops")
    for message_id in messages[:MOST]:
        await pin(zoe, message_id)
    before, after, never = Board(), Board(), Board()
    await zoe.say("now")
    await before.take_until(drops, "now")
    assert list(before.pins) == messages[:MOST]
    await drops.close()
    clock.advance(3)
    await unpin(zoe, messages[0])
    await zoe.ask("delete_message", {"messageId": messages[1]})
    await pin(zoe, messages[3])
    await pin(zoe, messages[0])
    position = {"since": 8, "epoch": said(drops)["epoch"]}
    back = await room.identify("Drops", drops.session_id, drops.token, **position)
    assert back.welcome[-1].event == "replay"
    fresh = await here(room, "Fresh")
    await zoe.say("later")
    await after.take_until(back, "later")
    await never.take_until(stays, "later")
    arrived = Board()
    await arrived.take_until(fresh, "later")
    assert list(after.pins) == [messages[2], messages[3], messages[0]]
    assert list(after.pins.items()) == list(never.pins.items()) == list(arrived.pins.items())
    await asyncio.gather(*(person.close() for person in (stays, back, fresh)))


async def here(room: OpenRoom, username: str) -> Person:
    """Return somebody who has come and whose socket the test closes."""
    reply = await room.join(username)
    return await room.identify(username, reply.body["sessionId"], reply.body["sessionToken"])


async def test_pins_outlive_the_server(tmp_path: Path) -> None:
    async with running_server(settings_with_pins(tmp_path)) as server:
        room = await open_room(server)
        async with room.enter("Zoe", moderator=True) as zoe:
            messages = await written(zoe, "one", "two")
            for message_id in messages:
                await pin(zoe, message_id)
    async with running_server(settings_with_pins(tmp_path)) as server:
        person = await OpenRoom(server, room.id, "", "").identify("Zoe", zoe.session_id, zoe.token)
        told = await person.hear("pinned_messages")
        assert [message["id"] for message in told.data["messages"]] == messages
        await person.close()


# --- REST, and long messages


async def test_rest(server: Server, room: OpenRoom, alice: Person, zoe: Person) -> None:
    messages = await written(alice, "one", "two")
    for message_id in messages:
        await pin(zoe, message_id)
    reply = await request(server, "GET", f"/api/rooms/{room.id}/pins", token=alice.token)
    assert (reply.status, reply.body["hasMore"]) == (200, False)
    assert reply.body["messages"] == (await alice.ask("get_pinned_messages")).data["messages"]
    assert [message["ext"]["pins"]["pinned"] for message in reply.body["messages"]] == [True, True]


async def test_rest_is_for_members_of_the_room(server: Server, room: OpenRoom) -> None:
    assert (await request(server, "GET", f"/api/rooms/{room.id}/pins")).status == 401
    async with (await open_room(server)).enter("Eve") as eve:
        assert (await request(server, "GET", f"/api/rooms/{room.id}/pins", token=eve.token)).status == 403


async def test_pins_that_are_too_long_for_one_event(tmp_path: Path) -> None:
    async with running_server(settings_with_pins(tmp_path, 50)) as server:
        room = await open_room(server)
        async with room.enter("Zoe", moderator=True) as zoe:
            messages = await written(zoe, *["🎲" * 4_000] * 20)
            for message_id in messages:
                await pin(zoe, message_id)
            async with room.enter("Bob") as bob:
                told = (await bob.hear("pinned_messages")).data
                assert told["hasMore"] is True
                assert [message["id"] for message in told["messages"]] == messages[-len(told["messages"]) :]
                assert len(told["messages"]) == 262_144 // 16_500
                reply = await request(server, "GET", f"/api/rooms/{room.id}/pins", token=bob.token)
                assert [message["id"] for message in reply.body["messages"]] == messages
