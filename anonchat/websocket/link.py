"""The socket of one connection after its handshake, on the event loop itself.

Tornado's stream carries the handshake. After it, it would cost each read a cleared buffer of 64 KiB, a future, and a
second look at a socket that has nothing more: together more than all else that is done with a small message.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

READ_BYTES: Final = 65536
HELD_BYTES: Final = 1 << 20
"""More than a stream can have read of what follows a request: its reads are of 64 KiB."""


class Link:
    """Reads in bulk, sends at once, and sends later what the operating system does not take now."""

    __slots__ = ("_is_paused", "_is_reading", "_kept", "_loop", "_receive", "_sent", "_socket", "_unsent", "send")

    def __init__(self, connected: socket.socket, early: bytes = b"") -> None:
        """`early` was read from the socket already."""
        connected.setblocking(False)
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._kept = early
        self._is_paused = True
        self._is_reading = False
        self._unsent: memoryview | None = None
        self._receive: Callable[[bytes], None] = _ignore
        self._sent: Callable[[], object] = _nothing
        self.send: Callable[[Any], int] = connected.send
        """How many bytes of these the operating system takes. Raises `BlockingIOError`, and `OSError` at the end."""

    @classmethod
    def of(cls, stream: IOStream) -> "Link":
        """Take over a stream that has nothing left to send. Raises `OSError` if it is closed.

        What the stream has read beyond the request is taken from it; what is still in the socket stays there, however
        much a client sends before its connection is open.
        """
        stream.read_from_fd = lambda buf: None  # type: ignore[method-assign]  # for it the socket is empty from now on
        held = cast("asyncio.Future[bytes]", stream.read_bytes(HELD_BYTES, partial=True))
        early = held.result() if held.done() else b""
        IOLoop.current().remove_handler(stream.socket)
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(stream.socket, early)

    def start(self, receive: Callable[[bytes], None], sent: Callable[[], object]) -> None:
        """Give what comes to `receive`, whose last call has b"". `sent` is called when nothing is held any more."""
        self._receive, self._sent = receive, sent
        self.resume()

    def pause(self) -> None:
        """Deliver nothing but the end, and that only until there is something to read: one more read is kept in memory."""
        self._is_paused = True

    def resume(self) -> None:
        """Deliver again what comes, and first what was kept."""
        self._is_paused = False
        if self._kept:
            self._loop.call_soon(self._deliver_kept)
        else:
            self._read()

    @property
    def is_holding(self) -> bool:
        """Whether something is still to be sent."""
        return self._unsent is not None

    def hold(self, rest: memoryview) -> None:
        """Send the rest of what was not taken as soon as that can be; nothing else may be sent meanwhile."""
        self._unsent = rest
        self._loop.add_writer(self._socket, self._writable)

    def end_writing(self) -> None:
        """Let the client see the end while its last bytes are still read."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket and drop everything; may be called again."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._receive, self._sent = _ignore, _nothing
        self._kept, self._unsent = b"", None

    def _read(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if self._is_paused and data:
            self._kept = data
            self._is_reading = False
            self._loop.remove_reader(self._socket)
        else:
            self._receive(data)

    def _deliver_kept(self) -> None:
        if self._is_paused or not self._kept:
            return
        data, self._kept = self._kept, b""
        self._read()
        self._receive(data)

    def _writable(self) -> None:
        unsent = self._unsent or memoryview(b"")
        try:
            unsent = unsent[self.send(unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._receive(b"")
            return
        self._unsent = unsent
        if not unsent:
            self._unsent = None
            self._loop.remove_writer(self._socket)
            self._sent()


def _ignore(_: bytes) -> None:
    """Nobody listens yet, or any more."""


def _nothing() -> None:
    """Nobody waits."""
