"""Reading back in a room in which very much was said."""

from __future__ import annotations

import random
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.competitors.keeper import Keeper, Room
from benchmarks.results import quantile
from benchmarks.scenarios.base import EXPRESS, KEEPERS, Aim, Measure, Scale, Scenario

PAGE = 50
RATE = 100  # requests a second
NUMBER = re.compile(rb"~d(\d{14})")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class History(Scenario):
    """Pages of history from random places, requested at fixed moments; latency counts from these."""

    messages: int

    def enter(self, competitor: Keeper) -> Room:
        """A full room."""
        room = competitor.make_rooms(1, 1)[0]
        competitor.fill(room, self.messages)
        return room

    def turn(self, competitor: Keeper, prepared: Room) -> Mapping[str, float]:
        """Request pages, one after the other, on one connection."""
        latencies = []
        with socket.create_connection(("127.0.0.1", competitor.port), timeout=60) as connection:
            begun = time.perf_counter()
            for number in range(max(2, round(RATE * self.seconds))):
                due = begun + number / RATE
                time.sleep(max(0.0, due - time.perf_counter()))
                before = random.randrange(PAGE + 1, self.messages + 2) if self.messages > PAGE else self.messages + 1
                body = _page(connection, prepared, before)
                latencies.append(time.perf_counter() - due)
                _check(body, before)
        return {"p99": 1e3 * quantile(latencies, 0.99), "p50": 1e3 * quantile(latencies, 0.5)}


def _page(connection: socket.socket, room: Room, before: int) -> bytes:
    """The body of an answer."""
    head = (
        f"GET {room.path}/messages?before={before}&limit={PAGE} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {room.tokens[0]}",
    )
    connection.sendall("\r\n".join((*head, "", "")).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _some(connection)
    head_bytes, _, body = answer.partition(b"\r\n\r\n")
    found = LENGTH.search(head_bytes)
    while found and len(body) < int(found[1]):
        body += _some(connection)
    return body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionError("The server closed a connection.")
    return data


def _check(body: bytes, before: int) -> None:
    """Raise ValueError unless these are the messages right before that place; the first one has the number 0."""
    found = [int(number) for number in NUMBER.findall(body)]
    wanted = list(range(max(0, before - 1 - PAGE), before - 1))
    if found != wanted:
        raise ValueError(
            f"a page has the messages {found[:1]} to {found[-1:]} instead of {wanted[:1]} to {wanted[-1:]}"
        )


def history(scale: Scale) -> History:
    """A million messages."""
    messages = scale.count(1_000_000)
    return History(
        name="history",
        title=f"A page of {PAGE} from a room of {messages:,} messages, {RATE} a second",
        measures=(Measure("p99", "p99", "ms", 2), Measure("p50", "p50", "ms", 2)),
        aims=(Aim("p99", 3, False),),
        competitors=KEEPERS,
        reference=EXPRESS,
        seconds=scale.seconds(10),
        messages=messages,
    )
