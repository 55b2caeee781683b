"""Who is out is out on the spot: for every event on an open socket, and for every route, made from what is declared.

Who may do what while one is in stands in ``roles.txt``, and is tried by ``test_roles.py``.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import WebSocketClosedError, websocket_connect

from anonchat import Call, ClientEvent, Schema, Transaction, hookimpl
from anonchat.app import Server
from anonchat.connections.welcome import TOGETHER
from anonchat.delivery.hub import Member
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import is_on_postgres, rows_in, run_sql, tables_in
from anonchat.testing.people import Heard, Person, request

from .acts import NEEDS, NOTHING, ROOM, by_event, by_route, person_data, section
from .world import World, world_of

pytestmark = pytest.mark.gen_test

WHO = "promoted"  # may do nearly everything
LAST = ("reopen_room", "end_room", "leave")  # after them nothing goes on, or before them nobody is let in
SLOW = "slow.think"
ONLY_LOOKING = {"get_bans", "get_held_messages", "get_moderation", "get_reports"}
LATER = {"moderation_log"}  # is written a moment after what it tells of


class Slow:
    """A plugin with an event about which it thinks for as long as it likes; what comes behind it has to wait."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    @hookimpl
    def register_client_events(self) -> list[ClientEvent]:
        return [ClientEvent(SLOW, Schema(), self.think)]

    async def think(self, call: Call) -> None:
        self.begun.set()
        await self.go_on.wait()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def server(tmp_path: Path, slow: Slow) -> AsyncIterator[Server]:
    """Return a server with all bundled plugins. Its clock stands still, so that nothing but people changes anything."""
    plugins = {"enabled": None, "options": {"moderation": {"ban_networks": False}}}
    settings = settings_in(tmp_path, plugins=plugins)
    async with running_server(settings, SettableClock(), plugins={"slow": slow}) as running:
        yield running


# --- ways to be out


async def kicked(world: World, _: Path) -> None:
    await world.as_owner("kick", targetSessionId=world.people[WHO].session_id)


async def banned(world: World, _: Path) -> None:
    await world.as_owner("ban", targetSessionId=world.people[WHO].session_id)


async def left_elsewhere(world: World, _: Path) -> None:
    await request(world.server, "POST", f"/api/rooms/{world.room.id}/leave", {}, token=world.people[WHO].token)


async def expired(world: World, folder: Path) -> None:
    session_id = world.people[WHO].session_id
    run_sql(folder, f"UPDATE sessions SET expires_at = 1 WHERE id = '{session_id}'")
    await world.server.sessions.expire()


async def ended(world: World, _: Path) -> None:
    await world.as_owner("end_room")


Way = Callable[[World, Path], Awaitable[None]]
# With which code the socket is closed, and what a request is told.
WAYS: Mapping[Way, tuple[int, str]] = {
    kicked: (4403, "invalid_token"),
    banned: (4403, "invalid_token"),
    left_elsewhere: (1000, "invalid_token"),
    expired: (4401, "invalid_token"),
    ended: (4410, "room_ended"),
}
each_way = pytest.mark.parametrize("out", WAYS, ids=lambda way: way.__name__)


# --- what is tried


async def data_of(world: World, event: str) -> Mapping[str, Any]:
    """Data with which the event would be right."""
    if event in {act.split()[0] for act in section("people")}:
        mine = event in ("edit_message", "delete_message")
        return await person_data(world, event, world.people[WHO] if mine else await world.somebody("participant"))
    need = next((name for name in NEEDS if name.partition("/of-")[0] == event), "")
    return await NEEDS.get(need, NOTHING)(world, WHO)


async def events_of(world: World) -> list[tuple[str, Mapping[str, Any]]]:
    """Every declared event with right data, those of `LAST` at the end."""
    names = sorted(world.server.events.client_events(), key=lambda name: (name in LAST, name))
    names.remove(SLOW)
    return [(name, await data_of(world, name)) for name in names]


def closed_routes() -> list[str]:
    """Every route that is for members; those of the operator are for no session."""
    rows = section("routes").items()
    return [route for route, cells in rows if (cells[0], cells[4]) == ("who", "yes") and "/of-" not in route]


def everything(folder: Path) -> dict[str, list[str]]:
    """All rows of all tables but those that are written later."""
    return {table: sorted(map(repr, rows)) for table, rows in rows_in(folder, tables_in(folder) - LATER).items()}


async def outcome_of(world: World, event: str, data: Mapping[str, Any]) -> str:
    try:
        return await by_event(world, WHO, event, data)
    except (ConnectionError, WebSocketClosedError):
        return "closed"


# --- the tests


@each_way
async def test_the_socket_is_closed_and_no_route_knows_the_session(server: Server, tmp_path: Path, out: Way) -> None:
    code, told = WAYS[out]
    async with world_of(server) as world:
        who = world.people[WHO]
        assert await by_route(world, WHO, f"GET {ROOM}/messages", {}) == "yes"  # the control
        await out(world, tmp_path)
        while await who.read() is not None:
            pass
        assert who.socket.close_code == code
        before = everything(tmp_path)
        for route in closed_routes():
            path = dict.fromkeys(set(re.findall(r"\{(\w+)\}", route)) - {"roomId"}, "x")
            assert await by_route(world, WHO, route, path) == told, route
        again = await world.room.identify(who.username, who.session_id, who.token)
        assert again.welcome[-1].data["code"] == "invalid_token"
        await again.close()
        assert everything(tmp_path) == before


@each_way
@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
async def test_what_waits_to_be_handled_is_dropped(
    server: Server, slow: Slow, tmp_path: Path, out: Way, is_closed: bool
) -> None:
    """Every declared event has been received, behind one about which a plugin still thinks; then one is out."""
    async with world_of(server) as world:
        who, events = world.people[WHO], await events_of(world)
        connection = await wait_behind_a_thought(world, slow, events, is_closed=is_closed)
        await out(world, tmp_path)
        await server.dispatcher.settle()
        before = everything(tmp_path)
        slow.go_on.set()
        await connection.finish()
        heard = [one async for one in until_closed(who)]
        await server.dispatcher.settle()
        assert [one for one in heard if one.id is not None and one.event != "error"] == []
        assert everything(tmp_path) == before
        await forgotten(server, who)


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
async def test_what_waits_is_handled_under_the_role_of_its_turn(
    server: Server, slow: Slow, tmp_path: Path, is_closed: bool
) -> None:
    """Who was demoted meanwhile moderates nothing, also if they have closed their socket behind what they sent."""
    async with world_of(server) as world:
        moderating = [event for event, cells in section("events").items() if cells[2] == "mod" and "/of-" not in event]
        events = [(event, data) for event, data in await events_of(world) if event in moderating]
        connection = await wait_behind_a_thought(world, slow, events, is_closed=is_closed)
        await world.as_owner("demote", targetSessionId=world.people[WHO].session_id)
        await server.dispatcher.settle()
        before = everything(tmp_path)
        slow.go_on.set()
        await connection.finish()
        await server.dispatcher.settle()
        assert everything(tmp_path) == before


async def test_who_closed_before_they_were_welcomed_can_be_kicked(server: Server, slow: Slow, tmp_path: Path) -> None:
    """Nobody is there to be welcomed any more, but what they sent waits for its turn."""
    async with world_of(server) as world, AsyncExitStack() as turns:
        who, message = world.people[WHO], await world.said(world.people[WHO])
        await who.close()
        for _ in range(TOGETHER):
            await turns.enter_async_context(server.welcome.turns)
        again = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        person = Person(who.username, who.session_id, who.token, again)
        await person.send("identify", {"token": who.token})
        await person.send(SLOW)
        await person.send("edit_message", {"messageId": message, "text": "Something else"})
        await person.close()
        (handling,) = [one for one in asyncio.all_tasks() if "Inbox._work_off" in repr(one)]
        await turns.aclose()
        await slow.begun.wait()
        await kicked(world, tmp_path)
        before = everything(tmp_path)
        slow.go_on.set()
        await asyncio.wait([handling])
        assert everything(tmp_path) == before
        await forgotten(server, who)


async def test_what_was_sent_before_the_close_is_handled(server: Server, slow: Slow) -> None:
    """The control. Nobody shows whoever has closed as present, or sends them anything."""
    async with world_of(server) as world:
        who = world.people[WHO]
        sending = ("send_message", {"text": "Last words", "clientMsgId": "last"})
        connection = await wait_behind_a_thought(world, slow, [sending], is_closed=True)
        server.clock.advance(60)  # type: ignore[attr-defined]
        server.presence.tick()
        assert who.session_id not in server.presence.of(world.room.id).people
        slow.go_on.set()
        await connection.finish()
        assert (await world.people["owner"].hear("message")).data["content"]["text"] == "Last words"
        await forgotten(server, who)


async def wait_behind_a_thought(
    world: World, slow: Slow, events: Sequence[tuple[str, Mapping[str, Any]]], *, is_closed: bool
) -> Member:
    """Send events behind one about which a plugin thinks, and close the socket. Answers the server's end of it."""
    who = world.people[WHO]
    (connection,) = world.server.hub.of_session(who.session_id)
    await who.send(SLOW)
    await slow.begun.wait()
    for event, data in events:
        await who.send(event, data)
    if is_closed:
        await who.close()
        async with asyncio.timeout(60):
            while connection in world.server.hub:
                await asyncio.sleep(0.001)
    return connection


async def forgotten(server: Server, person: Person) -> None:
    """Wait until nothing is left of somebody's connection."""
    async with asyncio.timeout(60):
        while person.session_id in server.hub.sessions():
            await asyncio.sleep(0.001)


async def until_closed(person: Person) -> AsyncIterator[Heard]:
    while (heard := await person.read()) is not None:
        yield heard


async def test_without_an_end_all_of_it_is_handled(server: Server, slow: Slow, tmp_path: Path) -> None:
    """The control: the same, but that nobody is out."""
    async with world_of(server) as world:
        who, events = world.people[WHO], await events_of(world)
        await who.send(SLOW)
        await slow.begun.wait()
        last = [await who.send(event, data) for event, data in events if event not in LAST][-1]
        before = everything(tmp_path)
        slow.go_on.set()
        await who.answer(last)
        assert everything(tmp_path) != before


async def test_the_same_events_change_something_while_one_is_in(server: Server, tmp_path: Path) -> None:
    """The control: what writes is seen to write."""
    async with world_of(server) as world:
        changing = set()
        for event, data in await events_of(world):
            before = everything(tmp_path)
            outcome = await outcome_of(world, event, data)
            await server.dispatcher.settle()
            if outcome == "yes" and everything(tmp_path) != before:
                changing.add(event)
    assert {"send_message", "edit_message", "delete_message", "vote", "create_poll", "pin_message", "kick"} <= changing
    assert {"report_message", "set_moderation", "end_room"} <= changing


async def test_who_is_demoted_is_no_moderator_for_any_event_or_route(server: Server, tmp_path: Path) -> None:
    async with world_of(server) as world:
        moderating = {act: cells for act, cells in section("events").items() if cells[2] == "mod" and "/of-" not in act}
        events = [(event, data) for event, data in await events_of(world) if event in moderating]
        assert await by_event(world, WHO, "get_moderation", {}) == "yes"  # the control
        demoted = await world.people["owner"].ask("demote", {"targetSessionId": world.people[WHO].session_id})
        assert demoted.event != "error"
        before = everything(tmp_path)
        for event, data in events:
            assert await by_event(world, WHO, event, data) == "not_moderator", event
        for route in closed_routes():
            path = dict.fromkeys(set(re.findall(r"\{(\w+)\}", route)) - {"roomId"}, "x")
            if section("routes")[route][2] == "mod":
                assert await by_route(world, WHO, route, path) == "not_moderator", route
        assert everything(tmp_path) == before


async def test_who_was_demoted_elsewhere_changes_nothing_before_this_node_hears_of_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is what the database says in the transaction of the act."""
    monkeypatch.setattr(server.hub, "sessions", tuple)  # nobody looks whether a signal got lost
    async with world_of(server) as world:
        moderating = [event for event, cells in section("events").items() if cells[2] == "mod" and "/of-" not in event]
        events = [(event, data) for event, data in await events_of(world) if event in moderating]
        session_id = world.people[WHO].session_id
        run_sql(tmp_path, f"UPDATE sessions SET role = 'participant', rank = 0 WHERE id = '{session_id}'")
        before = everything(tmp_path)
        outcomes = {event: await by_event(world, WHO, event, data) for event, data in events}
        await server.dispatcher.settle()
        assert everything(tmp_path) == before
        assert {event for event, outcome in outcomes.items() if outcome == "yes"} == ONLY_LOOKING


async def test_a_request_that_waits_behind_a_demotion_changes_nothing(server: Server, tmp_path: Path) -> None:
    go_on = threading.Event()

    async def wait(_: Transaction) -> None:
        # On SQLite this runs in the thread of the database, on Postgres in the event loop.
        assert await asyncio.to_thread(go_on.wait, 60) if is_on_postgres() else go_on.wait(60)

    async with world_of(server) as world:
        session = await server.sessions.get(world.people[WHO].session_id)
        assert session is not None
        turn = server.journal.transaction(wait, session.room_id)
        waiting = asyncio.gather(turn, server.sessions.set_role(session, "participant", 0))
        await asyncio.sleep(0.05)  # both have their turns
        change = asyncio.create_task(by_route(world, WHO, f"PATCH {ROOM}", {}))
        await asyncio.sleep(0.2)  # it was let through, for the demotion has not happened yet
        go_on.set()
        await waiting
        assert await change == "not_moderator"
