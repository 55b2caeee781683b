"""People in a process of their own, who talk as docs/protocol.md says and write down what they did and saw.

``python crowd.py <ledger>``: shares nothing with the server. A first line on standard input says who there is, each
further line is an order, answered by a line on standard output. The ledger has one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

IN_FLIGHT = 4  # sends of each that wait for their answers
PACE_SECONDS = 0.04  # between two sends
PAUSE_SECONDS = 0.15  # before one comes back


@dataclass
class Ledger:
    """What happened, in the order of its happening."""

    file: TextIO

    def write(self, who: str, what: str, **more: Any) -> None:
        self.file.write(json.dumps({"at": time.time(), "who": who, "what": what, **more}) + "\n")


@dataclass
class Habits:
    """How all of them behave.

    `patience` is how many seconds they wait for an answer; with `doubles` a repetition has another key. `host` is the name under
    which they know the server, and `authority` the file that its certificate is looked at with; without one there is no TLS.
    """

    patience: float = 25.0
    doubles: bool = False
    host: str = "127.0.0.1"
    authority: str | None = None

    async def connect(self, port: int) -> ClientConnection:
        """A socket to a port of this machine."""
        tls = ssl.create_default_context(cafile=self.authority) if self.authority is not None else None
        uri = f"ws{'s' * (tls is not None)}://{self.host}:{port}/ws"
        return await connect(uri, host="127.0.0.1", port=port, ssl=tls, ping_interval=None, max_size=None, proxy=None)


@dataclass
class Person:
    """Comes back after every cut, on the next node, with its epoch and position, and sends again what nobody answered."""

    name: str
    token: str
    ports: list[int]
    returns: bool
    habits: Habits
    ledger: Ledger
    changed: asyncio.Condition
    sending: bool = False
    epoch: str | None = None
    position: int | None = None
    sent: int = 0
    answered: list[float] = field(default_factory=list)  # when each of the acknowledged was sent first
    waiting: dict[str, float] = field(default_factory=dict)  # text -> when it was sent first
    _left: dict[str, float] = field(default_factory=dict)  # clientMsgId -> when it left on this connection
    _texts: dict[str, str] = field(default_factory=dict)  # clientMsgId -> text
    _refused: list[str] = field(default_factory=list)
    _keys: int = 0

    async def live(self) -> None:
        """Until cancelled."""
        while True:
            port = self.ports[0]
            self.ports = [*self.ports[1:], port]
            try:
                async with asyncio.timeout(self.habits.patience):
                    socket = await self.habits.connect(port)
                async with socket:
                    await self._converse(socket, port)
            except TimeoutError:
                self._note("silent", port=port, waiting=["connect"])
            except (OSError, WebSocketException, EOFError) as error:
                self._note("cut", port=port, why=type(error).__name__)
            if not self.returns:
                self._note("away")
                return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _converse(self, socket: ClientConnection, port: int) -> None:
        self._left.clear()
        self._refused.clear()
        back = {} if self.position is None else {"since": self.position, "epoch": self.epoch}
        await _tell(socket, "identify", {"token": self.token, **back})
        writing = asyncio.create_task(self._watch_identify(socket))
        try:
            async for raw in socket:
                frame = json.loads(raw)
                self._take(frame["event"], frame["data"], frame.get("seq"))
                if frame["event"] in ("history_chunk", "replay"):
                    self._note("in", port=port, recovered=frame["event"] == "replay")
                    writing.cancel()
                    writing = asyncio.create_task(self._write(socket))
                async with self.changed:
                    self.changed.notify_all()
            self._note("cut", port=port, code=socket.close_code)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _watch_identify(self, socket: ClientConnection) -> None:
        await asyncio.sleep(self.habits.patience)
        await self._give_up(socket, ["identify"])

    async def _give_up(self, socket: ClientConnection, waiting: list[str]) -> None:
        """The server owes answers, and gives none."""
        self._note("silent", waiting=waiting)
        await socket.close()

    async def _write(self, socket: ClientConnection) -> None:
        due = list(self.waiting)
        while True:
            for text in due:
                await self._send(socket, text)
            await asyncio.sleep(PACE_SECONDS)
            due, self._refused = self._refused, []
            if not due and self.sending and len(self.waiting) < IN_FLIGHT:
                self.sent += 1
                due = [f"{self.name} {self.sent}"]
                self.waiting[due[0]] = time.time()
                self._note("sent", text=due[0])
            late = [key for key, left in self._left.items() if time.time() - left > self.habits.patience]
            if late:
                await self._give_up(socket, late)

    async def _send(self, socket: ClientConnection, text: str) -> None:
        self._keys += 1
        key = f"{text} {self._keys}" if self.habits.doubles else text
        self._texts[key] = text
        self._left[key] = time.time()
        await _tell(socket, "send_message", {"text": text, "clientMsgId": key})

    # --- what comes

    def _take(self, event: str, data: dict[str, Any], seq: int | None) -> None:
        match event:
            case "identified":
                self.epoch = data["epoch"]
            case "history_chunk":
                self._note("fresh", seq=data["seq"], since=self.position)
                self.position = data["seq"]
            case "replay":
                for missed in data["events"]:
                    self._take(missed["event"], missed["data"], missed["seq"])
                self.position = data["to"]
            case "message":
                self._note("seen", seq=seq, id=data["id"], text=data["content"]["text"])
                self.position = seq
            case "message_ack":
                self._answered(data)
            case "error":
                self._was_refused(data)
            case "presence":
                self._note("presence", event=data["event"], name=data.get("user", {}).get("username"))
            case "going_away" | "kicked" | "room_ended" | "resync":
                self._note(event)

    def _answered(self, data: dict[str, Any]) -> None:
        key = data["clientMsgId"]
        text = self._texts.get(key, key)
        took = time.time() - self._left.pop(key, time.time())
        self._note("acked", text=text, id=data["serverMessageId"], seq=data["seq"], took=took)
        if text in self.waiting:
            self.answered.append(self.waiting.pop(text))

    def _was_refused(self, data: dict[str, Any]) -> None:
        key = data.get("clientMsgId")
        took = time.time() - self._left.pop(key or "", time.time())
        self._note("refused", code=data["code"], text=self._texts.get(key or ""), event=data.get("event"), took=took)
        if key is not None:
            self._refused.append(self._texts[key])

    def _note(self, what: str, **more: Any) -> None:
        self.ledger.write(self.name, what, **more)


async def _tell(socket: ClientConnection, event: str, data: dict[str, Any]) -> None:
    await socket.send(json.dumps({"event": event, "data": data}))


class Crowd:
    """All of them, and the orders that they are given."""

    def __init__(self, people: list[Person], changed: asyncio.Condition) -> None:
        self._people = people
        self._changed = changed

    @property
    def _staying(self) -> list[Person]:
        return [person for person in self._people if person.returns]

    async def obey(self, order: dict[str, Any]) -> bool:
        """``{"do": …, "seconds": …}``: whether it came to that in time."""
        began = time.time()
        reached: Callable[[], bool]
        match order["do"]:
            case "arrive":
                reached = self._all_in
            case "talk":  # once all are in, so that everybody hears everything
                self._set_sending(True)
                reached = self._all_in
            case "progress":  # each has sent something since, and knows that it is stored
                reached = self._all(lambda person: person.answered and person.answered[-1] > began)
            case "finish":
                self._set_sending(False)
                reached = self._all_done
            case other:
                raise ValueError(other)
        return await self._until(reached, order["seconds"])

    def _set_sending(self, sending: bool) -> None:
        for person in self._people:
            person.sending = sending

    def _all(self, holds: Callable[[Person], Any]) -> Callable[[], bool]:
        return lambda: all(holds(person) for person in self._staying)

    def _all_in(self) -> bool:
        return all(person.position is not None for person in self._people)

    def _all_done(self) -> bool:
        """Everything is answered, and all stand at the same position."""
        positions = {person.position for person in self._staying}
        return len(positions) == 1 and not any(person.waiting for person in self._staying)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            return False
        return True


async def main(ledger: Ledger) -> None:
    """Until standard input ends."""
    script = json.loads(await asyncio.to_thread(sys.stdin.readline))
    changed, habits = asyncio.Condition(), Habits(**script["habits"])
    people = [Person(**one, habits=habits, ledger=ledger, changed=changed) for one in script["people"]]
    crowd = Crowd(people, changed)
    tasks = [asyncio.create_task(person.live()) for person in people]
    while order := await asyncio.to_thread(sys.stdin.readline):
        for task in tasks:
            if task.done():
                task.result()  # raises what a person ran into
        print(json.dumps(await crowd.obey(json.loads(order))), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8", buffering=1) as file:
        asyncio.run(main(Ledger(file)))
