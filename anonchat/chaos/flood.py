"""Strangers who send nonsense as fast as it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

STRANGERS = 40  # at a time
PIECES = 50  # that one of them sends before the next comes
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UNINVITED = b'{"event": "send_message", "data": {"text": "Hello", "clientMsgId": "1"}}'
FRAME = b"\x81" + bytes([0x80 | len(UNINVITED)]) + bytes(4) + UNINVITED  # text, masked with zeros

# How a stranger begins, and what follows again and again.
KINDS: tuple[tuple[bytes, Callable[[Random], bytes]], ...] = (
    (b"", lambda chance: chance.randbytes(1_000)),
    (b"GET / HTTP/1.1\r\n", lambda chance: b"X-%d: %s\r\n" % (chance.randrange(1_000), b"x" * 500)),
    (HANDSHAKE, lambda chance: chance.randbytes(200)),
    (HANDSHAKE, lambda chance: FRAME * 20),
)


async def flood_with_nonsense(port: int, chance: Random, seconds: float) -> None:
    """For so long, to a port of this machine."""
    until = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as strangers:
        for _ in range(STRANGERS):
            strangers.create_task(_come_and_go(port, chance, until))


async def _come_and_go(port: int, chance: Random, until: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        try:
            async with asyncio.timeout_at(until):
                await _visit(port, chance)
        except (OSError, TimeoutError):
            continue  # thrown out, as it should be; or the time is over


async def _visit(port: int, chance: Random) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        first, following = chance.choice(KINDS)
        writer.write(first)
        for _ in range(PIECES):
            writer.write(following(chance))
            await writer.drain()
    finally:
        writer.transport.abort()
