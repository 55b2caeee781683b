"""A line between a test's client and its server ends for both when one of them is gone."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

import pytest

from anonchat.testing.lines import Line


@pytest.mark.gen_test
async def test_a_reset_of_the_server_reaches_the_client() -> None:
    """As after ``kill -9`` with something unread: the system resets the connection instead of ending it."""
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: connected.put_nowait(writer), "127.0.0.1", 0)
    line = Line(server.sockets[0].getsockname()[1])
    await line.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    far = await connected.get()
    far.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.transport.abort()
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass  # which of the two is up to the system
    finally:
        writer.close()
        await line.close()
        server.close()


@pytest.mark.gen_test
async def test_a_connection_that_has_lost_something_stays_dead_and_a_new_one_does_not() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Line(server.sockets[0].getsockname()[1]) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        for word, ways in ((b"one", {}), (b"two", {"down": "dead"}), (b"three", {})):
            await line.become(**ways)
            writer.write(word)
            try:
                heard = await asyncio.wait_for(reader.read(100), 30 if word == b"one" else 0.3)
            except TimeoutError:
                heard = b""
            assert heard == (word if word == b"one" else b""), word
        line.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(100)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        line.slow_down(delay_seconds=0.05)
        writer.write(b"four")
        assert await asyncio.wait_for(reader.read(100), 30) == b"four"
        writer.close()
    server.close()


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.gen_test
async def test_who_comes_while_the_line_is_closed_is_ended_with_it(turns: int) -> None:
    async with Line(9) as line:  # where nobody listens
        with socket.create_connection(("127.0.0.1", line.port)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await line.close()
            client.settimeout(0)
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
