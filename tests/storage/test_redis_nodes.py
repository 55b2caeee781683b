"""Two nodes on one Postgres and one Redis: what is said and decided on one holds on the other within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from anonchat.clock import Clock
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import VARIABLE
from anonchat.testing.nodes import GRACE_SECONDS, SESSIONS, Nodes, closed, hear_text, storage_of, two_nodes, until
from anonchat.testing.people import Person, open_room, request
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

ACTS_SECONDS = 1.0


@pytest.fixture
async def nodes(
    postgres: PostgresServer, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Nodes]:
    monkeypatch.setenv(VARIABLE, postgres.url())
    async with two_nodes(redis, tmp_path, "moderation") as found:
        yield found


def names(nodes: Nodes, node: int) -> set[str]:
    """Who is there, as a node sees it."""
    return {session.username for session in nodes.servers[node].presence.of(nodes.rooms[node].id).sessions()}


@pytest.mark.gen_test
async def test_what_is_said_on_one_node_is_heard_on_the_other(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        await nodes.servers[1].jobs.stop()  # so that it is heard by the bus, and not by the comparison
        await alice.say("Hello")
        await hear_text(bob, "Hello")
        await bob.send("typing", {"typing": True})
        assert (await alice.hear("typing")).data["username"] == "Bob"


@pytest.mark.gen_test
async def test_presence_is_one_for_both(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Alice") as alice:
        async with nodes.rooms[1].enter("Bob") as bob:
            state = next(heard for heard in bob.welcome if heard.event == "presence_state")
            assert {user["username"] for user in state.data["users"]} == {"Alice", "Bob"}
            told = await alice.hear("presence")
            assert (told.data["event"], told.data["user"]["username"], told.data["total"]) == ("join", "Bob", 2)
        told = await alice.hear("presence")
        assert (told.data["event"], told.data["user"]["username"], told.data["total"]) == ("leave", "Bob", 1)


@pytest.mark.gen_test
async def test_who_is_on_other_nodes_is_not_counted_where_the_room_has_closed(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plugins are told how many are there; here nobody hears any more when the others go."""
    told: list[int] = []

    def observe(hook: str, **arguments: object) -> None:
        if hook == "participants_changed":
            told.append(int(str(arguments["present"])))

    monkeypatch.setattr(nodes.servers[0].dispatcher, "observe", observe)
    async with nodes.rooms[1].enter("Bob"):
        async with nodes.rooms[0].enter("Alice") as alice:
            await until(lambda: names(nodes, 0) == {"Alice", "Bob"})
            await alice.ask("leave")
        await until(lambda: names(nodes, 0) == set())
        assert told[-1] == 0, told


@pytest.mark.gen_test
async def test_plugins_are_told_how_many_are_in_the_room_and_how_many_of_them_on_the_node(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [(0, 0), (0, 0)]

    def observing(node: int) -> Callable[..., None]:
        def observe(hook: str, **arguments: Any) -> None:
            if hook == "participants_changed":
                told[node] = arguments["present"], arguments["here"]

        return observe

    for node, server in enumerate(nodes.servers):
        monkeypatch.setattr(server.dispatcher, "observe", observing(node))
    async with nodes.rooms[0].enter("Alice"), nodes.rooms[1].enter("Carol"):
        reply = await nodes.join("Bob")
        first = await nodes.on(0, reply)
        await until(lambda: told == [(3, 2), (3, 1)])
        second = await nodes.on(1, reply)
        await until(lambda: told == [(3, 2), (3, 2)])
        await first.close()
        await until(lambda: told == [(3, 1), (3, 2)])
        await second.close()
        await until(lambda: told == [(2, 1), (2, 1)])
        third = await nodes.on(0, reply)
        await until(lambda: told == [(3, 2), (3, 1)])
        await third.close()
        fourth = await nodes.on(1, reply)  # within the grace
        await until(lambda: told == [(3, 1), (3, 2)])
        await fourth.close()


@pytest.mark.gen_test
async def test_sockets_on_two_nodes_are_one_participant(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Alice") as alice:
        reply = await nodes.join("Bob")
        first, second = await nodes.on(0, reply), await nodes.on(1, reply)
        assert [len(names(nodes, node)) for node in (0, 1)] == [2, 2]
        await first.close()
        await until(lambda: not nodes.servers[0].hub.of_session(first.session_id))
        await asyncio.sleep(GRACE_SECONDS * 1.5)  # a leave would be told by now
        assert names(nodes, 0) == names(nodes, 1) == {"Alice", "Bob"}
        await second.close()
        told = [(await alice.hear("presence")).data["event"] for _ in range(2)]
        assert told == ["join", "leave"]
        assert names(nodes, 0) == {"Alice"}


@pytest.mark.gen_test
async def test_a_kick_closes_sockets_on_every_node(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Carol") as carol:
        reply = await nodes.join("Bob")
        sockets = [await nodes.on(node, reply) for node in (0, 1)]
        began = time.monotonic()
        await maud.ask("kick", {"targetSessionId": reply.body["sessionId"]})
        for socket in sockets:
            assert (await socket.hear("kicked")).data["banned"] is False
            assert await closed(socket) == 4403
        assert time.monotonic() - began < ACTS_SECONDS
        while (await carol.hear("presence")).data["event"] != "leave":
            pass
        assert names(nodes, 0) == names(nodes, 1) == {"Maud", "Carol"}


@pytest.mark.gen_test
async def test_who_is_kicked_does_not_come_back_because_the_coming_is_heard_late(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence, late = nodes.servers[0].presence, list[Callable[[], None]]()
    heard = dict(nodes.servers[0].relay._signalled)
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Carol"):
        await until(lambda: names(nodes, 0) == {"Maud", "Carol"})
        monkeypatch.setattr(presence, "_grace", 3_600_000)
        for name in ("presence_here", "presence_away"):
            nodes.servers[0].relay.on_signal(name, lambda *told, name=name: late.append(lambda: heard[name](*told)))
        reply = await nodes.join("Bob")
        sockets = [await nodes.on(node, reply) for node in (0, 1)]
        await maud.ask("kick", {"targetSessionId": reply.body["sessionId"]})
        assert [await closed(socket) for socket in sockets] == [4403, 4403]
        await until(lambda: len(late) == 2)
        for told in late:
            told()
        assert names(nodes, 0) == {"Maud", "Carol"}


@pytest.mark.parametrize("act", ["kick", "ban"])
@pytest.mark.gen_test
async def test_who_is_sent_away_does_not_come_in_by_another_node(nodes: Nodes, act: str) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud:
        assert (await nodes.rooms[1].join("Carol")).status == 201  # now that node knows who is kept out: nobody
        bob = await nodes.rooms[0].join("Bob", deviceId="b" * 32)
        await maud.ask(act, {"targetSessionId": bob.body["sessionId"]})
        again = await nodes.rooms[1].join("Robert", deviceId="b" * 32)
        assert again.body.get("code") == ("banned" if act == "ban" else "kicked")


@pytest.mark.gen_test
async def test_a_kick_whose_signal_is_lost_is_found(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        monkeypatch.setattr(nodes.servers[0].bus, "publish", lambda channel, payload: None)
        began = time.monotonic()
        await maud.ask("kick", {"targetSessionId": bob.session_id})
        assert await closed(bob) == 4401
        assert time.monotonic() - began < 2 * ACTS_SECONDS
        await until(lambda: names(nodes, 1) <= {"Maud"})  # empty when the node forgets a room in which nobody is


@pytest.mark.gen_test
async def test_without_the_look_nobody_would_find_it(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        monkeypatch.setattr(nodes.servers[0].bus, "publish", lambda channel, payload: None)
        monkeypatch.setattr(nodes.servers[1].hub, "sessions", tuple)
        await maud.ask("kick", {"targetSessionId": bob.session_id})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(closed(bob), 2.5 * ACTS_SECONDS)


@pytest.mark.gen_test
async def test_a_role_holds_on_every_node(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        for act, may in (("promote", True), ("demote", False)):
            began = time.monotonic()
            await maud.ask(act, {"targetSessionId": bob.session_id})
            while (await bob.hear("presence")).data["event"] != "change":
                pass
            answer = await bob.ask("kick", {"targetSessionId": maud.session_id})
            assert answer.data["code"] == ("rank_too_low" if may else "not_moderator")
            assert time.monotonic() - began < ACTS_SECONDS


@pytest.mark.gen_test
async def test_a_mute_holds_on_every_node(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        assert (await bob.say("One")).event == "message_ack"
        began = time.monotonic()
        await maud.ask("mute", {"targetSessionId": bob.session_id, "durationSeconds": 60})
        await bob.hear("muted")
        while (await bob.say("Two")).event == "message_ack":
            pass
        assert time.monotonic() - began < 1.5 * ACTS_SECONDS


@pytest.mark.gen_test
async def test_leaving_by_rest_closes_sockets_on_every_node(nodes: Nodes) -> None:
    reply = await nodes.join("Bob")
    sockets = [await nodes.on(node, reply) for node in (0, 1)]
    path = f"/api/rooms/{nodes.rooms[0].id}/leave"
    await request(nodes.servers[0], "POST", path, {"forget": False}, token=reply.body["sessionToken"])
    assert [await closed(socket) for socket in sockets] == [1000, 1000]
    assert names(nodes, 1) == set()


async def end(nodes: Nodes, maud: Person) -> None:
    await maud.ask("end_room", {})


async def expire(nodes: Nodes, maud: Person) -> None:
    await nodes.servers[0].retention.end(nodes.rooms[0].id, "expired")


@pytest.mark.parametrize("act", [end, expire])
@pytest.mark.gen_test
async def test_the_end_of_a_room_is_its_end_everywhere(nodes: Nodes, act: Callable[..., object]) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        began = time.monotonic()
        ending = asyncio.ensure_future(act(nodes, maud))  # type: ignore[call-overload]
        await bob.hear("room_ended")
        assert await closed(bob) == 4410
        assert time.monotonic() - began < ACTS_SECONDS
        await asyncio.gather(ending, return_exceptions=True)


@pytest.mark.gen_test
async def test_a_change_of_the_room_is_told_everywhere(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Maud", moderator=True) as maud, nodes.rooms[1].enter("Bob") as bob:
        began = time.monotonic()
        await maud.ask("close_room", {})
        await bob.hear("room_closed")
        assert time.monotonic() - began < ACTS_SECONDS
        assert (await nodes.rooms[1].join("Late")).body["code"] == "room_closed"


@pytest.mark.gen_test
async def test_who_leaves_while_it_is_asked_who_is_there_does_not_come_back(nodes: Nodes) -> None:
    async with nodes.rooms[0].enter("Alice") as alice, nodes.rooms[1].enter("Bob") as bob:
        assert (await alice.hear("presence")).data["event"] == "join"
        await nodes.servers[0].jobs.stop()
        directory, room_id = nodes.servers[0].directory, nodes.rooms[0].id
        assert directory is not None
        members, asked, go_on = directory._ephemeral.members, asyncio.Event(), asyncio.Event()

        async def slow(group: str) -> object:
            found = await members(group)
            asked.set()
            await go_on.wait()
            return found

        directory._ephemeral.members = slow  # type: ignore[method-assign,assignment]
        comparing = asyncio.create_task(directory._compare([room_id]))
        await asked.wait()
        await bob.send("leave")
        assert (await alice.hear("presence")).data["event"] == "leave"
        go_on.set()
        await comparing
        assert names(nodes, 0) == {"Alice"}


@pytest.mark.gen_test
async def test_a_clock_that_leaps_on_one_node_ends_nobody_who_is_connected_to_another(
    postgres: PostgresServer, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, postgres.url())
    often = {**SESSIONS, "name_hold_seconds": 3}  # those who are connected are touched every second
    settings = settings_in(tmp_path, storage=storage_of(redis, tmp_path), sessions=often)
    clock = SettableClock(Clock().now())
    async with running_server(settings, clock) as one, running_server(settings) as other:
        room = await open_room(other, ephemeral=False)
        away = (await room.join("Alice")).body["sessionId"]
        async with room.enter("Bob") as bob:
            clock.advance(365 * 24 * 3_600)
            began = time.monotonic()
            while time.monotonic() < began + 4:
                await one._expire_sessions()
                await asyncio.sleep(0.1)
            assert (await bob.say("still here")).event == "message_ack"
            assert await one.sessions.get(bob.session_id) is not None
            assert await one.sessions.get(away) is None  # the control: it does end what nobody touches
