"""Nodes as processes of their own, each with lines of its own to Postgres and Redis, and the crowd that uses them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from anonchat.testing.clients import Rest
from anonchat.testing.databases import database_in, run_sql
from anonchat.testing.lines import Line
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment
from anonchat.testing.redis import RedisServer

from .ledgers import Entry, Stored, read

CROWD = Path(__file__).with_name("crowd.py")
BROKEN = Path(__file__).parent.parent / "e2e" / "broken_server.py"
MANY = {"replay_events": 10_000}  # so that whoever comes back is never told to start over
SELECT_STORED = "SELECT seq, id, content::json->>'text' FROM messages WHERE seq IS NOT NULL ORDER BY seq"


@dataclass
class Node:
    """One process, its ways to what it shares with the others, and that of people to it."""

    process: ServerProcess
    to_postgres: Line
    to_redis: Line
    from_people: Line | None = None

    @property
    def rest(self) -> Rest:
        return Rest(self.process.port)

    async def start(self) -> None:
        """The ways are in the event loop of the test, which must go on meanwhile."""
        await asyncio.to_thread(self.process.start)
        if self.from_people is None:
            self.from_people = Line(self.process.port)
            await self.from_people.open()

    async def close(self) -> None:
        """Kill the process, and end the lines."""
        self.process.kill()
        for line in (self.to_postgres, self.to_redis, self.from_people):
            if line is not None:
                await line.close()


@dataclass
class Cluster:
    """All nodes, and one room."""

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    nodes: list[Node]
    room: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def ports(self) -> list[int]:
        """Where people connect to."""
        return [node.from_people.port for node in self.nodes if node.from_people is not None]

    async def open_room(self, **body: Any) -> None:
        """A room that is kept."""
        reply = await self.nodes[0].rest.acall("POST", "/api/rooms", {"title": "Room", "ephemeral": False, **body})
        assert reply.status == 201, reply.body
        self.room = reply.body["roomId"]
        self.tokens = {"participant": reply.body["inviteToken"], "moderator": reply.body["moderatorToken"]}

    async def join(self, name: str, node: int = 0, *, moderator: bool = False) -> Any:
        """The answer of a node to somebody who joins."""
        token = (
            {"moderatorToken": self.tokens["moderator"]} if moderator else {"inviteToken": self.tokens["participant"]}
        )
        return await self.nodes[node].rest.acall("POST", f"/api/rooms/{self.room}/join", {"username": name, **token})

    async def health(self, node: int) -> dict[str, Any]:
        """What a node says of itself (``/health/ready``)."""
        reply: dict[str, Any] = (await self.nodes[node].rest.acall("GET", "/health/ready")).body
        return reply

    async def missing(self, seconds: float) -> list[dict[str, Any]]:
        """Wait until each node says that nothing is missing; what those say that miss something for so long."""
        deadline = time.monotonic() + seconds
        while ill := [body for node in range(len(self.nodes)) if (body := await self.health(node))["status"] != "ok"]:
            if time.monotonic() > deadline:
                return ill
            await asyncio.sleep(0.1)
        return []

    def stored(self) -> list[Stored]:
        """All messages, as the database has them."""
        return [Stored(*row) for row in run_sql(self.folder, SELECT_STORED)]


@asynccontextmanager
async def cluster(
    count: int, postgres: PostgresServer, redis: RedisServer, folder: Path, fault: Sequence[str] = (), **tables: Any
) -> AsyncIterator[Cluster]:
    """So many nodes and a room; with a `fault` they are nodes with that fault of `broken_server.py`."""
    command = (sys.executable, str(BROKEN), *fault) if fault else ()
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(count):
            to_postgres, to_redis = Line(postgres.port), Line(redis.port)
            await to_postgres.open()
            await to_redis.open()
            storage = _storage(folder, to_postgres.port, redis.url(f"{folder.name}:", port=to_redis.port))
            variables = environment(storage=storage, **{"rooms": MANY, "log": {"level": "warning"}, **tables})
            nodes.append(Node(ServerProcess(folder, variables, command), to_postgres, to_redis))
            stack.push_async_callback(nodes[-1].close)
        await asyncio.gather(*(node.start() for node in nodes))
        found = Cluster(folder, postgres, redis, nodes)
        await found.open_room()
        yield found


def _storage(folder: Path, port: int, redis: str) -> dict[str, str]:
    parts = urlsplit(database_in(folder))
    through = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}")
    return {"database": urlunsplit(through), "bus": redis, "ephemeral": redis}


class Crowd:
    """People on all nodes of a cluster, in a process of their own (`crowd.py`)."""

    def __init__(self, ledger: Path, process: subprocess.Popen[str]) -> None:
        self.ledger = ledger
        self._process = process

    async def can(self, order: str, seconds: float = 30.0) -> bool:
        """Whether they have done it in time."""
        return await asyncio.to_thread(self._ask, {"do": order, "seconds": seconds})

    def _ask(self, order: dict[str, Any]) -> bool:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the crowd has ended; its own traceback is above"
        return bool(json.loads(answer))

    def entries(self) -> list[Entry]:
        """What they have written down so far."""
        return read(self.ledger)


@asynccontextmanager
async def crowd(
    found: Cluster, size: int, away: Sequence[int] = (), proxy: int | None = None, **habits: Any
) -> AsyncIterator[Crowd]:
    """`size` people, turn by turn on each node, or all through the port of a `proxy`. All are in.

    The numbers in `away` do not come back after a cut; `habits` are those of `crowd.py`.
    """
    people = []
    for number in range(size):
        node = number % len(found.nodes)
        reply = await found.join(f"Person {number}", node)
        assert reply.status == 201, reply.body
        ports = [*found.ports[node:], *found.ports[:node]] if proxy is None else [proxy]
        token = reply.body["sessionToken"]
        people.append({"name": f"Person {number}", "token": token, "ports": ports, "returns": number not in away})
    ledger = found.folder / "ledger"
    process = await asyncio.to_thread(_started, ledger)
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({"people": people, "habits": habits}) + "\n")
        process.stdin.flush()
        talking = Crowd(ledger, process)
        assert await talking.can("arrive")
        assert await talking.can("talk")
        yield talking
    finally:
        process.kill()
        process.communicate()


def _started(ledger: Path) -> subprocess.Popen[str]:
    """The crowd's process, which knows nothing of the servers' configuration."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ANONCHAT")}
    command = [sys.executable, "-P", str(CROWD), str(ledger)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)
