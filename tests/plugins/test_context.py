"""What a plugin may do with rooms, people and messages, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.sql import ClauseElement

from anonchat import (
    Applicant,
    ChatError,
    Draft,
    EventSchema,
    Held,
    PluginContext,
    Receipt,
    Room,
    ServerEvent,
    Session,
    Transaction,
    hookimpl,
)
from anonchat.app import Server
from anonchat.ids import keyed_hash
from anonchat.limits import Network
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import Heard, OpenRoom, Person, open_room


class Helper:
    """Declares one event, and lends its context to the tests."""

    def __init__(self) -> None:
        self.hold: Held | None = None
        self.applicants: list[Applicant] = []
        self.networks: list[str] = []

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent("helper.told", EventSchema())]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Held | None:
        if draft.content["type"] == "card":
            return self.hold or replace(draft, content={**draft.content, "seen": True})
        return self.hold

    @hookimpl
    async def check_join(self, applicant: Applicant) -> None:
        self.applicants.append(applicant)

    @hookimpl
    async def check_connect(self, network: str) -> None:
        self.networks.append(network)


@pytest.fixture
def helper() -> Helper:
    return Helper()


@pytest.fixture
async def server(tmp_path: Path, helper: Helper) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path), plugins={"helper": helper}) as server:
        yield server


@pytest.fixture
async def room(server: Server) -> OpenRoom:
    return await open_room(server)


async def session_of(helper: Helper, person: Person) -> Session:
    session = await helper.ctx.sessions.get(person.session_id)
    assert session is not None
    return session


# --- telling some of a room


async def told(*people: Person) -> list[list[str]]:
    """What each of them heard of the helper, up to now."""
    heard = []
    for person in people:
        await person.send("heartbeat")
        events = []
        while (frame := await person.read()) is not None and frame.event != "heartbeat_ack":
            events += [frame.data["to"]] if frame.event == "helper.told" else []
        heard.append(events)
    return heard


@pytest.mark.gen_test
async def test_who_is_told(room: OpenRoom, helper: Helper) -> None:
    other = await open_room(room.server)
    async with room.enter("Ann", moderator=True) as ann, room.enter("Bob") as bob, other.enter("Cid") as cid:
        tell = helper.ctx.rooms.broadcast
        tell(room.id, "helper.told", {"to": "all"})
        tell(room.id, "helper.told", {"to": "not Bob"}, skip=bob.session_id)
        tell(room.id, "helper.told", {"to": "Bob"}, only=[bob.session_id, cid.session_id, "nobody"])
        tell(room.id, "helper.told", {"to": "nobody"}, only=[])
        tell(room.id, "helper.told", {"to": "moderators"}, moderators=True)
        helper.ctx.rooms.send(room.id, ann.session_id, "helper.told", {"to": "Ann"})
        assert await told(ann, bob, cid) == [["all", "not Bob", "moderators", "Ann"], ["all", "Bob"], []]


@pytest.mark.gen_test
async def test_what_did_not_come_can_be_told_and_what_came_is_still_to_be_heard(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        helper.ctx.rooms.send(room.id, bob.session_id, "helper.told", {"to": "Bob"})
        assert not await ann.heard("helper.told")
        (heard,) = await bob.heard("helper.told")
        assert await bob.hear("helper.told") == heard
        assert not await bob.heard("helper.told")


# --- people


@pytest.mark.gen_test
async def test_people_are_found_by_the_names_they_hold(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann Lee") as ann, room.enter("José"):
        assert [session.username for session in helper.ctx.sessions.present(room.id)] == ["Ann Lee", "José"]
        found = await helper.ctx.sessions.find_named(
            room.id, [" ann \u00a0 lee", "Jose\u0301", "JOSE", "Ann", "\0", ""]
        )
        assert {name: session.username for name, session in found.items()} == {"ann lee": "Ann Lee", "josé": "José"}
        assert found["ann lee"].id == ann.session_id
        assert await helper.ctx.sessions.find_named((await open_room(room.server)).id, ["Ann Lee"]) == {}
        await ann.ask("leave")
        assert await helper.ctx.sessions.find_named(room.id, ["Ann Lee"]) == {}


@pytest.mark.gen_test
async def test_a_change_of_role_is_told_to_everybody_and_holds_at_once(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        said = await ann.say("Hello")
        refused = await bob.ask("delete_message", {"messageId": said.data["serverMessageId"]})
        assert refused.data["code"] == "forbidden"
        await helper.ctx.sessions.set_role(await session_of(helper, bob), "moderator", 1)
        for person in (ann, bob):
            while (change := await person.hear("presence")).data["event"] != "change":
                pass
            assert (change.data["user"]["username"], change.data["user"]["role"]) == ("Bob", "moderator")
        assert (await bob.ask("delete_message", {"messageId": said.data["serverMessageId"]})).event == "delete_ack"


@pytest.mark.gen_test
async def test_a_look_that_began_before_a_change_of_role_does_not_take_it_back(
    room: OpenRoom, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = room.server
    await server.jobs.stop()  # of which one is the same look
    async with room.enter("Bob") as bob:
        fetch_all = server.journal.fetch_all

        async def fetch_slowly(statement: ClauseElement, parameters: Any = None) -> Any:
            rows = await fetch_all(statement, parameters)
            await helper.ctx.sessions.set_role(await session_of(helper, bob), "moderator", 1)
            return rows

        monkeypatch.setattr(server.journal, "fetch_all", fetch_slowly)
        await server.open_sockets.verify()
        (member,) = server.hub.of_session(bob.session_id)
        assert member.session.role == "moderator"
        monkeypatch.undo()
        member.update(replace(member.session, role="participant"))  # as if the signal of another node got lost
        await server.open_sockets.verify()
        assert member.session.role == "moderator", "the control"


@pytest.mark.gen_test
async def test_who_is_expelled_is_told_and_gone(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        session = await session_of(helper, bob)
        with pytest.raises(LookupError):
            await helper.ctx.sessions.expel(session, "test", "helper.undeclared", {}, 4403)
        await helper.ctx.sessions.expel(session, "test", "helper.told", {"to": "Bob"}, 4403)
        assert (await bob.hear("helper.told")).data == {"to": "Bob"}
        assert await bob.read() is None
        while (left := await ann.hear("presence")).data["event"] != "leave":
            pass
        assert left.data["user"]["username"] == "Bob"
        again = await room.identify("Bob", bob.session_id, bob.token)
        assert again.welcome[-1].data["code"] == "invalid_token"
        await again.close()
        assert (await room.join("Bob")).status == 201, "name and place are free"


@pytest.mark.gen_test
async def test_a_rotated_token_opens_and_the_old_one_does_not(room: OpenRoom, helper: Helper) -> None:
    token = await helper.ctx.rooms.rotate_moderator_token(room.id)
    assert (await room.join("Ann", moderator=True)).body["code"] == "invalid_invite"
    assert (await room.join("Bob")).status == 201, "other invites stay"
    joined = await replace(room, moderator_token=token).join("Ann", moderator=True)
    session = await helper.ctx.sessions.get(joined.body["sessionId"])
    assert session is not None
    assert session.rank == 2


# --- a room


def count_in(value: Room) -> dict[str, Any]:
    return {"settings": {"helper": {"count": value.settings.get("helper", {}).get("count", 0) + 1}}}


@pytest.mark.gen_test
async def test_settings_change_by_what_they_are_and_none_of_two_changes_is_lost(server: Server, helper: Helper) -> None:
    opened = await open_room(server, settings={"other": {"kept": True}})
    async with opened.enter("Ann") as ann:
        room = await helper.ctx.rooms.find(opened.id)
        await asyncio.gather(*(helper.ctx.rooms.update(room, count_in) for _ in range(5)))
        told = [(await ann.hear("room_updated")).data["room"] for _ in range(5)]
        assert told[-1] == {"settings": {"other": {"kept": True}, "helper": {"count": 5}}}


@pytest.mark.gen_test
async def test_what_else_is_to_happen_with_a_change_comes_first_and_may_refuse(room: OpenRoom, helper: Helper) -> None:
    async def refuse(_: Transaction) -> None:
        raise ChatError("helper.not_now", "Not now.")

    async def tell(tx: Transaction) -> None:
        tx.tell(room.id, "helper.told", {"to": "all"})

    async with room.enter("Ann") as ann:
        before = await helper.ctx.rooms.find(room.id)
        with pytest.raises(ChatError, match="not_now"):
            await helper.ctx.rooms.update(before, {"title": "Another"}, refuse)
        assert await helper.ctx.rooms.find(room.id) == before
        await helper.ctx.rooms.update(before, {"title": "Another"}, tell)
        assert (await ann.read(), await ann.read()) == (
            Heard("helper.told", {"to": "all"}),
            Heard("room_updated", {"room": {"title": "Another"}}, seq=1),
        )
        with pytest.raises(LookupError):
            await helper.ctx.rooms.update(
                before, {"title": "A third"}, lambda tx: tx.append(room.id, "room_closed", {})
            )


@pytest.mark.gen_test
async def test_what_no_plugin_can_change_of_a_room_is_not_left_out_in_silence(room: OpenRoom, helper: Helper) -> None:
    before = await helper.ctx.rooms.find(room.id)
    with pytest.raises(TypeError, match="not is_public"):
        await helper.ctx.rooms.update(before, {"title": "Another", "is_public": True})
    assert await helper.ctx.rooms.find(room.id) == before


# --- messages


@pytest.mark.gen_test
async def test_a_message_of_a_plugin_goes_the_usual_way(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        session, content = await session_of(helper, ann), {"type": "card", "text": "A card"}
        sends = (helper.ctx.messages.send(session, content, client_msg_id="one") for _ in range(10))
        receipts = await asyncio.gather(*sends)
        assert {(receipt.message_id, receipt.seq) for receipt in receipts} == {(receipts[0].message_id, 1)}
        message = (await bob.hear("message")).data
        assert message["content"] == {"type": "card", "text": "A card", "seen": True}
        assert message["authorSessionId"] == ann.session_id
        reply = await helper.ctx.messages.send(session, content, reply_to_id=message["id"])
        found = await helper.ctx.messages.get(room.id, [reply.message_id, message["id"], "nothing"])
        assert {found_id: found[found_id].reply_to_id for found_id in found} == {
            reply.message_id: message["id"],
            message["id"]: None,
        }
        within = await helper.ctx.db.transaction(
            lambda tx: helper.ctx.messages.get(room.id, [reply.message_id, message["id"]], tx)
        )
        assert within == found
        elsewhere = await open_room(room.server)
        assert await helper.ctx.messages.get(elsewhere.id, [message["id"]]) == {}
        with pytest.raises(TypeError):
            await helper.ctx.messages.send(session, {"type": "card"})
        with pytest.raises(ChatError, match="message_not_found"):
            await helper.ctx.messages.send(session, content, reply_to_id="nothing")


async def held(helper: Helper, person: Person, text: str) -> Receipt:
    helper.hold = Held(None, "A moderator decides.")
    receipt = await helper.ctx.messages.send(await session_of(helper, person), {"type": "card", "text": text})
    helper.hold = None
    assert receipt.seq is None
    return receipt


@pytest.mark.gen_test
async def test_held_messages_are_listed_released_and_dropped(room: OpenRoom, helper: Helper) -> None:
    messages = helper.ctx.messages
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        first, second = await held(helper, ann, "one"), await held(helper, ann, "two")
        waiting = await messages.held(room.id)
        assert [(one.message.content["text"], one.until, one.reason) for one in waiting] == [
            ("one", None, "A moderator decides."),
            ("two", None, "A moderator decides."),
        ]
        assert len(await messages.held(room.id, limit=1)) == 1
        released = await asyncio.gather(
            *(messages.release(room.id, second.message_id) for _ in range(5)), return_exceptions=True
        )
        assert [getattr(outcome, "code", None) for outcome in released].count(None) == 1
        assert (await bob.hear("message")).data["content"]["text"] == "two"
        await messages.drop(room.id, first.message_id)
        assert await messages.held(room.id) == []
        for refused in (messages.drop(room.id, second.message_id), messages.drop(room.id, first.message_id)):
            with pytest.raises(ChatError, match="conflict"):
                await refused
        with pytest.raises(ChatError, match="message_not_found"):
            await messages.release(room.id, first.message_id)


@pytest.mark.gen_test
async def test_all_that_one_session_wrote_is_removed(room: OpenRoom, helper: Helper) -> None:
    async with room.enter("Ann") as ann, room.enter("Bob") as bob:
        texts = [await ann.say(f"{number}") for number in range(450)]
        await held(helper, ann, "waits")
        kept = await bob.say("I stay")
        assert await helper.ctx.messages.remove_of(room.id, ann.session_id, "moderator") == 451
        removed: list[str] = []
        while len(removed) < 450:
            told = await bob.hear("messages_removed")
            assert told.data["reason"] == "moderator"
            removed += told.data["messageIds"]
        assert sorted(removed) == sorted(sent.data["serverMessageId"] for sent in texts)
        page = await bob.ask("get_history")
        assert [message["id"] for message in page.data["messages"]] == [kept.data["serverMessageId"]]


# --- where somebody comes from


@pytest.mark.gen_test
async def test_marks_are_those_of_the_room(room: OpenRoom, helper: Helper) -> None:
    other = await open_room(room.server)
    for one in (room, room, other):
        joined = await one.join(f"Person {len(helper.applicants)}", deviceId="device-id", fingerprintHash="fingerprint")
        await (await one.identify("Person", joined.body["sessionId"], joined.body["sessionToken"])).close()
    first, second, third = helper.applicants
    for mark in ("device_hash", "fingerprint_hash", "network"):
        assert getattr(first, mark) == getattr(second, mark) != getattr(third, mark)
    assert helper.networks == [first.network, second.network, third.network]
    session = helper.ctx.sessions.present(room.id)[0]
    assert (session.device_hash, session.fingerprint_hash) == (first.device_hash, first.fingerprint_hash)
    assert not [mark for mark in (first.device_hash, first.fingerprint_hash) if str(mark) in repr(session)]


@pytest.mark.parametrize(
    ("key", "value", "milliseconds", "only_if"),
    [
        ("a", None, 1_000, None),
        ("a", {}, 1_000, None),
        ("a", "text", 1_000, None),
        ("a", b"", 1.5, None),
        ("a", b"", True, None),
        ("a", b"", 0, None),
        ("a", b"", 1_000, "text"),
        ("a\ud800", b"", 1_000, None),
    ],
)
@pytest.mark.gen_test
async def test_what_redis_could_not_store_is_refused_everywhere(
    server: Server, helper: Helper, key: str, value: Any, milliseconds: Any, only_if: Any
) -> None:
    assert await helper.ctx.ephemeral.put("a", b"", 1_000)  # the control
    with pytest.raises((TypeError, ValueError)):
        await helper.ctx.ephemeral.put(key, value, milliseconds, only_if=only_if)


def test_a_network_mark_fits_many_addresses() -> None:
    """Somebody who holds the database and tries all addresses finds thousands that fit: 2^32 / 16^5."""
    marks = [
        Network("", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}").within("secret") for number in range(99)
    ]
    assert {len(mark) for mark in marks} == {5}
    assert len(set(marks)) > 95
    assert marks[0] == keyed_hash("secret", "network", "10.0.0.0")[:5]
    assert "10.0" not in repr(Network("", "10.0.0.0"))
