"""A room with somebody of each rank in it, on a server with all bundled plugins."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tornado.websocket import websocket_connect

from anonchat.app import Server
from anonchat.testing.people import OpenRoom, Person, open_room, request

OPERATOR = "an operator's token"
RANKS = ("participant", "promoted", "owner")


@dataclass
class World:
    """A room with somebody of each rank, and somebody from another room."""

    server: Server
    room: OpenRoom
    other: OpenRoom
    stack: AsyncExitStack
    invites: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def somebody(self, rank: str) -> Person:
        """One more person of that rank."""
        name = f"Person {next(self.numbers)}"
        token = {"moderatorToken" if rank == "owner" else "inviteToken": self.invites[rank]}
        joined = await request(self.server, "POST", f"/api/rooms/{self.room.id}/join", {"username": name, **token})
        assert joined.status == 201, joined.body
        person = await self.room.identify(name, joined.body["sessionId"], joined.body["sessionToken"])
        self.stack.push_async_callback(person.close)
        return person

    async def as_owner(self, event: str, **data: Any) -> Any:
        """What the owner is answered; an error, too."""
        return (await self.people["owner"].ask(event, data)).data

    async def said(self, person: Person | None = None) -> str:
        """The id of a message by somebody."""
        author = person or await self.somebody("participant")
        answer = await author.say("Something")
        assert answer.event == "message_ack", answer
        return str(answer.data["serverMessageId"])

    async def stranger(self) -> Person:
        """A socket that has not said who it is."""
        person = Person("Nobody", "", "", await websocket_connect(f"ws://127.0.0.1:{self.server.port}/ws"))
        self.stack.push_async_callback(person.close)
        return person

    def token_of(self, actor: str) -> str | None:
        """What stands in the header of a request."""
        if actor in self.people:
            return self.people[actor].token
        return OPERATOR if actor == "operator" else None


@asynccontextmanager
async def world_of(server: Server) -> AsyncIterator[World]:
    """A new room; whoever is in it goes at the end."""
    async with AsyncExitStack() as stack:
        room, other = await open_room(server), await open_room(server)
        world = World(server, room, other, stack, {"participant": room.invite_token, "owner": room.moderator_token})
        world.people["owner"] = await world.somebody("owner")
        invite = await request(
            server, "POST", f"/api/rooms/{room.id}/invites", {"role": "moderator"}, token=world.token_of("owner")
        )
        world.invites["promoted"] = invite.body["inviteToken"]
        for rank in ("participant", "promoted"):
            world.people[rank] = await world.somebody(rank)
        world.people["outsider"] = await stack.enter_async_context(other.enter("Eve", moderator=True))
        yield world
