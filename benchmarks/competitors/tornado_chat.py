"""A chat on plain Tornado, in memory: `write_message` in a loop over a room."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime

import orjson
import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

Rooms = defaultdict[str, set["Member"]]


class Member(WebSocketHandler):
    """One socket; the room stands in its path."""

    def initialize(self, rooms: Rooms, seqs: Counter[str]) -> None:
        self._rooms = rooms
        self._seqs = seqs

    async def open(self, *args: str, **kwargs: str) -> None:
        """Enter the room."""
        self.set_nodelay(True)
        self._room = args[0]
        self._id = str(uuid.uuid4())
        self._rooms[self._room].add(self)
        self.write_message('{"event":"identified"}')

    def on_close(self) -> None:
        """Leave it."""
        self._rooms[self._room].discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Acknowledge, and tell everybody."""
        data = orjson.loads(message)["data"]
        self._seqs[self._room] += 1
        told = self._message(data["text"])
        ack = {"clientMsgId": data["clientMsgId"], "serverMessageId": told["id"], "seq": told["seq"]}
        self.write_message(
            orjson.dumps({"event": "message_ack", "data": {**ack, "createdAt": told["createdAt"]}}).decode()
        )
        frame = orjson.dumps({"event": "message", "data": told}).decode()
        for member in self._rooms[self._room]:
            member.write_message(frame)

    def _message(self, text: str) -> dict[str, object]:
        return {
            "id": str(uuid.uuid4()),
            "roomId": self._room,
            "seq": self._seqs[self._room],
            "changedSeq": self._seqs[self._room],
            "authorUsername": f"Guest {self._id[:4]}",
            "anonymousId": self._id[:6],
            "authorSessionId": self._id,
            "authorRole": "participant",
            "content": {"type": "text", "text": text},
            "mentions": [],
            "createdAt": datetime.now(UTC).isoformat(),
        }


async def main() -> None:
    """Serve on a port that the system gives."""
    state = {"rooms": defaultdict(set), "seqs": Counter[str]()}
    server = HTTPServer(Application([("/(.*)", Member, state)], log_function=lambda _: None))
    listeners = bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(listeners)
    print(f"listening on http://127.0.0.1:{listeners[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
