"""A chat on python-socketio and Tornado, in memory."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import orjson
import socketio
import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Json:
    """orjson with the names that python-socketio calls."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        """Text of a value."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """Value of a text."""
        return orjson.loads(text)


def make_message(room: str, author: str, seq: int, text: str) -> dict[str, Any]:
    """A message with the fields of anonchat's."""
    return {
        "id": str(uuid.uuid4()),
        "roomId": room,
        "seq": seq,
        "changedSeq": seq,
        "authorUsername": f"Guest {author[:4]}",
        "anonymousId": author[:6],
        "authorSessionId": author,
        "authorRole": "participant",
        "content": {"type": "text", "text": text},
        "mentions": [],
        "createdAt": datetime.now(UTC).isoformat(),
    }


class Chat:
    """Rooms in memory."""

    def __init__(self) -> None:
        self.server = socketio.AsyncServer(
            async_mode="tornado", transports=["websocket"], http_compression=False, json=Json
        )
        self._members: dict[str, tuple[str, str]] = {}
        self._seqs = Counter[str]()
        for event, handler in (
            ("connect", self._connect),
            ("disconnect", self._disconnect),
            ("send_message", self._send),
        ):
            self.server.on(event, handler)

    async def _connect(self, sid: str, _: object, auth: dict[str, str]) -> None:
        self._members[sid] = (auth["room"], str(uuid.uuid4()))
        await self.server.enter_room(sid, auth["room"])
        await self.server.emit("identified", auth, to=sid)

    async def _disconnect(self, sid: str, _: object) -> None:
        self._members.pop(sid, None)

    async def _send(self, sid: str, data: dict[str, str]) -> dict[str, Any]:
        room, author = self._members[sid]
        self._seqs[room] += 1
        message = make_message(room, author, self._seqs[room], data["text"])
        await self.server.emit("message", message, room=room)
        ack = {"clientMsgId": data["clientMsgId"], "serverMessageId": message["id"], "seq": message["seq"]}
        return {**ack, "createdAt": message["createdAt"]}


def make_handler(server: Any) -> Any:
    """The package's handler, but without waiting for more to send: that would add 40 ms to many a message."""
    handler = socketio.get_tornado_handler(server)
    inherited = handler.open

    async def open_at_once(self: WebSocketHandler, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        await inherited(self, *args, **kwargs)

    handler.open = open_at_once
    return handler


async def main() -> None:
    """Serve on a port that the system gives."""
    application = Application([("/socket.io/", make_handler(Chat().server))], log_function=lambda _: None)
    listeners = bind_sockets(0, "127.0.0.1", backlog=4096)
    HTTPServer(application).add_sockets(listeners)
    print(f"listening on http://127.0.0.1:{listeners[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
