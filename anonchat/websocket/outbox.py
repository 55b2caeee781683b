"""What one connection shall get: collected during one turn of the event loop, then sent in one `send()`."""

import asyncio
from collections import deque
from typing import Final, Protocol

from anonchat.websocket.link import Link

FRAME_COST: Final = 48
"""Bytes that CPython keeps for a frame besides its payload: the `bytes` object and its place in a list."""

SEND_BYTES: Final = 65536
"""Frames are joined up to about this size, so a slow receiver never holds more than this as a copy of its own."""

FLUSHES_A_TURN: Final = 256
"""So many connections are served before others may read again: about 2 ms."""


class Outbox:
    """Frames that wait for one link, in order, at most `queue_bytes` of them together with what the link holds.

    Receivers share the frames; nothing is copied but the join of one send. While the link holds something unsent,
    frames wait here and not there, so that they can still be dropped and their memory be released.
    """

    __slots__ = ("_cost", "_droppable", "_frames", "_limit", "_link", "_unsent")

    def __init__(self, link: Link, queue_bytes: int) -> None:
        self._link = link
        self._limit = queue_bytes
        self._frames: list[bytes] = []
        self._droppable: list[int] = []
        self._cost = 0
        self._unsent = 0

    @property
    def empty(self) -> bool:
        """Whether everything was given to the operating system."""
        return not self._frames and not self._link.is_holding

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
        """Forget all frames that were not yet given to the link."""
        self._frames = []
        self._droppable = []
        self._cost = self._unsent

    def flush(self) -> None:
        """Send what waits, until the operating system takes no more; the link then says when to flush again.

        Calling it before that does nothing. Raises `OSError` when the connection is gone.
        """
        if self._link.is_holding:
            return
        self._cost -= self._unsent
        self._unsent = 0
        while self._frames:
            data = self._take()
            try:
                sent = self._link.send(data)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self.hold(data[sent:])
                return

    def hold(self, unsent: memoryview) -> None:
        """Leave the rest of a send with the link."""
        self._unsent = len(unsent)
        self._cost += self._unsent
        self._link.hold(unsent)

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
        if not self._scheduled:
            # In this order: in a foreign thread it raises, and must not leave behind that somebody will come.
            asyncio.get_running_loop().call_soon(self._run)
            self._scheduled = True
        self._waiting.append(waiting)

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
