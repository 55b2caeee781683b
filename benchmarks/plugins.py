"""What the bundled plugins cost: acknowledged messages a second without them, with each alone, and with all.

    python -m benchmarks.plugins [rounds] [seconds] [messages for each mention] [members of a room ...]

A server for each set of plugins runs in a process of its own; they take turns, in another order each round, so that
whatever else the machine does, and what the one before has left to the disk, meets all of them alike. All run on one
core, and the load on the others, where there are any. In each of the
rooms one member sends, with several messages in flight, and all hear it. Rooms of 5 are measured, and then rooms of 50,
fewer of them, so that there are as many people: first with plain messages, then with a mention in one of twenty, for which
a notification is stored and sent as well. With 0 messages for each mention there are none. Two
ratios to the server without plugins are told, each the median over the rounds: of messages a second, and of the server's
processor time a message, which a busy machine disturbs less.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import statistics
import string
import struct
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient

from anonchat.plugins.registry import bundled
from anonchat.testing.processes import ServerProcess, environment
from benchmarks.machine import Cores, pinned, processor_seconds

PEOPLE, IN_FLIGHT = 100, 160  # on a server, and messages of them all that wait for their acknowledgement
MEMBERS = (5, 50)  # of a room
PAUSE = 0.5  # seconds between two turns
MENTION_EVERY = (0, 20)  # messages; 0: nobody is mentioned
NONE = "none"
MENTIONED = "Maud"
WORDS = tuple("".join(random.choices(string.ascii_lowercase, k=6)) for _ in range(2_000))
AIM = 0.25  # what all of them together may cost
REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACK = b'"event":"message_ack"'
PING, PONG = (
    b"\x89\x00",
    b"\x8a\x80\x00\x00\x00\x00",
)  # as the server sends it, and its answer; no text holds such bytes

Figures = tuple[float, float]
"""Messages a second, and microseconds of processor time a message."""


class Member(asyncio.Protocol):
    """One socket that costs next to nothing: it looks for acknowledgements and pings in what comes, and reads nothing else."""

    def __init__(self, token: str, mention_every: int) -> None:
        self._token = token
        self._mention_every = mention_every
        self._tail = b""
        self._is_open = False
        self._sent = 0
        self.acked = 0
        self.is_sending = self.is_lost = False
        self.welcomed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self._transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count acknowledgements, also where one is cut in two, and send as many messages again."""
        if not self._is_open:
            self._is_open = True
            self._write("identify", {"token": self._token})
        seen = self._tail + data
        self._tail = seen[-len(ACK) + 1 :]
        if PING in seen:
            self._transport.write(PONG)
        if b'"history_chunk"' in seen:
            self.welcomed.set()
        if b'"event":"error"' in seen:
            raise ConnectionError(f"A message was refused: {seen.decode(errors='replace')[-200:]}")
        acks = seen.count(ACK)
        self.acked += acks
        if self.is_sending:
            self.send(acks)

    def connection_lost(self, error: Exception | None) -> None:
        """A server that goes away is not to be measured as a slow one."""
        self.is_lost = True

    def send(self, count: int) -> None:
        """Send so many messages at once."""
        for _ in range(count):
            self._sent += 1
            name = f"@{MENTIONED} " if self._mention_every and self._sent % self._mention_every == 0 else ""
            text = name + " ".join(random.choices(WORDS, k=8))  # nobody says the same twice, which a rule refuses
            self._write("send_message", {"text": text, "clientMsgId": str(self._sent)})

    def _write(self, event: str, data: Mapping[str, object]) -> None:
        """One masked frame; the key is zero, which leaves the payload as it is."""
        payload = json.dumps({"event": event, "data": data}).encode()
        length = (
            struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack("!BH", 0xFE, len(payload))
        )
        self._transport.write(b"\x81" + length + bytes(4) + payload)

    def close(self) -> None:
        """Break the connection."""
        self._transport.abort()


async def post(url: str, body: Mapping[str, object]) -> dict[str, str]:
    """One REST call."""
    answer = await AsyncHTTPClient().fetch(url, method="POST", body=json.dumps(body))
    return dict(json.loads(answer.body))


async def enter(server: ServerProcess, room: Mapping[str, str], name: str, mention_every: int) -> Member:
    """One more member of a room."""
    body = {"username": name, "inviteToken": room["inviteToken"]}
    joined = await post(f"{server.url}/api/rooms/{room['roomId']}/join", body)
    member = Member(joined["sessionToken"], mention_every)
    await asyncio.get_running_loop().create_connection(lambda: member, "127.0.0.1", server.port)
    await asyncio.wait_for(member.welcomed.wait(), 10)
    return member


async def fill_room(server: ServerProcess, members: int, mention_every: int) -> list[Member]:
    """A room full of members, of whom the first will send: far more than the rule against floods would let pass."""
    room = await post(f"{server.url}/api/rooms", {"title": "Benchmark"})
    path = f"{server.url}/api/rooms/{room['roomId']}"
    owner = await post(f"{path}/join", {"username": "Owner", "moderatorToken": room["moderatorToken"]})
    rules = {"rules": {"flooding": {"action": "allow"}}}
    await AsyncHTTPClient().fetch(
        f"{path}/moderation",
        method="PATCH",
        headers={"Authorization": f"Bearer {owner['sessionToken']}"},
        body=json.dumps(rules),
        raise_error=False,  # it is not there where moderation is off
    )
    names = [*(f"Guest {number}" for number in range(1, members)), MENTIONED]
    return [await enter(server, room, name, mention_every) for name in names]


async def turn(server: ServerProcess, senders: Sequence[Member], seconds: float) -> tuple[float, float]:
    """(acknowledged messages a second, microseconds of the server's processor time a message)."""
    acked, used, begun = sum(sender.acked for sender in senders), processor_seconds(server.pid), time.perf_counter()
    for sender in senders:
        sender.is_sending = True
        sender.send(IN_FLIGHT // len(senders))
    await asyncio.sleep(seconds)
    for sender in senders:
        sender.is_sending = False
    rate = (sum(sender.acked for sender in senders) - acked) / (time.perf_counter() - begun)
    await asyncio.sleep(PAUSE)  # what plugins do after a message is a part of its cost
    messages = sum(sender.acked for sender in senders) - acked
    if messages == 0 or any(sender.is_lost for sender in senders):
        raise SystemExit("A server has closed connections, so there is nothing to compare.")
    return rate, 1e6 * (processor_seconds(server.pid) - used) / messages


async def measure(
    servers: Mapping[str, ServerProcess], members: int, rounds: int, seconds: float, mention_every: int
) -> Mapping[str, list[Figures]]:
    """Let the servers take turns; the first turn of each warms it up and is not counted."""
    count = max(1, PEOPLE // members)
    rooms = {
        name: [await fill_room(server, members, mention_every) for _ in range(count)]
        for name, server in servers.items()
    }
    figures: dict[str, list[Figures]] = {name: [] for name in servers}
    for number in range(rounds + 1):
        for name in random.sample([*servers], len(servers)):
            found = await turn(servers[name], [people[0] for people in rooms[name]], seconds)
            if number:
                figures[name].append(found)
        print(f"\r{_title(members, mention_every)}: round {number} of {rounds}", end="", flush=True, file=sys.stderr)
    for member in itertools.chain.from_iterable(itertools.chain.from_iterable(rooms.values())):
        member.close()
    return figures


def _title(members: int, mention_every: int) -> str:
    said = f"a mention in every {mention_every}th message" if mention_every else "plain messages"
    return f"rooms of {members}, {said}"


def report(title: str, figures: Mapping[str, list[Figures]]) -> None:
    """Print a line for each set of plugins."""
    print(f"\n\n{title}\n{'plugins':16} {'acks/s':>10} {'of none':>8} {'CPU us':>8} {'of none':>8}")
    for name, found in figures.items():
        pairs = list(zip(found, figures[NONE], strict=True))
        rate, cost = (statistics.median(one[index] for one in found) for index in range(2))
        rates, costs = (statistics.median(one[index] / none[index] for one, none in pairs) for index in range(2))
        print(f"{name:16} {rate:10,.0f} {rates:8.2f} {cost:8.0f} {costs:8.2f}")


def main() -> None:
    """Start a server for each set of plugins, measure and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    mentions = (int(sys.argv[3]),) if len(sys.argv) > 3 else MENTION_EVERY
    sizes = tuple(map(int, sys.argv[4:])) or MEMBERS
    sets = {NONE: (), **{name: (name,) for name in bundled()}, "all": bundled()}
    cores = Cores.of_this_machine()
    with ExitStack() as stack:
        servers = {}
        for name, plugins in sets.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            with pinned(cores.server):
                servers[name] = stack.enter_context(
                    ServerProcess(folder, environment(plugins={"enabled": list(plugins)}))
                )
        stack.enter_context(pinned(cores.load))
        for members, mention_every in itertools.product(sizes, mentions):
            figures = asyncio.run(measure(servers, members, rounds, seconds, mention_every))
            report(_title(members, mention_every), figures)
    print(f"aim: all of them cost at most {AIM:.0%} of the messages a second")


if __name__ == "__main__":
    main()
