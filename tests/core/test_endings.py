"""Ends at awkward moments: of a connection, of a session, of a room, of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from tornado.websocket import websocket_connect

from anonchat.app import Server
from anonchat.errors import ChatError
from anonchat.models import Draft, Held
from anonchat.plugins.hookspecs import hookimpl
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import open_room, request


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path)) as server:
        yield server


@pytest.mark.gen_test
async def test_what_is_sent_right_before_the_close_frame_was_sent(server: Server) -> None:
    room = await open_room(server)
    async with room.enter("Bob") as bob:
        async with room.enter("Alice") as alice:
            for number in range(3):
                await alice.send("send_message", {"text": f"last words {number}", "clientMsgId": str(number)})
            await alice.send("leave")
        for number in range(3):
            assert (await bob.hear("message")).data["content"]["text"] == f"last words {number}"
        assert [(await bob.hear("presence")).data["event"] for _ in range(2)] == ["join", "leave"]


@pytest.mark.gen_test
async def test_who_has_not_identified_is_told_of_the_shutdown(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        assert "hello" in str(await socket.read_message())
        assert server.sockets.open
    assert await socket.read_message() is None
    assert socket.close_code == 1001
    socket.close()


@pytest.mark.gen_test
async def test_a_shutdown_without_storage_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Closing:
        @hookimpl
        async def shutdown(self) -> None:
            closed.append("plugin")

    async def full(*_: object, **__: object) -> None:
        raise ChatError("storage_full")

    async with running_server(settings_in(tmp_path), plugins={"closing": Closing()}) as server:
        monkeypatch.setattr(server.seats, "touch", full)
    assert closed == ["plugin"]
    async with running_server(settings_in(tmp_path)):
        """The lock of the database was given back."""


@pytest.mark.gen_test
async def test_a_room_is_purged_once_and_its_counts_are_those_of_the_first_look(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        asked = 0

        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            Slow.asked += 1
            begun.set()
            await go_on.wait()
            return {"files": 1}

    async with running_server(settings_in(tmp_path), plugins={"slow": Slow()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("one")
            ending = asyncio.create_task(server.retention.end(room.id, "over"))
            await begun.wait()
            await server.retention.purge()  # the job, in the middle of it
            go_on.set()
            await ending
            told = (await alice.hear("room_ended")).data
        assert (Slow.asked, told["deleted"]["messages"], told["deleted"]["slow.files"]) == (1, 1, 1)


@pytest.mark.gen_test
async def test_a_plugin_that_cannot_purge_is_asked_again(tmp_path: Path) -> None:
    class Failing:
        asked = 0

        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            Failing.asked += 1
            if Failing.asked == 1:
                raise OSError("the files are away")
            return {"files": 2}

    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock, plugins={"failing": Failing()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("one")
            await server.retention.end(room.id, "over")
        assert (await request(server, "GET", f"/api/rooms/{room.id}")).status == 410
        assert await server.retention.purge() == 0
        path = f"/api/rooms/{room.id}/deletion-report"
        waiting = (await request(server, "GET", path)).body
        assert (waiting["pending"], "failing.files" in waiting["deleted"]) == (["failing"], False)
        for _ in range(3):
            clock.advance(301)
            await server.retention.purge_again()
        assert Failing.asked == 2
        done = (await request(server, "GET", path)).body
        assert (done["pending"], done["deleted"]) == ([], waiting["deleted"] | {"failing.files": 2})


@pytest.mark.gen_test
async def test_what_is_sent_while_identify_runs_is_handled_after_the_close(server: Server) -> None:
    room = await open_room(server)
    joined = (await room.join("Alice")).body
    async with room.enter("Bob") as bob:
        socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        frames: list[tuple[str, dict[str, str]]] = [("identify", {"token": joined["sessionToken"]})]
        frames += [("send_message", {"text": f"text {number}", "clientMsgId": str(number)}) for number in range(20)]
        for event, data in frames:
            socket.write_message(json.dumps({"event": event, "data": data}))
        socket.close()
        for number in range(20):
            assert (await bob.hear("message")).data["content"]["text"] == f"text {number}"


@pytest.mark.gen_test
async def test_a_held_message_that_was_deleted_is_not_acknowledged_again(tmp_path: Path) -> None:
    class Holding:
        @hookimpl
        async def filter_message(self, draft: Draft) -> Held:
            return Held(None, "a moderator looks at it")

    async with running_server(settings_in(tmp_path), plugins={"holding": Holding()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            said = {"text": "Hello", "clientMsgId": "1"}
            held = await alice.ask("send_message", said)
            assert held.event == "message_held"
            assert (await alice.ask("delete_message", {"messageId": held.data["messageId"]})).event == "delete_ack"
            assert (await alice.ask("send_message", said)).data["code"] == "message_not_found"


@pytest.mark.gen_test
async def test_a_switched_off_plugin_is_asked_when_it_is_on_again(tmp_path: Path) -> None:
    clock = SettableClock()

    class Away:
        is_back = False
        purged: ClassVar[list[str]] = []

        @hookimpl
        async def purge_room(self, room_id: str) -> dict[str, int]:
            if not self.is_back:
                raise OSError("away")
            self.purged.append(room_id)
            return {}

    plugin = Away()
    async with running_server(settings_in(tmp_path), clock, plugins={"away": plugin}) as server:
        room = await open_room(server)
        await server.retention.end(room.id, "over")
    clock.advance(400)
    async with running_server(settings_in(tmp_path), clock) as server:
        await server.retention.purge_again()
    plugin.is_back = True
    clock.advance(400)
    async with running_server(settings_in(tmp_path), clock, plugins={"away": plugin}) as server:
        await server.retention.purge_again()
        await server.retention.purge_again()
    assert plugin.purged == [room.id]


@pytest.mark.gen_test
async def test_a_session_that_expires_while_connected_is_told_before_its_socket_closes(tmp_path: Path) -> None:
    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice") as alice:
            clock.advance(server.settings.sessions.ttl_seconds + 1)
            assert await server.sessions.expire() == 1
            assert (await alice.hear("error")).data["code"] == "session_expired"
        assert alice.socket.close_code == 4401
