"""What people do, and what goes wrong meanwhile, leaves nothing of them in the log."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from anonchat.testing.processes import ServerProcess

ADDRESS = "203.0.113.77"
NAME = "Quetzalcoatl"
TEXT = "the-heron-flies-at-midnight"
SECRET = "an-operator-secret-of-24"

# Fails in every way that a plugin can, each time with what a person wrote in the exception and in local variables.
FAILING = """
import asyncio
from anonchat import ClientEvent, Route, Schema, hookimpl

class Plugin:
    @hookimpl
    async def setup(self, ctx):
        self.ctx = ctx

    @hookimpl
    def register_client_events(self):
        return [ClientEvent("failing.event", Schema(), self.fail)]

    @hookimpl
    def register_routes(self):
        return [Route("GET", "/api/rooms/{roomId}/failing", self.fail, auth="participant")]

    async def fail(self, call):
        raise ValueError(f"{call!r}")

    @hookimpl
    async def filter_message(self, draft):
        if draft.content["text"].startswith("refuse"):
            text = draft.content["text"]
            raise ValueError(f"cannot stand {text!r} of {draft.session!r}")

    @hookimpl
    async def message_saved(self, message):
        async def later(text):
            raise RuntimeError(text)

        self.ctx.spawn(later(repr(message)))
        self.forgotten = asyncio.create_task(later(repr(message)))
        self.forgotten = None
        asyncio.get_running_loop().call_soon(self.trip, message)
        try:
            raise KeyError(message)
        except KeyError as error:
            raise ExceptionGroup(f"{message}", [ValueError(repr(message))]) from error

    def trip(self, message):
        raise ValueError(repr(message))
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_busy_log_holds_nothing_of_people(tmp_path: Path, style: str) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    environ = {
        "ANONCHAT_LOG__LEVEL": "debug",
        "ANONCHAT_LOG__FORMAT": style,
        "ANONCHAT_PLUGINS__ENABLED": '["failing"]',
        "ANONCHAT_PLUGINS__PLUGINS_DIR": str(tmp_path),
        "ANONCHAT_SERVER__OPERATOR_TOKEN": SECRET,
    }
    with ServerProcess(tmp_path, environ) as server:
        room = _call(f"{server.url}/api/rooms", {"title": TEXT})
        joined = _call(f"{room_url(server, room)}/join", {"inviteToken": room["inviteToken"], "username": NAME})
        token = str(joined["sessionToken"])
        _talk(server, token)
        _fail(server, room, token)
        assert server.stop() == 0
        log = server.log
    for sign in (
        "plugin failed",
        "a task of the plugin failed",
        "that nobody waited for",
        "handler of an event failed",
    ):
        assert sign in log, f"the server was not made to log {sign!r}"
    assert "ValueError" in log
    assert "failing.py" in log
    secrets = (ADDRESS, "127.0.0.1", NAME, TEXT, token, room["inviteToken"], room["moderatorToken"], SECRET)
    assert [secret for secret in secrets if secret in log] == []
    if style == "json":
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())


def room_url(server: ServerProcess, room: dict[str, Any]) -> str:
    """Where a room is described."""
    return f"{server.url}/api/rooms/{room['roomId']}"


def _call(url: str, body: dict[str, Any] | None = None, token: str | None = None) -> dict[str, Any]:
    """What is answered, errors included."""
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None)
    request.add_header("X-Forwarded-For", ADDRESS)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            found = json.load(error)
    return found


def _talk(server: ServerProcess, token: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ws?t={token}", compression=None) as client:
        _until(client, "history_chunk")
        for number, text in enumerate([TEXT, f"refuse {TEXT}", TEXT]):
            _send(client, "send_message", {"text": text, "clientMsgId": f"{TEXT}{number}"})
        _send(client, "failing.event", {})
        _send(client, TEXT, {"text": TEXT})
        _send(client, "send_message", {TEXT: NAME})
        _until(client, "validation_failed", "message_ack")  # answers of one session may overtake each other
        client.send(b"\x00" + TEXT.encode())
        with pytest.raises(ConnectionClosed):
            _until(client, "nothing")


def _send(client: ClientConnection, event: str, data: dict[str, Any]) -> None:
    client.send(json.dumps({"event": event, "data": data}))


def _until(client: ClientConnection, *wanted: str) -> None:
    """Read until all these events, or codes of errors, have come."""
    missing = set(wanted)
    while missing:
        frame = json.loads(client.recv(10))
        missing -= {frame["event"], frame["data"].get("code")}


def _fail(server: ServerProcess, room: dict[str, Any], token: str) -> None:
    """Requests that are refused, each with a secret somewhere."""
    assert _call(f"{room_url(server, room)}/failing", token=token)["code"] == "plugin_failed"
    assert _call(f"{server.url}/metrics", token=TEXT)["code"] == "forbidden"
    assert _call(f"{server.url}/{TEXT}?t={token}")["code"] == "not_found"
    assert _call(f"{room_url(server, room)}/join", {"inviteToken": TEXT, "username": NAME})["code"] == "invalid_invite"
    assert _call(f"{room_url(server, room)}/join", {TEXT: NAME})["code"] == "validation_failed"
