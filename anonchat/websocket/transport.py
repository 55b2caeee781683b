"""One WebSocket connection as the server sees it: bulk reads, one outbox, pings, and an end that is always reached."""

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from typing import Final, Protocol

from tornado.util import _websocket_mask as unmask

from anonchat.protocol.frames import (
    CONTROL_FRAMES,
    NO_STATUS,
    Close,
    FrameReader,
    Ping,
    Pong,
    ProtocolError,
    encode_close,
    encode_ping,
    encode_pong,
)
from anonchat.websocket.keepalive import Keepalive
from anonchat.websocket.link import Link
from anonchat.websocket.outbox import Flusher, Outbox

log = logging.getLogger("anonchat")

OVERFLOW_SECONDS: Final = 1.0
"""How long a connection that was too slow may take to receive the frame that tells it so."""

PING_FRAME: Final = encode_ping()


class Peer(Protocol):
    """Whoever gets what a connection receives."""

    def messages_received(self, messages: list[str | bytes]) -> None:
        """All messages that one read completed, in order: text as `str`, binary as `bytes`.

        If it raises, the error is logged and this connection is closed with 1011.
        """

    def transport_closed(self, code: int | None) -> None:
        """The connection is gone; called once, last, and never from inside another call of the transport.

        `code` is that of the first close frame, sent or received: 1005 if it carried none, None if there was none.
        """


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one connection may cost, see `[limits]` in the configuration."""

    frame_bytes: int = 65536
    frame_fragments: int = 64
    control_frames: int = CONTROL_FRAMES
    unfinished_seconds: float = 10.0
    queue_bytes: int = 1 << 20
    ping_seconds: float = 25.0
    pong_seconds: float = 8.0
    close_seconds: float = 5.0

    @property
    def tick_seconds(self) -> float:
        """A deadline may be seen two of these late: a quarter of the shortest one, at most a second."""
        shortest = min(self.unfinished_seconds, self.ping_seconds, self.pong_seconds, self.close_seconds)
        return min(1.0, shortest / 4)


class Transports:
    """What all connections of one server share: made once and given to each of them."""

    def __init__(self, limits: SocketLimits | None = None) -> None:
        self.limits = limits or SocketLimits()
        self.flusher = Flusher()
        self.keepalive = Keepalive(self.limits.tick_seconds)

    def __len__(self) -> int:
        return len(self.keepalive)

    def close_all(self, code: int, reason: str) -> None:
        """Close all connections that are still open."""
        self.keepalive.close_all(code, reason)

    def abort_all(self) -> None:
        """End all connections at once: Tornado's server knows nothing of them after their handshake."""
        self.keepalive.abort_all()


class Channel(Protocol):
    """What is sent to many connections, see `fanout`."""

    end: int

    def since(self, place: int) -> list[tuple[bytes, bool]]: ...


class SocketTransport:
    """A connection after its handshake; belongs to one event loop and is not thread-safe.

    Nothing that a client sends raises out of here. `closed` is True from the moment at which the end begins: then
    nothing is taken or delivered any more. Only a missing pong, a broken limit or a broken protocol closes it.
    """

    __slots__ = (
        "_awaits_pong",
        "_channel",
        "_close_code",
        "_close_received",
        "_failed",
        "_flushing",
        "_link",
        "_outbox",
        "_paused",
        "_peer",
        "_ping_due",
        "_reader",
        "_transports",
        "closed",
        "due",
        "ended_here",
        "is_ready",
        "place",
        "write",
    )

    def __init__(self, link: Link, transports: Transports) -> None:
        limits = transports.limits
        self.closed = False
        self.due = math.inf
        self._link = link
        self._transports = transports
        self._reader = FrameReader(limits.frame_bytes, limits.frame_fragments, unmask, limits.control_frames)
        self._outbox = Outbox(link, limits.queue_bytes)
        self._peer: Peer | None = None
        self._ping_due = math.inf
        self._awaits_pong = False
        self._paused = False
        self._flushing = False
        self._close_code: int | None = None
        self._close_received = False
        self.ended_here = False
        """Whether the end began here, and not with a close frame of the client, who may write any code into it."""
        self._failed = False
        self._channel: Channel | None = None
        self.place = 0
        """How much of the channel's log it has got."""
        self.is_ready = False
        """Whether nothing waits to be sent, so that a channel may `write`."""
        self.write = link.send
        """Send at once; see `Link.send`. For a channel, and only while `is_ready`."""

    def start(self, peer: Peer) -> None:
        """Read from now on and give what comes to `peer`; called once."""
        self._peer = peer
        self._transports.keepalive.add(self)
        # The first ping comes at any moment of its time, so that those who came together are not due together for ever.
        self._ping_due = asyncio.get_running_loop().time() + self._transports.limits.ping_seconds * random.random()
        self._set_due()
        self._link.start(self._received, self.flush)

    def enqueue(self, frame: bytes, droppable: bool = False) -> None:
        """Send a frame at the end of this turn of the event loop; a closed transport ignores it.

        Give the same object to all receivers. When `queue_bytes` wait, droppable frames are dropped; if that is not
        enough, everything that waits is dropped and the connection is closed with 4413.
        """
        if self.closed:
            return
        if self._channel is not None and self.place != self._channel.end:
            self.catch_up(self._channel, self._channel.end)
        if not self.closed:
            self._add(frame, droppable)

    def _add(self, frame: bytes, droppable: bool) -> None:
        self.is_ready = False
        if not self._outbox.add(frame, droppable):
            self._outbox.clear()
            self._begin_close(4413, encode_close(4413, "too slow"), OVERFLOW_SECONDS)
        elif not self._flushing:
            self._transports.flusher.add(self)
            self._flushing = True

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits and a close frame, then wait for the client's, all within `close_seconds`."""
        if not self.closed:
            self.follow(None)
        if not self.closed:  # else what it had yet to get was too much for it, and it ends with that
            self._begin_close(code, encode_close(code, reason), self._transports.limits.close_seconds)

    # --- what a channel sends

    def follow(self, channel: Channel | None) -> None:
        """Get what is sent to a channel from now on, and all that was sent to the one before it."""
        if self._channel is not None:
            self.catch_up(self._channel, self._channel.end)
        self._channel = channel
        if channel is not None:
            self.place = channel.end

    def catch_up(self, channel: Channel, place: int) -> None:
        """Queue the frames of a channel up to a place, if it is the one that is followed."""
        if channel is not self._channel or self.place >= place:
            return
        frames, self.place = channel.since(self.place)[: place - self.place], place
        for frame, droppable in frames:
            if not self.closed:
                self._add(frame, droppable)

    def skip(self, channel: Channel) -> None:
        """Leave out the last frame of a channel, if it is the one that is followed."""
        if channel is self._channel:
            self.catch_up(channel, channel.end - 1)
            self.place = channel.end

    def hold(self, joined: bytes, sent: int) -> None:
        """The system took a part only of what a channel has written; the rest is sent as soon as it takes more."""
        self.is_ready = False
        self._outbox.hold(memoryview(joined)[sent:])

    def abort(self) -> None:
        """End at once and release everything; can be called in any state."""
        peer, self._peer = self._peer, None
        self._channel = None
        self.closed = True
        self.is_ready = False
        self._outbox.clear()
        self._transports.keepalive.discard(self)
        self._link.close()
        if peer is not None:
            asyncio.get_running_loop().call_soon(_tell_closed, peer, self._close_code)

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`; meanwhile pings rest, for pongs could not be seen.

        At most one more read (64 KiB) is kept in memory.
        """
        if not self.closed and not self._paused:
            self._paused = True
            self.due = math.inf
            self._link.pause()

    def resume_reading(self) -> None:
        """Deliver again; the client gets its full time again for what it had not finished."""
        if not self._paused or self._peer is None:
            return
        self._paused = False
        loop = asyncio.get_running_loop()
        limits = self._transports.limits
        self._ping_due = loop.time() + (limits.pong_seconds if self._awaits_pong else limits.ping_seconds)
        if self._reader.unfinished_since is not None:
            self._reader.unfinished_since = loop.time()
        self._set_due()
        self._link.resume()

    def flush(self, most: int = 1) -> int:
        """Send what waits; called by the `Flusher` and when the link can take more."""
        if self._channel is not None and self.place != self._channel.end:
            self._flushing = True  # as it is: what is queued now goes with the rest
            self.catch_up(self._channel, self._channel.end)
        self._flushing = False
        if self._peer is None:
            return 1
        try:
            self._outbox.flush()
        except OSError:
            self.abort()
            return 1
        if self._outbox.empty:
            self._sent_all()
        return 1

    def _sent_all(self) -> None:
        if not self.closed:
            self.is_ready = True
        elif self._close_received:
            self.abort()
        elif self._failed:
            self._link.end_writing()  # closing at once would answer their last bytes with a reset (RFC 6455, 7.1.1)

    def overdue(self, now: float) -> None:
        """Called by the `Keepalive` when `due` has passed."""
        limits = self._transports.limits
        since = self._reader.unfinished_since
        if self.closed:
            self.abort()
        elif since is not None and now >= since + limits.unfinished_seconds:
            self.close(4400, "a message was not finished in time")
        elif self._awaits_pong:
            self.close(4408, "no pong")
        else:
            self._awaits_pong = True
            self._ping_due = now + limits.pong_seconds
            self._set_due()
            self.enqueue(PING_FRAME)

    def _begin_close(self, code: int, frame: bytes, seconds: float) -> None:
        self.closed = True
        self.is_ready = False
        self._channel = None
        self._close_code = code
        self.ended_here = not self._close_received
        self._outbox.add_last(frame)
        self.due = asyncio.get_running_loop().time() + seconds
        self.resume_reading()
        if not self._flushing:
            self._transports.flusher.add(self)
            self._flushing = True

    def _set_due(self) -> None:
        """The next ping, the end of the wait for a pong, or the end of the time for an unfinished message."""
        if not self.closed and not self._paused:
            since = self._reader.unfinished_since
            unfinished_due = math.inf if since is None else since + self._transports.limits.unfinished_seconds
            self.due = min(self._ping_due, unfinished_due)

    def _received(self, data: bytes) -> None:
        """Decode one read: runs of messages go to the peer, control frames between them are obeyed in their place."""
        if not data:
            self.abort()
            return
        messages: list[str | bytes] = []
        for item in self._reader.feed(data, asyncio.get_running_loop().time()):
            if isinstance(item, (str, bytes)):
                messages.append(item)
            else:
                self._hand_over(messages)
                messages = []
                self._obey(item)
        self._hand_over(messages)
        self._set_due()

    def _hand_over(self, messages: list[str | bytes]) -> None:
        if not messages or self.closed or self._peer is None:
            return
        try:
            self._peer.messages_received(messages)
        except Exception:
            log.exception("a connection failed and is closed")
            self.close(1011, "internal error")

    def _obey(self, item: Ping | Pong | Close | ProtocolError) -> None:
        limits = self._transports.limits
        match item:
            case Ping(payload):
                self.enqueue(encode_pong(payload))
            case Pong() if self._awaits_pong:
                self._awaits_pong = False
                self._ping_due = asyncio.get_running_loop().time() + limits.ping_seconds
            case Close(code):
                self.follow(None)
                self._close_received = True
                if self.closed:
                    self.flush()
                else:
                    self._begin_close(NO_STATUS if code is None else code, encode_close(code), limits.close_seconds)
            case ProtocolError():
                self.follow(None)
                self._failed = True
                if not self.closed:
                    self._begin_close(item.close_code, encode_close(item.close_code, item.reason), limits.close_seconds)


def _tell_closed(peer: Peer, code: int | None) -> None:
    try:
        peer.transport_closed(code)
    except Exception:
        log.exception("a connection failed at its end")
