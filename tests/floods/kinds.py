"""What a hostile or broken crowd does to a server, each kind until it is cancelled.

``python -m tests.floods.kinds KIND PORT CONNECTIONS RATE ADDRESS`` does one from a process of its own and from that address
of this machine, with session tokens on standard input. It prints 0 when the first has come, the number of connections when
all are there, and at SIGTERM how much it did.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

REQUEST = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n"
)
PAUSE_SECONDS = 0.05  # before a connection that was ended comes again
BATCH = 20  # frames in one send
RECEIVE_BYTES = 4096  # the buffer of those who do not read
IP_BIND_ADDRESS_NO_PORT = 24  # Linux, ip(7); the module socket has no name for it


@dataclass
class Target:
    """Who is flooded and how hard: `rate` is of frames or bytes a second, of all connections together."""

    port: int
    connections: int
    rate: float
    tokens: Sequence[str] = ()
    """Sessions, for those who come in: one for each connection."""
    address: str = ""
    """Where they come from; empty: where the system takes."""
    done: int = 0
    """Frames or bytes sent; connections, where these are what floods."""
    came: int = 0
    """Connections, those too that were ended and came again; WebSockets when they have shaken hands."""
    is_coming: bool = False
    """Whether the first has connected."""
    tell: Callable[[int], None] = lambda came: None
    """Called with 0 when the first has come, and with their number when all are there."""
    _next: float = field(default=0.0, repr=False)

    def arrived(self) -> None:
        """One more is there."""
        self.came += 1
        if self.came == self.connections:
            self.tell(self.came)

    async def turn(self, count: int) -> None:
        """Wait until it is time for so many more."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now) + count / self.rate
        self.done += count
        await asyncio.sleep(max(0.0, self._next - now - count / self.rate))


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Visit = Callable[[Target, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def flood(kind: str, target: Target) -> None:
    """Until it is cancelled: each connection comes again when it was ended."""
    async with asyncio.TaskGroup() as group:
        for number in range(target.connections):
            group.create_task(_come_again(kind, target, number))


async def _come_again(kind: str, target: Target, number: int) -> None:
    visit, is_upgrade, comes_in = KINDS[kind]
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await _connect(target)
            if not target.is_coming:
                target.is_coming = True
                target.tell(0)
            try:
                if is_upgrade:
                    header = f"Authorization: Bearer {target.tokens[number]}\r\n" if comes_in else ""
                    writer.write(REQUEST.format(header).encode())
                    await reader.readuntil(b"\r\n\r\n")
                target.arrived()
                await visit(target, reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_SECONDS)


async def _connect(target: Target) -> Streams:
    connection = socket.socket()
    connection.setblocking(False)
    if target.address:
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)  # else ports run out for everybody
        connection.bind((target.address, 0))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", target.port))
        return await asyncio.open_connection(sock=connection, limit=RECEIVE_BYTES)
    except BaseException:
        connection.close()
        raise


async def stop_reading(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Come into the room and never read again."""
    target.done += 1
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def be_idle(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Come into the room, read, answer pings, and say nothing."""
    target.done += 1
    while data := await reader.read(RECEIVE_BYTES):
        if data.endswith(b"\x89\x00"):
            writer.write(_frame(0x8A))


async def say_nothing(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shake hands, and never say who one is."""
    target.done += 1
    while await reader.read(RECEIVE_BYTES):
        pass


async def send_slow_header(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A request that never comes to its end, byte by byte."""
    await _trickle(target, reader, writer, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")


async def send_slow_body(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A request with a body of 60,000 bytes, byte by byte."""
    await _trickle(
        target, reader, writer, b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
    )


async def _trickle(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, beginning: bytes
) -> None:
    writer.write(beginning)
    ended = asyncio.ensure_future(reader.read())
    try:
        while not ended.done():
            await target.turn(1)
            writer.write(b"a")
    finally:
        ended.cancel()


async def ping(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pings with as much in them as they can carry."""
    await _send(target, reader, writer, itertools.repeat(_frame(0x89, b"?" * 125)))


async def send_nonsense(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Frames that are wrong for the protocol, for JSON or for the chat, one connection until it is closed."""
    start = target.done // BATCH % len(MALFORMED)
    await _send(target, reader, writer, itertools.cycle(MALFORMED[start:] + MALFORMED[:start]))


async def _send(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Iterator[bytes]
) -> None:
    """Send until the server has ended it, reading what it answers."""

    async def read() -> None:
        while await reader.read(RECEIVE_BYTES):
            pass

    ended = asyncio.ensure_future(read())
    try:
        while not ended.done():
            await target.turn(BATCH)
            writer.write(b"".join(itertools.islice(frames, BATCH)))
            await writer.drain()
    finally:
        ended.cancel()


def _frame(opcode: int, payload: bytes = b"", first: int = 0x80) -> bytes:
    """One frame of a client; its mask is zero, which leaves the payload as it is."""
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes([first | opcode]) + head + bytes(4) + payload


# The first are refused and survived until there are too many, the last ones end their connection.
MALFORMED = (
    *(
        _frame(1, text)
        for text in (b"{", b'{"event": 1}', b'{"event": "heartbeat", "data": []}', b'{"event": "x"}') * 8
    ),
    _frame(1, b"[" * 1_000),
    _frame(1, b"\xff"),
    _frame(2, b"\0"),
    _frame(3),
    _frame(0, b"a"),
    _frame(1, first=0xF0),
    b"\x81\x01a",
    bytes([0x81, 0xFF]) + (1 << 40).to_bytes(8),
)

KINDS: dict[str, tuple[Visit, bool, bool]] = {
    "stopped readers": (stop_reading, True, True),
    "idle connections": (be_idle, True, True),
    "reconnect storm": (be_idle, True, True),
    "handshakes": (say_nothing, True, False),
    "slow headers": (send_slow_header, False, False),
    "slow bodies": (send_slow_body, False, False),
    "pings": (ping, True, False),
    "malformed frames": (send_nonsense, True, False),
}
"""What each connection does, whether it is a WebSocket, and whether it comes into the room."""


async def main(kind: str, port: str, connections: str, rate: str, address: str) -> None:
    if hasattr(os, "SCHED_IDLE"):  # what is measured beside it must not wait for the flood itself
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    tokens = sys.stdin.read().split()
    target = Target(
        int(port), int(connections), float(rate), tokens, address, tell=functools.partial(print, flush=True)
    )
    flooding = asyncio.ensure_future(flood(kind, target))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, flooding.cancel)
    with suppress(asyncio.CancelledError):
        await flooding
    print(target.done)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
