"""Raw frames of a client, and a blocking socket that reads what a server answers, byte for byte."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes.fromhex("a05fc311")
SECONDS = 20
REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)

Answer = tuple[int, bytes]
"""Opcode and payload of a frame of the server; of a close frame only the code counts."""


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it, right or wrong."""
    size = len(payload)
    first = bytes([final << 7 | reserved << 4 | opcode])
    flag = masked << 7
    if size < 126:
        head = first + bytes([flag | size])
    elif size < 1 << 16:
        head = first + bytes([flag | 126]) + size.to_bytes(2)
    else:
        head = first + bytes([flag | 127]) + size.to_bytes(8)
    return head + (MASK + mask(payload) if masked else payload)


def mask(payload: bytes) -> bytes:
    """The payload XORed with the mask, repeated."""
    size = len(payload)
    return (int.from_bytes(payload) ^ int.from_bytes((MASK * (size // 4 + 1))[:size])).to_bytes(size)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame of the client, with any code."""
    return frame(CLOSE, code.to_bytes(2) + reason)


def closed(code: int | None) -> Answer:
    """The close frame that is expected of the server; None for one without a code."""
    return CLOSE, b"" if code is None else code.to_bytes(2)


def fragments(opcode: int, payload: bytes, size: int) -> Iterator[bytes]:
    """A message in frames of at most so many bytes."""
    for start in range(0, len(payload), size):
        kind = CONTINUATION if start else opcode
        yield frame(kind, payload[start : start + size], final=start + size >= len(payload))


@dataclass(frozen=True)
class Step:
    """What the client sends, and what the server must answer before the next step."""

    sent: tuple[bytes, ...]
    answers: tuple[Answer, ...]
    chop: int = 0
    """Bytes in one piece; 0 sends everything at once, -1 each frame for itself."""

    def pieces(self) -> Iterable[bytes]:
        if self.chop < 0:
            return self.sent
        whole = b"".join(self.sent)
        size = self.chop or len(whole) or 1
        return (whole[start : start + size] for start in range(0, len(whole), size))


class Client:
    """A connection after its handshake."""

    def __init__(self, port: int, path: bytes = b"/", header: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bytes = self._socket.makefile("rb")
        self._socket.sendall(REQUEST % (path, port, header))
        assert self._bytes.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        self.headers = list(iter(self._bytes.readline, b"\r\n"))
        """Of the answer, as they came."""

    def send(self, pieces: Iterable[bytes]) -> None:
        """Each piece in a call of its own."""
        for piece in pieces:
            self._socket.sendall(piece)

    def receive(self) -> Answer | None:
        """The next frame of the server, which must be whole and not masked; None at the end."""
        head = self._bytes.read(2)
        if not head:
            return None
        size = head[1]
        if size >= 126:
            size = int.from_bytes(self._bytes.read(2 if size == 126 else 8))
        payload = self._bytes.read(size)
        assert head[0] & 0xF0 == 0x80
        assert len(payload) == size
        opcode = head[0] & 0x0F
        return opcode, payload[:2] if opcode == CLOSE else payload

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bytes.close()
        self._socket.close()


def play(port: int, steps: Iterable[Step]) -> None:
    """Go through the steps; after the last the server must end the connection without another byte."""
    with Client(port) as client:
        for step in steps:
            client.send(step.pieces())
            for answer in step.answers:
                assert client.receive() == answer
        assert client.receive() is None
