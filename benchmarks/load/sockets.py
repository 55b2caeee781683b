"""WebSockets that are opened here and handed over to C, with nothing read beyond the frame that says "ready"."""

from __future__ import annotations

import base64
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

AT_ONCE = 50  # sockets that are being opened at the same time
PATIENCE = 60.0
KEY = base64.b64encode(bytes(16)).decode()
LINGER = struct.pack("ii", 1, 0)  # closing resets: thousands of sockets need not wait in TIME_WAIT


@dataclass(frozen=True, slots=True)
class Ticket:
    """How one member gets in: the path of the upgrade, and what it says then."""

    path: str
    opening: tuple[str, ...] = ()


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket, without compression."""
    head = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join((*head, "", "")).encode()


def masked(text: str) -> bytes:
    """One text frame of a client; the key is zero, which leaves the payload as it is."""
    payload = text.encode()
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size)
    return b"\x81" + length + bytes(4) + payload


def open_sockets(port: int, tickets: Sequence[Ticket], ready: bytes) -> list[socket.socket]:
    """A socket for each ticket, when the server has sent each a frame that holds `ready`."""
    opened: list[socket.socket] = []
    for start in range(0, len(tickets), AT_ONCE):
        batch = tickets[start : start + AT_ONCE]
        sockets = [_begin(port, ticket) for ticket in batch]
        opened += sockets
        for one in sockets:
            _read_head(one)
        for one, ticket in zip(sockets, batch, strict=True):
            one.sendall(b"".join(map(masked, ticket.opening)))
        for one in sockets:
            while ready not in _read_frame(one):
                pass
    return opened


def _begin(port: int, ticket: Ticket) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    one.sendall(upgrade(ticket.path))
    return one


def _read_head(one: socket.socket) -> None:
    """Read the answer to the upgrade, and no byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        seen = one.recv(4096, socket.MSG_PEEK)
        end = (head + seen).find(b"\r\n\r\n")
        taken = one.recv(len(seen) if end < 0 else end + 4 - len(head))
        if not taken:
            raise ConnectionError(f"The server closed a connection: {head.decode(errors='replace')}")
        head += taken
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(f"The server refused a WebSocket: {head.decode(errors='replace')}")


def _read_frame(one: socket.socket) -> bytes:
    """The payload of the next frame."""
    opcode, length = _read(one, 2)
    if length > 125:
        length = int.from_bytes(_read(one, 2 if length == 126 else 8), "big")
    payload = _read(one, length)
    if opcode & 15 == 8:
        raise ConnectionError(f"The server closed a WebSocket: {payload!r}")
    return payload


def _read(one: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = one.recv(size - len(parts))
        if not part:
            raise ConnectionError(f"The server closed a connection after {bytes(parts)!r}.")
        parts += part
    return bytes(parts)
