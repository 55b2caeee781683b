"""A server that stops says goodbye, and loses nothing of what it has read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.simple_httpclient import HTTPStreamClosedError
from tornado.websocket import WebSocketClientConnection, websocket_connect

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import OpenRoom, open_room, request

# Holds each message, and Bob, who comes, back until the test lets it go.
SLOW_PLUGIN = """
import asyncio
from anonchat import hookimpl

class Plugin:
    def __init__(self):
        self.entered, self.leave = asyncio.Event(), asyncio.Event()

    @hookimpl
    async def filter_message(self, draft):
        self.entered.set()
        await self.leave.wait()

    @hookimpl
    async def check_join(self, applicant):
        if applicant.username == "Bob":
            self.entered.set()
            await self.leave.wait()
"""


async def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await AsyncHTTPClient().fetch(url, method="POST", body=json.dumps(body))
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def _member(server: Server) -> WebSocketClientConnection:
    room = await _post(f"{server.url}/api/rooms", {"title": "Lunch"})
    joined = await _post(
        f"{server.url}/api/rooms/{room['roomId']}/join", {"inviteToken": room["inviteToken"], "username": "Alice"}
    )
    socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
    await socket.write_message(json.dumps({"event": "identify", "data": {"token": joined["sessionToken"]}}))
    await _until(socket, "history_chunk")
    return socket


async def _until(socket: WebSocketClientConnection, event: str) -> list[str]:
    """The events up to and with the one named; the test fails at the end of the connection."""
    seen: list[str] = []
    while not seen or seen[-1] != event:
        text = await socket.read_message()
        assert text is not None, f"closed with {socket.close_code} after {seen}, before {event}"
        seen.append(json.loads(text)["event"])
    return seen


async def _close_code(socket: WebSocketClientConnection) -> int | None:
    """Read to the end of the connection; with which code it came."""
    while await socket.read_message() is not None:
        pass
    socket.close()
    return socket.close_code


@pytest.mark.gen_test
async def test_what_was_read_is_stored_and_answered_before_the_close(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_PLUGIN)
    plugins = {"enabled": ("slow",), "plugins_dir": tmp_path}
    server = Server(settings_in(tmp_path, plugins=plugins))
    await server.start()
    slow = server.plugins.all[0].instance
    socket = await _member(server)
    await socket.write_message(json.dumps({"event": "send_message", "data": {"text": "Hi", "clientMsgId": "1"}}))
    await slow.entered.wait()
    stopping = asyncio.create_task(server.stop())
    await _until(socket, "going_away")
    slow.leave.set()
    await _until(socket, "message_ack")
    assert await _close_code(socket) == 1001
    await stopping


@pytest.mark.gen_test
async def test_a_send_that_hangs_does_not_hold_up_the_shutdown(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_PLUGIN)
    settings = settings_in(
        tmp_path, plugins={"enabled": ("slow",), "plugins_dir": tmp_path}, server={"drain_seconds": 0.2}
    )
    server = Server(settings)
    await server.start()
    socket = await _member(server)
    await socket.write_message(json.dumps({"event": "send_message", "data": {"text": "Hi", "clientMsgId": "1"}}))
    await server.plugins.all[0].instance.entered.wait()
    await server.stop()
    await _until(socket, "going_away")
    assert await _close_code(socket) == 1001


async def _stopping(
    folder: Path, drain_seconds: float
) -> tuple[Server, OpenRoom, asyncio.Task[Any], asyncio.Task[None]]:
    """A server that stops while Bob joins."""
    (folder / "slow.py").write_text(SLOW_PLUGIN)
    plugins = {"enabled": ("slow",), "plugins_dir": folder}
    server = Server(settings_in(folder, plugins=plugins, server={"drain_seconds": drain_seconds}))
    await server.start()
    room = await open_room(server)
    joining = asyncio.create_task(room.join("Bob"))
    await server.plugins.all[0].instance.entered.wait()
    return server, room, joining, asyncio.create_task(server.stop())


@pytest.mark.gen_test
async def test_a_request_that_is_on_its_way_is_answered_before_the_end(tmp_path: Path) -> None:
    server, _, joining, stopping = await _stopping(tmp_path, 10)
    await asyncio.sleep(0.3)
    server.plugins.all[0].instance.leave.set()
    joined = await joining
    assert (joined.status, joined.body["username"], joined.headers["Connection"]) == (201, "Bob", "close")
    await stopping


@pytest.mark.gen_test
async def test_a_request_that_hangs_does_not_hold_up_the_shutdown(tmp_path: Path) -> None:
    _, _, joining, stopping = await _stopping(tmp_path, 0.4)
    async with asyncio.timeout(60):
        await stopping
    with pytest.raises(HTTPStreamClosedError):
        await joining


@pytest.mark.parametrize(
    ("method", "path"),
    [("BREW", "/api/rooms"), ("GET", "/api/rooms/%00"), ("GET", "/api/rooms/x"), ("GET", "/api/rooms")],
)
@pytest.mark.gen_test
async def test_nothing_is_waited_for_once_all_is_answered(tmp_path: Path, method: str, path: str) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        await request(server, method, path)
        async with asyncio.timeout(60):
            await server.in_flight.finished()
