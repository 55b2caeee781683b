"""Each hook is called with its documented arguments, at its time: one test a hook, against one plugin with all of them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, column, func, insert, select, table, update

from anonchat import (
    Applicant,
    ChatError,
    Denied,
    Draft,
    Edit,
    Event,
    Held,
    Message,
    PluginContext,
    Room,
    Session,
    Transaction,
    hookimpl,
)
from anonchat.app import Server
from anonchat.plugins.hookspecs import SPECS
from anonchat.store.events import SELECT_EVENTS
from anonchat.store.messages import SELECT_AFTER, message_of
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person, open_room, request

if TYPE_CHECKING:
    from tests.plugins.kitchen_sink import Plugin

NAME = "kitchen_sink"
NOTES = table("kitchen_sink_notes", column("id"), column("room_id"))
INSERT_NOTE = insert(NOTES)
COUNT_NOTES = select(func.count()).select_from(NOTES).where(NOTES.c.room_id == bindparam("room"))
MESSAGES = table("messages", column("id"), column("content"))
WRITE_TEXT = update(MESSAGES).where(MESSAGES.c.id == bindparam("broken")).values(content=bindparam("text"))
BROKEN = '{"type": "text", "text": "BROKEN"}'
OPERATOR = "an operator's token"
HOOKS: dict[str, Callable[..., Any]] = {
    name: spec for kind in SPECS for name, spec in vars(kind).items() if hasattr(spec, "anonchat_spec")
}

pytestmark = pytest.mark.gen_test


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def server(tmp_path: Path, clock: SettableClock) -> AsyncIterator[Server]:
    """Return a server that finds the plugin in a folder."""
    settings = settings_in(
        tmp_path,
        server={"port": 0, "operator_token": OPERATOR},
        plugins={"enabled": (NAME,), "plugins_dir": Path(__file__).parent, "options": {NAME: {"litres": 7}}},
    )
    async with running_server(settings, clock) as running:
        yield running


@pytest.fixture
def sink(server: Server) -> Plugin:
    """Return the plugin's object."""
    plugin: Plugin = server.plugins.all[0].instance
    return plugin


@pytest.fixture
async def room(server: Server) -> OpenRoom:
    return await open_room(server, title="Kitchen")


@pytest.fixture
async def alice(room: OpenRoom) -> AsyncIterator[Person]:
    async with room.enter("Alice") as person:
        yield person


async def calls(server: Server, hook: str) -> list[dict[str, Any]]:
    """The arguments of each call of a hook so far, which must be those that are documented."""
    await server.dispatcher.settle()
    found: list[dict[str, Any]] = server.plugins.all[0].instance.of(hook)
    documented = [name for name in inspect.signature(HOOKS[hook]).parameters if name != "self"]
    assert all(sorted(arguments) == sorted(documented) for arguments in found)
    return found


async def call(server: Server, hook: str) -> dict[str, Any]:
    """The arguments of the only call of a hook so far."""
    (arguments,) = await calls(server, hook)
    return arguments


def test_every_hook_has_a_test() -> None:
    assert {f"test_{hook}" for hook in HOOKS} <= globals().keys()


async def test_the_plugin_implements_every_hook(server: Server) -> None:
    assert set(server.plugins.hooks_of(NAME)) == HOOKS.keys()


async def test_declaring_hooks_are_called_once_and_before_all_others(server: Server, sink: Plugin) -> None:
    declaring = {hook for hook in HOOKS if hook.startswith("register_")}
    called = [hook for hook, _ in sink.calls]
    assert sorted(called[: len(declaring)]) == sorted(declaring)
    assert not declaring & set(called[len(declaring) :])


# --- declare


async def test_register_config_schema(server: Server, sink: Plugin) -> None:
    await call(server, "register_config_schema")
    assert sink.ctx.config == {"litres": 7}


async def test_register_tables(server: Server, room: OpenRoom, alice: Person) -> None:
    await call(server, "register_tables")
    await alice.ask("kitchen_sink.note", {"id": "1"})
    await server.retention.end(room.id, "test")
    assert (await alice.hear("room_ended")).data["deleted"]["kitchen_sink.kitchen_sink_notes"] == 1


async def test_register_routes(server: Server, room: OpenRoom, alice: Person) -> None:
    await call(server, "register_routes")
    reply = await request(server, "GET", f"/api/rooms/{room.id}/{NAME}", token=alice.token)
    assert (reply.status, reply.body) == (200, {"notes": 0, "username": "Alice"})


async def test_register_client_events(server: Server, alice: Person) -> None:
    await call(server, "register_client_events")
    assert (await alice.ask("kitchen_sink.note", {"id": "1"})).event == "kitchen_sink.dripped"


async def test_register_server_events(server: Server, alice: Person) -> None:
    await call(server, "register_server_events")
    await alice.send("kitchen_sink.note", {"id": "1"})
    noted = await alice.hear("kitchen_sink.noted")
    assert (noted.data, noted.seq) == ({"id": "1"}, 1)


async def test_register_web_assets(server: Server) -> None:
    await call(server, "register_web_assets")
    ((owner, assets),) = server.plugins.declared("register_web_assets")
    assert (owner, assets.module) == (NAME, "sink.mjs")
    served = await request(server, "GET", f"/static/{NAME}/sink.mjs")
    assert (served.status, served.body) == (200, b"export const drained = true;\n")
    assert served.headers["Content-Type"] == "text/javascript; charset=utf-8"
    for outside in ("../kitchen_sink.py", "%2e%2e/kitchen_sink.py", "nothing.mjs", "/etc/hostname", "x%00", "."):
        assert (await request(server, "GET", f"/static/{NAME}/{outside}")).status in (404, 422), outside


async def test_register_metrics(server: Server, alice: Person) -> None:
    await call(server, "register_metrics")
    await alice.ask("kitchen_sink.note", {"id": "1"})
    metrics = await request(server, "GET", "/metrics", token=OPERATOR)
    assert b"anonchat_kitchen_sink_notes_total 1.0" in metrics.body


async def test_register_commands(server: Server) -> None:
    await call(server, "register_commands")
    ((owner, command),) = server.plugins.declared("register_commands")
    assert (owner, command.name) == (NAME, "drain")


async def test_register_jobs(server: Server, sink: Plugin, clock: SettableClock) -> None:
    assert (await call(server, "register_jobs"))["config"] is sink.ctx.config
    assert not sink.of("drip")
    clock.advance(360 * 7)  # as its settings say
    while not sink.of("drip"):
        await request(server, "GET", "/health")
    assert len(sink.of("drip")) == 1


async def test_register_hookspecs(server: Server) -> None:
    await call(server, "register_hookspecs")
    offered = {"kitchen_sink_drained", "check_kitchen_sink", "write_kitchen_sink", "extend_kitchen_sink"}
    assert server.plugins.offered_by(NAME) == offered <= set(server.plugins.hook_names())


class Guest:
    """Implements what the kitchen sink offers."""

    def __init__(self) -> None:
        self.litres = 0
        self.room_id = ""

    @hookimpl(optionalhook=True)
    async def kitchen_sink_drained(self, litres: int) -> None:
        self.litres += litres

    @hookimpl(optionalhook=True)
    async def check_kitchen_sink(self, litres: int) -> Denied | None:
        return Denied("guest.too_much") if litres > 10 else None

    @hookimpl(optionalhook=True)
    async def write_kitchen_sink(self, tx: Transaction, litres: int) -> None:
        if litres > 10:
            raise ChatError("guest.too_much")
        await tx.execute(INSERT_NOTE, {"id": f"{litres}", "room_id": self.room_id})

    @hookimpl(optionalhook=True)
    async def extend_kitchen_sink(self) -> Mapping[str, Any]:
        return {"towels": 2}


async def test_hooks_that_a_plugin_offers(tmp_path: Path) -> None:
    guest = Guest()
    settings = settings_in(tmp_path, plugins={"enabled": (NAME,), "plugins_dir": Path(__file__).parent})
    async with running_server(settings, plugins={"guest": guest}) as server:
        hooks = server.plugins.all[0].instance.ctx.hooks
        hooks.observe("kitchen_sink_drained", litres=3)
        await server.dispatcher.settle()
        assert guest.litres == 3
        await hooks.guard("check_kitchen_sink", litres=10)
        with pytest.raises(ChatError, match=r"guest\.too_much"):
            await hooks.guard("check_kitchen_sink", litres=11)
        guest.room_id = (await open_room(server)).id
        db = server.plugins.all[0].instance.ctx.db
        await db.transaction(lambda tx: hooks.write(tx, "write_kitchen_sink", litres=10))
        with pytest.raises(ChatError, match=r"guest\.too_much"):
            await db.transaction(lambda tx: hooks.write(tx, "write_kitchen_sink", litres=11))
        assert (await db.fetch_one(COUNT_NOTES, {"room": guest.room_id}))[0] == 1
        assert await hooks.enrich("extend_kitchen_sink") == {"guest": {"towels": 2}}
        with pytest.raises(LookupError, match="'kitchen_sink' does not offer the hook 'message_saved'"):
            hooks.observe("message_saved", message=None)


async def test_a_hook_that_nobody_offers_may_be_optional(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path), plugins={"guest": Guest()}) as server:
        assert server.plugins.names == ("guest",)


# --- life cycle


async def test_setup(server: Server, sink: Plugin) -> None:
    ctx = (await call(server, "setup"))["ctx"]
    assert isinstance(ctx, PluginContext)
    assert ctx.name == NAME


async def test_startup(server: Server, sink: Plugin) -> None:
    await call(server, "startup")
    assert [hook for hook, _ in sink.calls][-2:] == ["setup", "startup"]


async def test_shutdown(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": (NAME,), "plugins_dir": Path(__file__).parent})
    async with running_server(settings) as server:
        assert not await calls(server, "shutdown")
    await call(server, "shutdown")


# --- guards


async def test_check_connect(room: OpenRoom, server: Server, sink: Plugin) -> None:
    async with room.enter("Alice") as alice:
        arguments = await call(server, "check_connect")
        assert isinstance(arguments["room"], Room)
        assert isinstance(arguments["session"], Session)
        assert arguments["session"].id == alice.session_id
        assert "127.0.0.1" not in arguments["network"]
        sink.refuse.add("check_connect")
        refused = await room.identify("Alice", alice.session_id, alice.token)
        assert refused.welcome[-1].data["code"] == "kitchen_sink.check_connect"
        await refused.close()


async def test_check_join(room: OpenRoom, server: Server, sink: Plugin) -> None:
    sink.refuse.add("check_join")
    reply = await room.join("Alice", avatar="fox", deviceId="a-device-id")
    assert (reply.status, reply.body["code"], reply.body["detail"]) == (409, "kitchen_sink.check_join", "No.")
    arguments = await call(server, "check_join")
    applicant = arguments["applicant"]
    assert isinstance(applicant, Applicant)
    assert (applicant.username, applicant.role, applicant.avatar) == ("Alice", "participant", "fox")
    assert arguments["room"].id == room.id
    assert not await calls(server, "session_joined")


async def test_check_delete(alice: Person, server: Server, sink: Plugin) -> None:
    said = await alice.say("Hello")
    sink.refuse.add("check_delete")
    answer = await alice.ask("delete_message", {"messageId": said.data["serverMessageId"]})
    assert answer.data["code"] == "kitchen_sink.check_delete"
    arguments = await call(server, "check_delete")
    assert isinstance(arguments["message"], Message)
    assert arguments["session"].username == "Alice"
    assert not await calls(server, "message_deleted")


async def test_check_typing(alice: Person, room: OpenRoom, server: Server, sink: Plugin) -> None:
    sink.refuse.add("check_typing")
    async with room.enter("Bob") as bob:
        answer = await alice.ask("typing", {"typing": True})
        assert (answer.data["code"], answer.data["event"]) == ("kitchen_sink.check_typing", "typing")
        assert (await call(server, "check_typing"))["session"].username == "Alice"
        await alice.send("typing", {"typing": False})
        assert (await bob.hear("typing")).data["typing"] is False


# --- filters


async def test_filter_message(alice: Person, server: Server, sink: Plugin) -> None:
    await alice.say("Hello")
    draft = (await call(server, "filter_message"))["draft"]
    assert isinstance(draft, Draft)
    assert draft.content == {"type": "text", "text": "Hello"}
    assert (await alice.hear("message")).data["content"]["text"] == "HELLO"
    sink.refuse.add("filter_message")
    assert (await alice.say("Again")).data["code"] == "kitchen_sink.filter_message"


async def test_filter_message_may_hold(alice: Person, server: Server, sink: Plugin, clock: SettableClock) -> None:
    sink.hold = Held(clock.now() + 60_000, "Wait a minute.")
    held = await alice.say("Hello")
    assert (held.event, held.data["reason"]) == ("message_held", "Wait a minute.")
    assert not await calls(server, "message_saved")
    clock.advance(60)
    await server.held.release_due()
    assert (await call(server, "message_saved"))["message"].id == held.data["messageId"]


async def test_filter_edit(alice: Person, server: Server, sink: Plugin) -> None:
    change = {"messageId": (await alice.say("Hello")).data["serverMessageId"], "text": "GOOD BYE"}
    await alice.ask("edit_message", change)
    edit = (await call(server, "filter_edit"))["edit"]
    assert isinstance(edit, Edit)
    assert (edit.message.content["text"], edit.content["text"]) == ("HELLO", "GOOD BYE")
    assert (await alice.hear("message_edited")).data["message"]["content"]["text"] == "good bye"
    sink.refuse.add("filter_edit")
    assert (await alice.ask("edit_message", change)).data["code"] == "kitchen_sink.filter_edit"


# --- writing in the core's transaction


async def notes_of(sink: Plugin, room: OpenRoom) -> int:
    row = await sink.ctx.db.fetch_one(COUNT_NOTES, {"room": room.id})
    assert row is not None
    return int(row[0])


async def test_write_messages(room: OpenRoom, alice: Person, server: Server, sink: Plugin) -> None:
    said = await alice.say("Hello")
    arguments = await call(server, "write_messages")
    assert [message.id for message in arguments["messages"]] == [said.data["serverMessageId"]]
    assert await notes_of(sink, room) == 1
    sink.refuse.add("write_messages")
    async with room.enter("Bob") as bob:
        refused, fine = await asyncio.gather(alice.say("broken"), bob.say("fine"))
    assert (refused.data["code"], fine.event) == ("plugin_failed", "message_ack")
    assert await notes_of(sink, room) == 2, "what was written for the refused message is undone"
    assert [message.content["text"] for message in await stored(server, room)] == ["HELLO", "FINE"]


async def stored(server: Server, room: OpenRoom) -> list[Message]:
    rows = await server.journal.fetch_all(SELECT_AFTER, {"room": room.id, "after": 0, "limit": 10})
    return [message_of(row) for row in rows]


async def test_write_messages_when_a_held_one_is_released(
    room: OpenRoom, alice: Person, server: Server, sink: Plugin, clock: SettableClock
) -> None:
    sink.hold = Held(clock.now() + 60_000, "Wait a minute.")
    held = await alice.say("Hello")
    assert not await calls(server, "write_messages")
    clock.advance(60)
    await server.held.release_due()
    (message,) = (await call(server, "write_messages"))["messages"]
    assert (message.id, message.seq) == (held.data["messageId"], 1)


async def test_write_deleted(room: OpenRoom, alice: Person, server: Server, sink: Plugin) -> None:
    said = await alice.say("Hello")
    sink.refuse.add("write_deleted")
    which = {"messageId": said.data["serverMessageId"]}
    assert (await alice.ask("delete_message", which)).data["code"] == "plugin_failed"
    assert (await stored(server, room))[0].content["text"] == "HELLO"
    sink.refuse.clear()
    sink.calls.clear()
    assert (await alice.ask("delete_message", which)).event == "delete_ack"
    arguments = await call(server, "write_deleted")
    assert arguments["message"].content["text"] == "HELLO"
    assert arguments["session"].id == alice.session_id


class Leaving(Exception):
    pass


@pytest.mark.parametrize(
    "raised", [SystemExit("now"), asyncio.CancelledError(), Leaving()], ids=["exit", "cancelled", "failed"]
)
async def test_nothing_that_a_hook_raises_keeps_a_send_waiting(
    raised: BaseException, alice: Person, sink: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(tx: Transaction, messages: list[Message]) -> None:
        raise raised

    hooks = sink.ctx.hooks._dispatcher._hooks
    monkeypatch.setitem(hooks, "write_messages", ((NAME, broken),))
    assert (await alice.say("Hello")).data["code"] in ("plugin_failed", "internal")
    monkeypatch.undo()
    assert (await alice.say("Again")).event == "message_ack"


async def test_a_message_that_cannot_be_released_holds_up_no_other(
    room: OpenRoom, alice: Person, server: Server, sink: Plugin, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.messages.held.AT_ONCE", 1)
    sink.refuse.add("write_messages")
    sink.hold = Held(clock.now() + 1_000, "Wait.")
    for text in ("broken", "fine"):
        await alice.say(text)
        sink.hold = Held(clock.now() + 2_000, "Wait.")
    held = [one.message for one in await server.held.of_room(room.id, 9)]
    assert [message.content["text"] for message in held] == ["broken", "fine"]
    await server.journal.transaction(lambda tx: tx.execute(WRITE_TEXT, {"broken": held[0].id, "text": BROKEN}))
    clock.advance(60)
    assert [await server.held.release_due() for _ in range(3)] == [0, 1, 0]
    (waits,) = await server.held.of_room(room.id, 9)
    assert (waits.message.id, waits.until) == (held[0].id, None), "a moderator decides"


async def test_write_forgotten(room: OpenRoom, server: Server, sink: Plugin) -> None:
    async with room.enter("Alice") as alice:
        await alice.say("Hello")
        sink.refuse.add("write_forgotten")
        assert (await alice.ask("leave", {"forget": True})).data["code"] == "plugin_failed"
        assert len(await stored(server, room)) == 1, "nothing of it happened"
        sink.refuse.clear()
        assert (await alice.ask("leave", {"forget": True})).event == "left"
        assert (await calls(server, "write_forgotten"))[-1]["session"].id == alice.session_id


async def test_what_hangs_on_a_message_goes_with_it(room: OpenRoom, server: Server, tmp_path: Path) -> None:
    """Also rows of a plugin that is switched off: the database itself removes them."""
    async with room.enter("Alice") as alice, room.enter("Bob") as bob:
        said = await alice.say("Hello")
        message_id = said.data["serverMessageId"]
        append = {"room": room.id, "message": message_id}
        await server.journal.transaction(
            lambda tx: tx.append(append["room"], "kitchen_sink.noted", {"id": "of it"}, message_id=append["message"])
        )
        await bob.hear("kitchen_sink.noted")
        await alice.ask("delete_message", {"messageId": message_id})
        rows = await server.journal.fetch_all(SELECT_EVENTS, {"room": room.id, "after": 0, "through": 10})
        assert [row["event"] for row in rows] == ["message_deleted"]
        active = server.active.get(room.id)
        recent = active.recent.since(0) if active is not None else None
        assert recent is not None
        assert [event["event"] for event in recent.events] == ["message", "gone", "message_deleted"]
        assert recent.events[0]["data"]["content"] == {"type": "text", "text": ""}


# --- observers


async def test_room_created(room: OpenRoom, server: Server) -> None:
    assert (await call(server, "room_created"))["room"].title == "Kitchen"


async def test_room_closed(room: OpenRoom, server: Server, sink: Plugin) -> None:
    await sink.ctx.rooms.close(room.id)
    closed = (await call(server, "room_closed"))["room"]
    assert (closed.id, closed.is_open) == (room.id, False)


async def test_room_ended(room: OpenRoom, server: Server, sink: Plugin) -> None:
    await sink.ctx.rooms.end(room.id, "over")
    arguments = await call(server, "room_ended")
    assert (arguments["room_id"], arguments["reason"]) == (room.id, "over")
    assert arguments["deleted"]["invites"] == 2


async def test_session_joined(room: OpenRoom, server: Server) -> None:
    joined = await room.join("Alice")
    session = (await call(server, "session_joined"))["session"]
    assert isinstance(session, Session)
    assert session.id == joined.body["sessionId"]
    assert not await calls(server, "connection_opened")


async def test_role_changed(room: OpenRoom, server: Server, sink: Plugin) -> None:
    joined = await room.join("Alice", deviceId="a-device-id")
    session = await sink.ctx.sessions.get(joined.body["sessionId"])
    assert session is not None
    await sink.ctx.sessions.set_role(session, "moderator", 1)
    await room.join("Alice", deviceId="a-device-id", moderator=True)
    await room.join("Alice", deviceId="a-device-id", moderator=True)
    changed = [told["session"] for told in await calls(server, "role_changed")]
    assert [(one.id, one.rank) for one in changed] == [(session.id, 1), (session.id, 2)]


async def test_session_left(alice: Person, server: Server) -> None:
    await alice.ask("leave")
    arguments = await call(server, "session_left")
    assert (arguments["session"].id, arguments["reason"]) == (alice.session_id, "left")


async def test_connection_opened(room: OpenRoom, alice: Person, server: Server) -> None:
    another_tab = await room.identify("Alice", alice.session_id, alice.token)
    await another_tab.close()
    assert (await call(server, "connection_opened"))["session"].id == alice.session_id


async def test_message_saved(alice: Person, server: Server) -> None:
    said = await alice.say("Hello")
    message = (await call(server, "message_saved"))["message"]
    assert isinstance(message, Message)
    assert (message.id, message.seq) == (said.data["serverMessageId"], 1)
    assert message.content["text"] == "HELLO"


async def test_message_held(alice: Person, server: Server, sink: Plugin) -> None:
    sink.hold = Held(None, "A moderator decides.")
    held = await alice.say("Hello")
    arguments = await call(server, "message_held")
    assert (arguments["message"].id, arguments["held"]) == (held.data["messageId"], sink.hold)


async def test_participants_changed(room: OpenRoom, server: Server, clock: SettableClock) -> None:
    async with room.enter("Alice"), room.enter("Bob") as bob:
        await bob.ask("leave")
        told = await calls(server, "participants_changed")
    assert told == [{"room_id": room.id, "present": count, "here": count} for count in (1, 2, 1)]


async def test_participants_changed_tells_that_nobody_is_left_at_the_end(room: OpenRoom, server: Server) -> None:
    async with room.enter("Alice"), room.enter("Bob"):
        await server.retention.end(room.id, "test")
    assert [one["present"] for one in await calls(server, "participants_changed")] == [1, 2, 0]


async def test_message_edited(alice: Person, server: Server) -> None:
    said = await alice.say("Hello")
    await alice.ask("edit_message", {"messageId": said.data["serverMessageId"], "text": "Bye"})
    message = (await call(server, "message_edited"))["message"]
    assert (message.id, message.content["text"]) == (said.data["serverMessageId"], "bye")


async def test_message_deleted(room: OpenRoom, alice: Person, server: Server) -> None:
    message_id = (await alice.say("Hello")).data["serverMessageId"]
    await alice.ask("delete_message", {"messageId": message_id})
    expected = {"message_id": message_id, "room_id": room.id, "by": "author"}
    assert await call(server, "message_deleted") == expected


async def test_event_saved(alice: Person, server: Server) -> None:
    await alice.say("Hello")
    await alice.ask("kitchen_sink.note", {"id": "1"})
    event = (await call(server, "event_saved"))["event"]
    assert isinstance(event, Event)
    assert (event.name, event.data, event.seq) == ("kitchen_sink.noted", {"id": "1"}, 2)


async def test_authentication_failed(room: OpenRoom, server: Server) -> None:
    await request(server, "GET", f"/api/rooms/{room.id}/participants", token="wrong")
    stranger = await room.identify("Stranger", "", "wrong")
    await stranger.close()
    failures = await calls(server, "authentication_failed")
    assert failures == [{"where": where, "code": "invalid_token"} for where in ("rest", "socket")]


async def test_limit_exceeded(server: Server, sink: Plugin) -> None:
    await sink.ctx.limits.hit("drops", "1/hour", "a key")
    assert not await calls(server, "limit_exceeded")
    with pytest.raises(Exception, match="rate_limited"):
        await sink.ctx.limits.hit("drops", "1/hour", "a key")
    assert await call(server, "limit_exceeded") == {"limit": "kitchen_sink.drops"}


async def test_retention_finished(server: Server, clock: SettableClock) -> None:
    room = await open_room(server, retentionSeconds=60)
    async with room.enter("Alice") as alice:
        await alice.say("Hello")
        clock.advance(61)
        await server.retention.run()
        assert {"rooms": 1, "messages": 1} in await calls(server, "retention_finished")


# --- enrichers


async def test_extend_messages(room: OpenRoom, alice: Person, server: Server) -> None:
    for text in ("Hello", "Bye"):
        await alice.say(text)
    assert not await calls(server, "extend_messages")
    history = await alice.ask("get_history")
    (batch,) = (arguments["messages"] for arguments in await calls(server, "extend_messages"))
    assert sorted(message["content"]["text"] for message in batch) == ["BYE", "HELLO"]
    assert [message["ext"] for message in history.data["messages"]] == [{NAME: {"length": 5}}, {NAME: {"length": 3}}]


async def test_extend_welcome(room: OpenRoom, alice: Person, server: Server) -> None:
    arguments = await call(server, "extend_welcome")
    assert (arguments["room"].id, arguments["session"].username) == (room.id, "Alice")
    (identified,) = (heard for heard in alice.welcome if heard.event == "identified")
    assert identified.data["ext"] == {NAME: {"for": "Alice"}}


async def test_extend_state(room: OpenRoom, alice: Person, server: Server) -> None:
    arguments = await call(server, "extend_state")
    assert (arguments["room"].id, arguments["session"].id) == (room.id, alice.session_id)
    assert alice.welcome[-1].event == "history_chunk"
    following = await alice.read()
    assert following is not None
    assert (following.event, following.data) == ("kitchen_sink.dripped", {"drops": 2})
    answer = await alice.ask("heartbeat")
    assert answer.event == "heartbeat_ack"
    assert not [heard for heard in alice._heard if heard.event == "presence"], "what it has not declared is not sent"


async def test_extend_privacy(server: Server) -> None:
    page = await request(server, "GET", "/privacy")
    await call(server, "extend_privacy")
    assert b"<li>The sink keeps &lt;notes&gt;.</li>" in page.body


# --- purge and export


async def test_purge_room(room: OpenRoom, alice: Person, server: Server) -> None:
    await server.retention.end(room.id, "test")
    assert await call(server, "purge_room") == {"room_id": room.id}
    assert (await alice.hear("room_ended")).data["deleted"]["kitchen_sink.files"] == 3


async def test_export_room(room: OpenRoom, server: Server, sink: Plugin) -> None:
    async with room.enter("Bob", moderator=True) as bob:
        exported = await request(server, "GET", f"/api/rooms/{room.id}/export", token=bob.token)
    assert exported.body["plugins"] == {NAME: {"title": "Kitchen"}}
    assert (await call(server, "export_room"))["room"].id == room.id
