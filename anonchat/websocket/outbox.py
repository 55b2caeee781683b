"""What one connection shall get: collected during one turn of the event loop, then sent in one `send()`."""

import asyncio
from collections import deque
from typing import Final, Protocol

from tornado.iostream import IOStream, StreamClosedError

FRAME_COST: Final = 48
"""Bytes that CPython keeps for a frame besides its payload: the `bytes` object and its place in a list."""

SEND_BYTES: Final = 65536
"""Frames are joined up to about this size, so a slow receiver never holds more than this as a copy of its own."""

FLUSHES_A_TURN: Final = 256
"""So many connections are served before others may read again: about 2 ms."""


class Outbox:
    """Frames that wait for one stream, in order, at most `queue_bytes` of them together with what the stream holds.

    Receivers share the frames; nothing is copied but the join of one send. While the stream has something unsent,
    frames wait here and not there, so that they can still be dropped and their memory be released.
    """

    __slots__ = ("_cost", "_droppable", "_frames", "_limit", "_sending", "_stream", "_unsent")

    def __init__(self, stream: IOStream, queue_bytes: int) -> None:
        self._stream = stream
        self._limit = queue_bytes
        self._frames: list[bytes] = []
        self._droppable: list[int] = []
        self._cost = 0
        self._unsent = 0
        self._sending: asyncio.Future[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether everything was given to the operating system."""
        return not self._frames and self._sending is None

    def add(self, frame: bytes, droppable: bool = False) -> bool:
        """Let a frame wait for the next `flush`; False means that the outbox is full and the frame was not taken.

        When it is full, droppable frames go first: a new one is dropped at once, which counts as taken, and for any
        other frame all droppable ones that still wait make room.
        """
        cost = self._cost + len(frame) + FRAME_COST
        if cost > self._limit:
            if droppable:
                return True
            self._drop()
            cost = self._cost + len(frame) + FRAME_COST
            if cost > self._limit:
                return False
        if droppable:
            self._droppable.append(len(self._frames))
        self._frames.append(frame)
        self._cost = cost
        return True

    def add_last(self, frame: bytes) -> None:
        """Let the close frame wait, also in a full outbox."""
        self._frames.append(frame)
        self._cost += len(frame) + FRAME_COST

    def clear(self) -> None:
        """Forget all frames that were not yet given to the stream."""
        self._frames = []
        self._droppable = []
        self._cost = self._unsent

    def flush(self) -> asyncio.Future[None] | None:
        """Send what waits, until the operating system takes no more.

        Returns a future when something was left with the stream: flush again when it is done. Calling it before that
        does nothing. Raises `OSError` when the connection is gone (`StreamClosedError` is one).
        """
        stream = self._stream
        if self._sending is not None:
            if not self._sending.done():
                return None
            self._cost -= self._unsent
            self._unsent = 0
            self._sending = None
        if stream.closed():
            raise StreamClosedError
        while self._frames:
            # The answer to the handshake may still be on its way, an empty write waits for it.
            unsent = memoryview(b"") if stream.writing() else self._send()
            if unsent is not None:
                return self.hold(unsent)
        return None

    def hold(self, unsent: memoryview) -> asyncio.Future[None]:
        """Leave the rest of a send with the stream. Returns a future: flush again when it is done."""
        self._unsent = len(unsent)
        self._cost += self._unsent
        self._sending = self._stream.write(unsent)
        return self._sending

    def _send(self) -> memoryview | None:
        """One `send()`; returns what of it was not taken."""
        data = self._take()
        try:
            sent = self._stream.write_to_fd(data)
        except BlockingIOError:
            sent = 0
        return data[sent:] if sent < len(data) else None

    def _take(self) -> memoryview:
        """Take the frames of one send out of the queue; one frame alone is not copied."""
        frames = self._frames
        if self._cost > SEND_BYTES and len(frames) > 1:
            frames = self._first_frames()
        if frames is self._frames or len(frames) == len(self._frames):
            self._frames, self._droppable, self._cost = [], [], 0
        else:
            count = len(frames)
            del self._frames[:count]
            self._droppable = [place - count for place in self._droppable if place >= count]
            self._cost -= sum(map(len, frames)) + FRAME_COST * count
        return memoryview(frames[0] if len(frames) == 1 else b"".join(frames))

    def _first_frames(self) -> list[bytes]:
        """As many frames as fit in `SEND_BYTES`, at least one."""
        size = 0
        for count, frame in enumerate(self._frames):
            size += len(frame)
            if size > SEND_BYTES and count:
                return self._frames[:count]
        return self._frames

    def _drop(self) -> None:
        """Drop all droppable frames that wait."""
        dropped = set(self._droppable)
        self._frames = [frame for place, frame in enumerate(self._frames) if place not in dropped]
        self._droppable = []
        self._cost = sum(map(len, self._frames)) + FRAME_COST * len(self._frames) + self._unsent


class Flushable(Protocol):
    """Something that has frames to send."""

    def flush(self, most: int) -> int:
        """Send them to at most so many connections; answers to how many. What is left adds itself again. Must not raise."""


class Flusher:
    """Flushes everything that got frames in this turn of the event loop, in one callback for the whole server."""

    def __init__(self) -> None:
        self._waiting: deque[Flushable] = deque()
        self._scheduled = False

    def add(self, waiting: Flushable) -> None:
        """Flush it at the end of this turn. Whoever adds itself twice is flushed twice."""
        self._waiting.append(waiting)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        left = FLUSHES_A_TURN
        try:
            for _ in range(len(self._waiting)):
                left -= self._waiting.popleft().flush(left)
                if left <= 0:
                    break
        finally:
            self._scheduled = bool(self._waiting)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._run)
