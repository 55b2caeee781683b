"""What an idle participant costs: memory for each identified connection, processor time, and the start of a server.

    python benchmarks/idle.py [connections] [seconds]

The server runs in a process of its own with its defaults but for limits; each connection joined its room like anybody
else. Memory is what the server's resident set grows by, divided by the connections.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from anonchat.testing import UNLIMITED
from anonchat.testing.processes import ServerProcess

ROOM = 50  # participants of one room
AIM_KIB, AIM_SECONDS = 18, 1.0


def resident_kib(pid: int) -> int:
    """The resident set of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def post(url: str, body: Mapping[str, object]) -> dict[str, str]:
    """One REST call."""
    answer = await AsyncHTTPClient().fetch(url, method="POST", body=json.dumps(body))
    return dict(json.loads(answer.body))


async def room_of_people(server: ServerProcess, people: int) -> list[WebSocketClientConnection]:
    """A new room with that many identified connections."""
    room = await post(f"{server.url}/api/rooms", {"title": "Idle", "maxParticipants": people})
    sockets = []
    for number in range(people):
        join = {"inviteToken": room["inviteToken"], "username": f"Guest {number}"}
        member = await post(f"{server.url}/api/rooms/{room['roomId']}/join", join)
        socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        await socket.write_message(json.dumps({"event": "identify", "data": {"token": member["sessionToken"]}}))
        while json.loads(str(await socket.read_message()))["event"] != "history_chunk":
            pass
        sockets.append(socket)
    return sockets


def start_seconds(folder: Path) -> float:
    """From the start of the process to its first answer, on a database that exists."""
    server = ServerProcess(folder)
    begun = time.perf_counter()
    server.start()
    asyncio.run(_ask(server.url))
    taken = time.perf_counter() - begun
    server.stop()
    return taken


async def _ask(url: str) -> None:
    await AsyncHTTPClient().fetch(f"{url}/health")


async def measure(server: ServerProcess, connections: int, seconds: float) -> None:
    """Open the connections, wait, and print."""
    warm = await room_of_people(server, ROOM)
    before = resident_kib(server.pid)
    sockets: list[WebSocketClientConnection] = []
    while len(sockets) < connections:
        sockets += await room_of_people(server, min(ROOM, connections - len(sockets)))
        print(f"\r{len(sockets)} connections", end="", flush=True)
    grown = resident_kib(server.pid) - before
    used = processor_seconds(server.pid)
    await asyncio.sleep(seconds)
    used = processor_seconds(server.pid) - used
    print(f"\r{connections} idle identified connections: {grown / connections:.1f} KiB each (aim: under {AIM_KIB}),")
    print(f"  {100 * used / seconds:.2f} % of one core over {seconds:g} s")
    for socket in (*warm, *sockets):
        socket.close()


def main() -> None:
    """Print the figures."""
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start_seconds(folder)  # makes the database
        best = min(start_seconds(folder) for _ in range(5))
        print(f"start to first answer: {best:.2f} s (aim: under {AIM_SECONDS:g} s), best of 5")
        environ = {f"ANONCHAT_LIMITS__{key.upper()}": str(value) for key, value in UNLIMITED.items()}
        with ServerProcess(folder, environ) as server:
            asyncio.run(measure(server, connections, seconds))


if __name__ == "__main__":
    main()
