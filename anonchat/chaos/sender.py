"""A participant that goes on sending whatever happens, and comes back after every cut."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from anonchat.chaos.ledger import Account
from anonchat.client import NotReachable
from anonchat.client.connection.line import Frame
from anonchat.client.connection.line import Line as Socket
from anonchat.testing.lines import Line

IN_FLIGHT = 8  # sends that wait for their acks
TICK_SECONDS = 0.02
HEARTBEAT_SECONDS = 1.0
SILENCE_SECONDS = 4.0  # after which a connection is given up
CONNECT_SECONDS = 5.0
AGAIN_SECONDS = 0.05  # between two attempts to connect: it is the server that is tested, not its neighbours


class Sender:
    """Keeps its `account`. `rate` is how many messages it wants to send each second; ``math.inf`` is as many as go."""

    def __init__(self, name: str, token: str, line: Line, rate: float) -> None:
        self.account = Account(name)
        self.line = line
        self.rate = rate
        self.is_sending = False
        self.visits = 0
        self.position: int | None = None
        self._token = token
        self._epoch: str | None = None
        self._socket: Socket | None = None
        self._budget = 0.0
        self._heard = 0.0
        self._put_off: set[str] = set()

    @property
    def is_online(self) -> bool:
        """Whether it knows everything up to now."""
        return self._socket is not None

    def has_seen(self, seq: int) -> bool:
        """Whether it is online and at this seq or beyond."""
        return self.is_online and self.position is not None and self.position >= seq

    async def live(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._come_back())
            both.create_task(self._pulse())

    async def _come_back(self) -> None:
        while True:
            try:
                socket = await Socket.open(f"ws://127.0.0.1:{self.line.port}/ws", CONNECT_SECONDS)
            except NotReachable:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            try:
                await self._converse(socket)
            finally:
                self._socket = None
                socket.close()

    async def _converse(self, socket: Socket) -> None:
        back = {} if self._epoch is None else {"since": self.position, "epoch": self._epoch}
        self._heard = asyncio.get_running_loop().time()
        socket.write("identify", {"token": self._token, **back})
        while (frame := await socket.read()) is not None:
            self._heard = asyncio.get_running_loop().time()
            self._take(frame)
            if self._socket is None and frame.event in {"history_chunk", "replay"}:
                self.visits += 1
                self._socket = socket
                self._put_off.clear()
                for text in self.account.waiting:
                    self._write(text)
            self._send()

    async def _pulse(self) -> None:
        """Between frames: send what is due, repeat what was put off, and notice that nobody answers any more."""
        loop, beat = asyncio.get_running_loop(), 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._budget = min(self._budget + self.rate * TICK_SECONDS, max(self.rate, 1.0))
            self._send()
            if self._socket is not None and loop.time() - beat >= HEARTBEAT_SECONDS:
                beat = loop.time()
                self._socket.write("heartbeat", {})
                for text in self._put_off:
                    self._write(text)
                self._put_off.clear()
            if self._socket is not None and loop.time() - self._heard > SILENCE_SECONDS:
                await self.line.cut()

    def _send(self) -> None:
        while self.is_sending and self.is_online and self._budget >= 1 and len(self.account.waiting) < IN_FLIGHT:
            self._budget -= 1
            self.account.sent += 1
            text = f"{self.account.name}-{self.account.sent}"
            self.account.waiting[text] = asyncio.get_running_loop().time()
            self._write(text)

    def _write(self, text: str) -> None:
        if self._socket is not None:
            self._socket.write("send_message", {"text": text, "clientMsgId": text})

    # --- what it is told

    def _take(self, frame: Frame) -> None:
        if frame.seq is not None:
            self._durable(frame.event, frame.data, frame.seq)
            return
        match frame.event:
            case "identified":
                self._epoch = frame.data["epoch"]
            case "history_chunk":
                self._start_over(frame.data)
            case "replay":
                for missed in frame.data["events"]:
                    self._durable(missed["event"], missed["data"], missed["seq"])
                self.position = frame.data["to"]
            case "resync":
                self._epoch = None
            case "message_ack":
                self._acknowledged(frame.data)
            case "error":
                self._refused(frame.data)

    def _durable(self, event: str, data: Mapping[str, Any], seq: int) -> None:
        if event == "message":
            self.account.seen.append((seq, data["id"], data["content"]["text"]))
        elif event == "gone":
            self.account.gone.append(seq)
        self.position = seq

    def _start_over(self, data: Mapping[str, Any]) -> None:
        """At first there is nothing before; later the server says with this that something may be missing."""
        page, known = data["messages"], self.position
        if known is not None:
            first = page[0]["seq"] if page else data["seq"] + 1
            self.account.skipped.append(range(known + 1, first))
            for wire in page:
                if wire["seq"] > known:
                    self._durable("message", wire, wire["seq"])
        self.position = data["seq"]

    def _acknowledged(self, data: Mapping[str, Any]) -> None:
        text, account = data["clientMsgId"], self.account
        if text in account.waiting:
            began = account.waiting.pop(text)
            account.acked[text] = data["serverMessageId"]
            account.answers.append((began, asyncio.get_running_loop().time() - began))

    def _refused(self, data: Mapping[str, Any]) -> None:
        """Try again with the next heartbeat. What is refused for good stays unanswered, and so it is found."""
        self.account.refusals[data["code"]] += 1
        text = data.get("clientMsgId")
        if text in self.account.waiting:
            self.account.put_off.add(text)
            self._put_off.add(text)
