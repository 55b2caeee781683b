"""What a person is told when something else than an anonchat server answers: one sentence, and exit code 1."""

from __future__ import annotations

import json
import os
import sys
from asyncio import timeout
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

SECONDS = 60
PROGRAM = "import sys; from anonchat.client.entrance import run_chat; sys.exit(run_chat(sys.argv[1], 'Ann'))"

Answers = dict[str, Any]
ROOM = {"title": "T", "actualParticipants": 1, "maxParticipants": 9, "retentionSeconds": None, "description": ""}
TIME = {"remainingSeconds": None}
JOINED = {"sessionId": "s", "anonymousId": "a", "role": "participant", "sessionToken": "t"}
HELLO = {
    "serverTime": "2026-11-20T20:15:00.000Z",
    "heartbeatSeconds": 25,
    "limits": {"textLength": 4000, "frameBytes": 65536},
    "plugins": [],
}


class Rest(RequestHandler):
    """Answers each path with what the test has for it."""

    def initialize(self, answers: Answers) -> None:
        self._answers = answers

    def get(self, name: str) -> None:
        joined = {"websocketUrl": f"ws://{self.request.host}/ws"} if name == "/join" else {}
        answer = self._answers[name]
        self.finish(answer if isinstance(answer, str) else json.dumps({**joined, **answer}))

    post = get


class Socket(WebSocketHandler):
    """Says what the test has to be said, and then nothing."""

    def initialize(self, answers: Answers) -> None:
        self._answers = answers

    def open(self, *_: str) -> None:
        for line in self._answers["ws"]:
            self.write_message(line if isinstance(line, str) else json.dumps(line))

    def on_message(self, message: str | bytes) -> None:
        """Not understood."""


@asynccontextmanager
async def stranger(changed: Answers) -> AsyncIterator[str]:
    """A link to a server that is right but for what is `changed`."""
    answers = {"": ROOM, "/time-remaining": TIME, "/join": JOINED, "ws": [{"event": "hello", "data": HELLO}]} | changed
    server = HTTPServer(
        Application([(r"/api/rooms/x(/\S+|)", Rest, {"answers": answers}), (r"/ws", Socket, {"answers": answers})])
    )
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        yield f"http://127.0.0.1:{port}/r/x#y"
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"": {"title": "T"}}, "protocol (what it tells of the room is not as expected)."),
        ({"": ROOM | {"title": 5}}, "protocol (what it tells of the room is not as expected)."),
        ({"/time-remaining": {}}, "protocol (the time that remains is not as expected)."),
        ({"/join": {"role": "moderator"}}, "protocol (the answer to joining is not as expected)."),
        ({"": "[" * 100_000}, "is no anonchat server, or it is in trouble (status 200)."),
        ({"ws": ["what?"]}, "This server does not speak anonchat's protocol."),
        ({"ws": [{"event": "hello", "data": {}}]}, "This server does not speak anonchat's protocol."),
        ({"ws": [{"event": "identified", "data": {"nonsense": 1}}]}, "This server does not speak anonchat's protocol."),
    ],
)
async def test_one_sentence_and_no_traceback(changed: Answers, said: str, tmp_path: Path) -> None:
    async with stranger(changed) as link:
        command = (sys.executable, "-c", PROGRAM, link)
        environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
        process = await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environ)
        async with timeout(SECONDS):
            output, errors = await process.communicate()
        assert process.returncode == 1
        assert (errors + output).decode().splitlines()[-1].endswith(said)
        assert b"Traceback" not in errors
