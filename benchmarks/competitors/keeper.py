"""Competitors that store messages and let people come back: they speak anonchat's protocol."""

from __future__ import annotations

import http.client
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from benchmarks.competitors.base import Competitor
from benchmarks.competitors.in_memory import plain_message
from benchmarks.load.flood import Dialect
from benchmarks.load.sockets import Ticket, masked, upgrade
from benchmarks.load.visits import NUMBER, TOKEN, Step

MOST_MEMBERS = 100_000


@dataclass(frozen=True, slots=True)
class Room:
    """A room, and the tokens of its members."""

    id: str
    invite: str
    tokens: Sequence[str]

    @property
    def path(self) -> str:
        """Of its REST calls."""
        return f"/api/rooms/{quote(self.id)}"


class Keeper(Competitor):
    """A competitor that stores what is sent."""

    def __init__(self, name: str, title: str, settings: str) -> None:
        super().__init__(name, title, settings, Dialect(b'"history_chunk"', plain_message))

    @abstractmethod
    def fill(self, room: Room, count: int) -> None:
        """Store so many messages in a room that has none yet, past the server, while it has nothing to do.

        Their numbers begin with 0 (see load/measures.h).
        """

    def make_rooms(self, count: int, members: int) -> Sequence[Room]:
        """New rooms that so many have joined, in which nobody is refused for talking much."""
        rest = Rest(self.port)
        rooms = [_room(rest, members) for _ in range(count)]
        rest.close()
        return rooms

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """The same as tickets."""
        return [tickets(room) for room in self.make_rooms(count, members)]


class Rest:
    """REST calls on one connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None, token: str = "") -> dict[str, Any]:
        """The answer; what is refused is answered, too."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        content = self._connection.getresponse().read()
        return dict(json.loads(content)) if content.startswith(b"{") else {}

    def close(self) -> None:
        """End it."""
        self._connection.close()


def _room(rest: Rest, members: int) -> Room:
    made = rest.call("POST", "/api/rooms", {"title": "Benchmark", "maxParticipants": MOST_MEMBERS})
    room = Room(made["roomId"], made["inviteToken"], ())
    owner = {"username": "Owner", "moderatorToken": made["moderatorToken"]}
    token = rest.call("POST", f"{room.path}/join", owner)["sessionToken"]
    rest.call("PATCH", f"{room.path}/moderation", {"rules": {"flooding": {"action": "allow"}}}, token)
    tokens = []
    for number in range(members):
        guest = {"username": f"Guest {number}", "inviteToken": room.invite}
        tokens.append(rest.call("POST", f"{room.path}/join", guest)["sessionToken"])
    return Room(room.id, room.invite, tokens)


def tickets(room: Room) -> Sequence[Ticket]:
    """How the members of a room enter."""
    return [Ticket("/ws", (identify(token),)) for token in room.tokens]


def identify(token: str, **position: object) -> str:
    """The event with which a session enters, perhaps with the position from which it has to be told what it missed."""
    return json.dumps({"event": "identify", "data": {"token": token, **position}})


def coming_in(identifies: Sequence[str]) -> Sequence[Step]:
    """A connection, then an identify, the same for all or one for each, and all messages that are to come."""
    return (
        Step([upgrade("/ws")], until="\r\n\r\n"),
        Step([masked(text) for text in identifies], connects=False),
    )


def joining(room: Room) -> Sequence[Step]:
    """All that somebody new does: join by REST, connect, identify, and get the history."""
    body = json.dumps({"username": f"Guest {NUMBER}", "inviteToken": room.invite})
    head = (
        f"POST {room.path}/join HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    join = Step(["\r\n".join((*head, "", body)).encode()], until='"sessionToken"', token_after='"sessionToken":"')
    return (join, *coming_in([identify(TOKEN)]))
