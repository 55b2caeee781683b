"""What a closed connection held is free at once: who comes and goes in masses cannot fill the memory before it is collected."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tornado.iostream import IOStream

from anonchat.app import Server
from anonchat.chaos.flood import HANDSHAKE
from anonchat.connections.connection import Connection
from anonchat.connections.inbox import Inbox
from anonchat.protocol.frames import ProtocolError
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import open_room
from anonchat.websocket.transport import SocketTransport

OURS = (SocketTransport, Connection, Inbox, ProtocolError)
TIMES = 5

Visit = Callable[[Server], Coroutine[Any, Any, None]]


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """What only the garbage collector would find of our connections, once it has looked; until then it rests."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def _send(server: Server, *pieces: bytes) -> None:
    """Send bytes and read until the server has closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with suppress(OSError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        await reader.read()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def send_no_request(server: Server) -> None:
    await _send(server, b"x" * 100_000)


async def send_no_frames(server: Server) -> None:
    await _send(server, HANDSHAKE, b"\xff" * 100)


async def talk(server: Server) -> None:
    room = await open_room(server)
    async with room.enter("Alice") as alice:
        await alice.say("Hello")


# Who talks is Tornado's client, which has streams of its own.
@pytest.mark.parametrize(
    ("come", "kinds"), [(send_no_request, (IOStream,)), (send_no_frames, (IOStream, *OURS)), (talk, OURS)]
)
@pytest.mark.gen_test
async def test_a_closed_connection_leaves_nothing_to_the_collector(
    tmp_path: Path, garbage: list[Any], come: Visit, kinds: tuple[type[Any], ...]
) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        for _ in range(TIMES):
            await come(server)
        await asyncio.sleep(0.1)  # the server hears of the end
        gc.collect()
        assert not [type(left).__name__ for left in garbage if isinstance(left, kinds)]
