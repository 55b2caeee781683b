"""What one connection has sent and is still to be handled: in order, bounded, and without a task while it is empty."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

log = structlog.get_logger("anonchat.connection")

MOST = 64  # messages that wait for their turn before the connection is not read any further
LOW = 16
TURN = 32  # messages of one connection before the others get a turn

Message = str | bytes


class Source(Protocol):
    """What the messages come from."""

    @property
    def closed(self) -> bool: ...

    def close(self, code: int, reason: str = "") -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Inbox:
    """Hands messages to `handle`, one after another."""

    __slots__ = ("_handle", "_is_over", "_messages", "_over", "_paused", "_source", "_working")

    def __init__(
        self, source: Source, handle: Callable[[Message], Awaitable[None]], over: Callable[[], None] | None = None
    ) -> None:
        """`over()` is called once nothing comes any more and all that has come is handled."""
        self._source = source
        self._handle = handle
        self._over = over or _nothing
        self._messages: deque[Message] = deque()
        self._working: asyncio.Task[None] | None = None
        self._paused = False
        self._is_over = False

    def put(self, messages: Sequence[Message]) -> None:
        """Take in the messages of one read; the source pauses when too many wait."""
        self._messages.extend(messages)
        if len(self._messages) > MOST and not self._paused:
            self._paused = True
            self._source.pause_reading()
        if self._working is None:
            self._working = asyncio.create_task(self._work_off())

    def begin(self, first: Awaitable[None]) -> None:
        """Do something before the first message is handled."""
        self._working = asyncio.create_task(self._work_off(first))

    def clear(self) -> None:
        """Drop what waits: we have ended the connection."""
        self._messages.clear()

    def end(self) -> None:
        """Nothing comes any more. What has come is still handled; then whoever handled it is let go, and with it all it holds."""
        self._is_over = True
        if self._working is None:
            self._let_go()

    async def finish(self) -> None:
        """Read nothing more, and handle what has been read."""
        self._paused = False
        self._source.pause_reading()
        while self._working is not None:
            await asyncio.wait([self._working])

    async def _work_off(self, first: Awaitable[None] | None = None) -> None:
        try:
            if first is not None:
                await first
            done = 0
            # Also after the client has closed: what it sent before that was sent.
            while self._messages:
                await self._handle(self._messages.popleft())
                done += 1
                if done % TURN == 0:
                    await asyncio.sleep(0)
                if self._paused and len(self._messages) <= LOW:
                    self._paused = False
                    self._source.resume_reading()
        except Exception:
            log.exception("a connection failed and is closed")
            self._source.close(1011, "internal error")
        finally:
            self._working = None
            if self._is_over:
                self._let_go()

    def _let_go(self) -> None:
        over, self._over, self._handle = self._over, _nothing, _nobody
        over()


async def _nobody(_: Message) -> None:
    """Nothing comes any more."""


def _nothing() -> None:
    """Nobody waits for it."""
