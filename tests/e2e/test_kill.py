"""What was acknowledged survives ``kill -9`` at any moment, once, in one order for all (promises D1 to D4).

The clients are written on the package `websockets`, not on our own library, and know only the protocol.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from anonchat.testing.processes import ServerProcess

SEED = 20_261_120
KILLS = 20
ROUND, ROUNDS = 3, 6  # kills after which the control looks for losses, and how often it does so at most
SENDERS = 4
IN_FLIGHT = 8  # sends of each client that wait for their acks
MOMENT_SECONDS = 0.15
PATIENCE_SECONDS = 20
ENVIRONMENT = {
    "ANONCHAT_ROOMS__REPLAY_EVENTS": "10000",
    "ANONCHAT_LIMITS__MESSAGES_PER_SESSION": "off",
    "ANONCHAT_LIMITS__REQUESTS_PER_NETWORK": "off",
    "ANONCHAT_PLUGINS__ENABLED": "[]",
    "ANONCHAT_LOG__LEVEL": "warning",
}


@dataclass
class Sender:
    """Sends without pause, keeps what it was told, and comes back after every cut with its epoch and position."""

    name: str
    address: str
    token: str
    changed: asyncio.Condition
    up: asyncio.Event = field(default_factory=asyncio.Event)
    epoch: str | None = None
    position: int | None = None
    connections: int = 0
    numbers: int = 0
    sending: bool = False
    socket: ClientConnection | None = None
    waiting: dict[str, str] = field(default_factory=dict)
    acked: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[int, str, str]] = field(default_factory=list)

    async def live(self) -> None:
        """Until cancelled."""
        while True:
            await self.up.wait()
            try:
                async with connect(self.address, max_size=None, ping_interval=None, proxy=None) as socket:
                    await self._converse(socket)
            except (OSError, WebSocketException, EOFError):
                self.socket = None  # cut off: back as soon as the server is up

    async def _converse(self, socket: ClientConnection) -> None:
        back = {} if self.position is None else {"since": self.position, "epoch": self.epoch}
        await _tell(socket, "identify", {"token": self.token, **back})
        async for raw in socket:
            frame = json.loads(raw)
            self._take(frame["event"], frame["data"], frame.get("seq"))
            if frame["event"] in {"history_chunk", "replay"}:
                self.connections += 1
                self.socket = socket
                for key, text in self.waiting.items():
                    await _tell(socket, "send_message", {"text": text, "clientMsgId": key})
            await self.send()
            async with self.changed:
                self.changed.notify_all()

    async def send(self) -> None:
        """As much as may be in flight."""
        while self.sending and self.socket is not None and len(self.waiting) < IN_FLIGHT:
            self.numbers += 1
            key = f"{self.name}-{self.numbers}"
            self.waiting[key] = f"{self.name} {self.numbers}"
            await _tell(self.socket, "send_message", {"text": self.waiting[key], "clientMsgId": key})

    def _take(self, event: str, data: dict[str, Any], seq: int | None) -> None:
        if event == "identified":
            self.epoch = data["epoch"]
        elif event == "history_chunk":
            assert self.position is None, "a fresh start where a replay was due"
            self.position = data["seq"]
        elif event == "replay":
            assert data["from"] == self.position
            for missed in data["events"]:
                self._take(missed["event"], missed["data"], missed["seq"])
            assert data["to"] == self.position
        elif event == "message":
            assert seq is not None
            self.seen.append((seq, data["id"], data["content"]["text"]))
            self.position = seq
        elif event == "message_ack" and data["clientMsgId"] in self.waiting:
            self.acked[self.waiting.pop(data["clientMsgId"])] = data["serverMessageId"]
        assert event != "error", data


async def _tell(socket: ClientConnection, event: str, data: dict[str, Any]) -> None:
    await socket.send(json.dumps({"event": event, "data": data}))


@dataclass
class Crowd:
    """A room full of senders, and the server that is killed under them."""

    server: ServerProcess
    chance: random.Random
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    senders: list[Sender] = field(default_factory=list)
    room: str = ""

    async def come(self) -> None:
        """Make the room, join it, and begin to send when all are in."""
        created = await self.request("/api/rooms", {"title": "Room", "ephemeral": False})
        self.room = created["roomId"]
        address = f"ws://127.0.0.1:{self.server.port}/ws"
        for number in range(SENDERS):
            body = {"inviteToken": created["inviteToken"], "username": f"Sender {number}"}
            joined = await self.request(f"/api/rooms/{self.room}/join", body)
            self.senders.append(Sender(f"s{number}", address, joined["sessionToken"], self.changed))

    async def kill_often(self, kills: int) -> None:
        """Kill and restart `kills` times at random moments under load, then let everybody finish."""
        tasks = [asyncio.create_task(sender.live()) for sender in self.senders]
        try:
            await self._start(tasks)
            for _ in range(kills):
                await self._kill_once(tasks)
            await self._finish(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for sender in self.senders:
                sender.socket = None

    async def _start(self, tasks: list[asyncio.Task[None]]) -> None:
        """Nobody sends before all are in, so that everybody sees everything."""
        for sender in self.senders:
            sender.up.set()
        await self._until(lambda: all(sender.socket for sender in self.senders), tasks)
        for sender in self.senders:
            sender.sending = True
            await sender.send()

    async def _kill_once(self, tasks: list[asyncio.Task[None]]) -> None:
        acked = [len(sender.acked) for sender in self.senders]
        await self._until(
            lambda: all(len(sender.acked) > before for sender, before in zip(self.senders, acked, strict=True)), tasks
        )
        await asyncio.sleep(self.chance.uniform(0, MOMENT_SECONDS))  # the random moment itself
        for sender in self.senders:
            sender.up.clear()
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        for sender in self.senders:
            sender.up.set()

    async def _finish(self, tasks: list[asyncio.Task[None]]) -> None:
        """No new sends; wait until all are acknowledged and everybody has seen the last."""
        for sender in self.senders:
            sender.sending = False
        await self._until(
            lambda: (
                not any(sender.waiting for sender in self.senders)
                and len({sender.position for sender in self.senders}) == 1
            ),
            tasks,
        )

    async def _until(self, condition: Callable[[], bool], tasks: list[asyncio.Task[None]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            while not condition():
                for task in tasks:
                    if task.done():
                        task.result()  # raises what the sender ran into
                await self.changed.wait()

    async def stored(self) -> list[tuple[int, str, str]]:
        """All messages as the database has them."""
        found: list[tuple[int, str, str]] = []
        while True:
            after = found[-1][0] if found else 0
            path = f"/api/rooms/{self.room}/messages?after={after}&limit=200"
            page = await self.request(path, token=self.senders[0].token)
            found += [(wire["seq"], wire["id"], wire["content"]["text"]) for wire in page["messages"]]
            if not page["hasMore"]:
                return found

    async def request(self, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
        """REST, off the event loop."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + path, data, {"Authorization": f"Bearer {token}"})

        def fetch() -> Any:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)

        return await asyncio.to_thread(fetch)

    async def lost(self) -> set[str]:
        """What was acknowledged and is not there."""
        there = {text for _, _, text in await self.stored()}
        return {text for sender in self.senders for text in sender.acked if text not in there}


@pytest.mark.gen_test(timeout=110)
async def test_nothing_acknowledged_is_lost_doubled_or_reordered(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with ServerProcess(tmp_path, ENVIRONMENT) as server:
        crowd = Crowd(server, random.Random(SEED))
        await crowd.come()
        await crowd.kill_often(KILLS)
        stored = await crowd.stored()
        print(f"{len(stored)} messages, {KILLS} kills")
        assert await crowd.lost() == set()
    assert [text for text, count in Counter(text for _, _, text in stored).items() if count > 1] == []
    assert [seq for seq, _, _ in stored] == list(range(1, len(stored) + 1))
    ids = {text: message_id for _, message_id, text in stored}
    for sender in crowd.senders:
        assert sender.connections > KILLS
        assert sender.seen == stored
        assert sender.acked == {text: ids[text] for text in sender.acked}
        own = [int(text.split()[1]) for _, _, text in stored if text.startswith(f"{sender.name} ")]
        assert own == list(range(1, sender.numbers + 1))


@pytest.mark.gen_test(timeout=110)
async def test_an_ack_before_the_commit_is_caught(tmp_path: Path) -> None:
    """The control: the same clients against a server that acknowledges too early."""
    print(f"seed {SEED}")
    command = (sys.executable, str(Path(__file__).with_name("broken_server.py")), "early_ack")
    with ServerProcess(tmp_path, ENVIRONMENT, command) as server:
        crowd = Crowd(server, random.Random(SEED))
        await crowd.come()
        for _ in range(ROUNDS):
            await crowd.kill_often(ROUND)
            if lost := await crowd.lost():
                break
    assert lost
