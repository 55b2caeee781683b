"""Two nodes on one Postgres and one Redis, for tests of what they do together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonchat.testing import running_server, settings_in
from anonchat.testing.people import OpenRoom, Person, Reply, open_room
from anonchat.testing.redis import RedisServer

if TYPE_CHECKING:
    from anonchat.app import Server

PATIENCE_SECONDS = 10.0
LEASE_SECONDS = 4
GRACE_SECONDS = 1
SESSIONS = {"lease_seconds": LEASE_SECONDS, "grace_seconds": GRACE_SECONDS}


@dataclass
class Nodes:
    """Two servers, and one room as each of them shows it."""

    servers: tuple[Server, Server]
    rooms: tuple[OpenRoom, OpenRoom]

    async def join(self, name: str, **body: Any) -> Reply:
        """A session that has no socket yet."""
        return await self.rooms[0].join(name, **body)

    async def on(self, node: int, reply: Reply, **position: Any) -> Person:
        """A socket of a session on a node. The caller closes it."""
        body = reply.body
        return await self.rooms[node].identify(body["username"], body["sessionId"], body["sessionToken"], **position)


def storage_of(redis: RedisServer, folder: Path) -> dict[str, str]:
    """The two roles on Redis, with a prefix of their own."""
    url = redis.url(f"{folder.name}:")
    return {"bus": url, "ephemeral": url}


@asynccontextmanager
async def two_nodes(redis: RedisServer, folder: Path, *plugins: str) -> AsyncIterator[Nodes]:
    """Both running, and a room. Postgres is named by the environment."""
    settings = settings_in(folder, plugins={"enabled": plugins}, storage=storage_of(redis, folder), sessions=SESSIONS)
    async with running_server(settings) as one, running_server(settings) as other:
        room = await open_room(one)
        yield Nodes((one, other), (room, replace(room, server=other)))


async def until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until it holds; returns how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what another node does has no event here
            await asyncio.sleep(0.01)
    return time.monotonic() - began


async def closed(person: Person) -> int | None:
    """Read until the socket is closed; returns with which code."""
    while await person.read() is not None:
        pass
    person.socket.close()
    return person.socket.close_code


async def hear_text(person: Person, text: str) -> None:
    """Hear messages until this one."""
    while (await person.hear("message")).data["content"]["text"] != text:
        pass
