"""A server in this process answers, and stops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

from anonchat.testing import running_server, settings_in


@pytest.mark.gen_test
async def test_two_people_talk(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        client = AsyncHTTPClient()
        answer = await client.fetch(f"{server.url}/api/rooms", method="POST", body='{"title": "Lunch"}')
        room = json.loads(answer.body)
        sockets = []
        for name in ("Alice", "Bob"):
            body = json.dumps({"inviteToken": room["inviteToken"], "username": name})
            answer = await client.fetch(f"{server.url}/api/rooms/{room['roomId']}/join", method="POST", body=body)
            socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
            token = json.loads(answer.body)["sessionToken"]
            await socket.write_message(json.dumps({"event": "identify", "data": {"token": token}}))
            sockets.append(socket)
            events = [json.loads(str(await socket.read_message()))["event"] for _ in range(4)]
            assert events == ["hello", "identified", "presence_state", "history_chunk"]
        alice, bob = sockets
        assert json.loads(str(await alice.read_message()))["data"]["user"]["username"] == "Bob"
        await bob.write_message(json.dumps({"event": "send_message", "data": {"text": "Hi", "clientMsgId": "1"}}))
        assert json.loads(str(await bob.read_message()))["event"] == "message_ack"
        for socket in (alice, bob):
            message = json.loads(str(await socket.read_message()))
            assert (message["event"], message["seq"], message["data"]["content"]["text"]) == ("message", 1, "Hi")
            socket.close()
