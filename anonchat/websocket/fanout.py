"""What all connections of a room get: kept once in a log, joined once, and handed to each in one `send()`.

This is the fast path of a delivery. Nothing is queued on a connection that can take all of it at once; each only knows
how far in the log it is, and catches up before it is told something of its own, so that nothing overtakes.
"""

from collections.abc import Collection
from typing import Final, Protocol, cast

from anonchat.delivery.hub import Channel, Member
from anonchat.protocol.codec import JsonWire
from anonchat.websocket.outbox import SEND_BYTES, Flusher
from anonchat.websocket.transport import SocketTransport, Transports

LOG_BYTES: Final = 1 << 20
"""Of the log of one room, above which its connections are served without letting others in between."""


class SocketMember(Member, Protocol):
    """A member on a WebSocket."""

    transport: SocketTransport


class SocketWire(JsonWire):
    """Events in WebSocket frames, for the connections of one server."""

    def __init__(self, transports: Transports) -> None:
        self._flusher = transports.flusher

    def channel(self) -> Channel:
        """A new channel, for the connections of one room."""
        return Fanout(self._flusher)


class Fanout(Channel):
    """The connections of one room, and the log of what they get: frames with their places, droppable or not.

    A round hands the first frames of the log, at most about `SEND_BYTES`, to all who are here when it begins; it goes on
    over several turns of the event loop where they are many. Then these frames are dropped from the log.
    """

    def __init__(self, flusher: Flusher) -> None:
        super().__init__()
        self._flusher = flusher
        self._log: list[tuple[bytes, bool]] = []
        self._bytes = 0
        self._first = 0  # place of the first frame of the log
        self._last = 0  # place behind the last frame of the round
        self._joined = b""
        self._left: list[SocketTransport] = []
        self._all: list[SocketTransport] | None = None  # of the members, until somebody comes or goes
        self.end = 0
        """The place behind the last frame of the log."""

    def add(self, member: Member) -> None:
        super().add(member)
        self._all = None
        cast(SocketMember, member).transport.follow(self)

    def discard(self, member: object) -> None:
        if member in self:
            cast(SocketMember, member).transport.follow(None)
        super().discard(member)
        self._all = None

    def send(self, frame: bytes, droppable: bool = False, skip: Collection[Member] = ()) -> None:
        if not self._log:
            self._flusher.add(self)
        self._log.append((frame, droppable))
        self._bytes += len(frame)
        self.end += 1
        for member in skip:
            if member in self:
                cast(SocketMember, member).transport.skip(self)
        while self._bytes > LOG_BYTES and self._log:
            self._serve(len(self) or 1)

    def since(self, place: int) -> list[tuple[bytes, bool]]:
        """The frames from a place on."""
        return self._log[place - self._first :]

    def flush(self, most: int) -> int:
        """Serve at most so many connections; called by the `Flusher`, again and again until the log is empty."""
        try:
            return self._serve(most) if self._log else 0
        finally:
            if self._log:
                self._flusher.add(self)

    def _serve(self, most: int) -> int:
        if not self._left:
            self._begin()
        left, first, last, joined = self._left, self._first, self._last, self._joined
        served, size = 0, len(joined)
        while left and served < most:
            transport = left.pop()
            served += 1
            if not transport.is_ready or transport.place != first:
                transport.catch_up(self, last)
                continue
            transport.place = last
            try:
                sent = transport.write(joined)
            except BlockingIOError:
                sent = 0
            except OSError:
                transport.abort()
                continue
            if sent < size:
                transport.hold(joined, sent)
        if not left:
            self._end()
        return served

    def _begin(self) -> None:
        size, count = 0, 0
        for frame, _ in self._log:
            size += len(frame)
            if size > SEND_BYTES and count:
                break
            count += 1
        self._joined = self._log[0][0] if count == 1 else b"".join(frame for frame, _ in self._log[:count])
        self._last = self._first + count
        if self._all is None:
            self._all = [cast(SocketMember, member).transport for member in self]
        self._left = self._all.copy()

    def _end(self) -> None:
        del self._log[: self._last - self._first]
        self._bytes -= len(self._joined)
        self._first = self._last
        self._joined = b""
