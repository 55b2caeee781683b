"""The connections of a chat, one after another: dialled, identified, watched, and made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from anonchat.client.connection.answers import Answers
from anonchat.client.connection.backoff import Backoff, Ending
from anonchat.client.connection.feed import Feed
from anonchat.client.connection.line import Frame, Line
from anonchat.client.connection.pace import Pace
from anonchat.client.connection.reception import Reception
from anonchat.client.connection.server_clock import ServerClock
from anonchat.client.errors import ChatClosed, ChatRefused, NotOurs, NotReachable
from anonchat.client.events import Closed, Connecting, Offline
from anonchat.client.server import Membership

QUIET = frozenset({"typing", "get_presence", "heartbeat"})
"""What the chat sends by itself; that it was refused is nobody's business."""

TOLD_TOO = frozenset(
    {
        "history_chunk", "presence_state", "poll_results", "vote_recorded", "vote_removed", "vote_pending",
        "pinned_messages", "moderation", "held_messages", "message_released", "message_dropped",
    }
)  # fmt: skip
"""Answers that are news about the room, so that the program is told of them, too."""

PROTOCOL_ERROR = 1002
"""The close code of RFC 6455 for a peer that is not understood."""

TOO_BIG = 1009
"""The close code of RFC 6455 after a frame that the peer does not take, as a proxy may that takes less than the server.
Sent again, it would end the next connection."""

HEARTBEAT_BOUNDS = (0.05, 120.0)


class Lifeline:
    """Runs until the chat is over; tells the feed what happens."""

    def __init__(self, membership: Membership, pace: Pace, random: Random, feed: Feed, answers: Answers) -> None:
        self.closed: Closed | None = None
        self.clock = ServerClock()
        self.plugins: Sequence[str] = ()
        """Of the server, as its last greeting has named them."""
        self.text_length = 0
        """The most characters of a text, as the same greeting has named them."""
        self.frame_bytes = 0
        """The most bytes of a frame, as well."""
        self._ready = asyncio.Event()
        self._membership = membership
        self._pace = pace
        self._feed = feed
        self._answers = answers
        self._reception = Reception()
        self._backoff = Backoff(pace, random)
        self._line: Line | None = None
        self._dead_man: asyncio.Timeout | None = None
        self._cut: Ending | None = None
        self._behind = False
        self._heartbeat = pace.heartbeat or 25.0
        self._asked: float | None = None

    @property
    def skipped(self) -> int:
        """Events that were not as the protocol has them."""
        return self._reception.skipped

    # --- for the chat

    def send(self, frame: bytes) -> bool:
        """Send what `encode` gave, if there is a connection that has brought everything."""
        if self._line is None or not self._ready.is_set():
            return False
        if not self._line.send(frame):
            self._ready.clear()
        return self._ready.is_set()

    async def ready(self) -> None:
        """Wait until there is such a connection. Raises `ChatClosed` if there will be none any more."""
        while self.closed is None and not self._ready.is_set():
            await self._ready.wait()  # the connection may be gone again before this goes on
        self.check()

    def check(self) -> None:
        """Raises `ChatClosed` if the chat is over."""
        if self.closed is not None:
            raise ChatClosed(self.closed.code, self.closed.reason)

    def taken(self) -> None:
        """The program has taken an event; if it had fallen behind, it may be told what was left out."""
        if self._behind and self._feed.is_drained:
            self._cut_off(Ending(None, "the program was behind", at_once=True))

    def end(self, code: int, reason: str) -> None:
        """The chat is over. Only the first word counts."""
        if self.closed is None:
            self.closed = Closed(code, reason)
            self._feed.put(self.closed)
            self._ready.set()

    # --- one connection after another

    async def run(self) -> Closed:
        """Stay connected until there is no more use in it."""
        loop = asyncio.get_running_loop()
        while True:
            self._feed.put(Connecting(self._backoff.attempt))
            began = loop.time()
            ending = await self._connect()
            self._ready.clear()
            if ending.code == TOO_BIG:
                self._answers.fail_largest(ChatRefused("too_large", "That is too large for the way to the server."))
            self._answers.fail()
            if ending.is_final:
                return Closed(ending.code or 0, ending.reason)
            self._backoff.lived(loop.time() - began)
            wait = self._backoff.wait(ending)
            if wait > 0:
                self._feed.put(Offline(wait, ending.reason))
                await asyncio.sleep(wait)

    async def _connect(self) -> Ending:
        self._cut = self._asked = None
        self._reception.begin()
        try:
            line = await Line.open(self._membership.websocket_url, self._pace.connect)
        except NotReachable as error:
            return Ending(None, str(error), error.retry_after)
        self._line = line
        # A program that is behind hears nothing of this connection, but can send; when it has caught up comes another.
        self._behind = self._feed.is_full
        try:
            return await self._stay(line)
        finally:
            self._line = None
            line.close()

    async def _stay(self, line: Line) -> Ending:
        """Read until the end. The timeout is the dead man's switch: set with each heartbeat, lifted by any frame."""
        pulse: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._pace.welcome) as self._dead_man:
                line.write("identify", self._reception.identify(self._membership.session_token))
                pulse = asyncio.create_task(self._pulse(line))
                while (frame := await line.read()) is not None and self._cut is None:
                    self._receive(line, frame)
        except TimeoutError:
            return self._cut or Ending(None, "the server is silent")
        except (NotOurs, KeyError, TypeError, ValueError, OverflowError):
            # Who has once been understood may be again, after a restart; a stranger stays one.
            return Ending(PROTOCOL_ERROR, "not_ours", hopeless=self._reception.position is None)
        finally:
            if pulse is not None:
                pulse.cancel()
        ending = line.ending()
        return ending if ending.is_final else self._cut or replace(ending, wait=self._asked)

    async def _pulse(self, line: Line) -> None:
        await self._ready.wait()
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._heartbeat)
            line.write("heartbeat", {})
            if self._dead_man is not None and self._dead_man.when() is None:
                self._alarm(loop.time() + self._pace.answer)

    def _alarm(self, at: float | None) -> None:
        if self._dead_man is not None and self._cut is None and not self._dead_man.expired():
            self._dead_man.reschedule(at)

    def _cut_off(self, ending: Ending) -> None:
        """End this connection now, and go on with a new one."""
        if self._cut is None and self._line is not None:
            self._alarm(asyncio.get_running_loop().time())
            self._cut = ending

    # --- what arrives

    def _receive(self, line: Line, frame: Frame) -> None:
        reception = self._reception
        if reception.welcomed:
            self._alarm(None)
        match frame.event:
            case "hello":
                shortest, longest = HEARTBEAT_BOUNDS
                self._heartbeat = self._pace.heartbeat or min(max(frame.data["heartbeatSeconds"], shortest), longest)
                self.clock.set(frame.data["serverTime"])
                self.plugins = tuple(frame.data["plugins"])
                self.text_length = int(frame.data["limits"]["textLength"])
                self.frame_bytes = int(frame.data["limits"]["frameBytes"])
            case "heartbeat_ack":
                self.clock.set(frame.data["serverTime"])
                if not self._behind:
                    reception.compare(frame.data["seq"], frame.data["presenceVersion"])
            case "going_away":
                self._asked = frame.data["reconnectAfterMs"] / 1000
                self._tell(frame)
            case "error":
                self._error(frame)
            case _:
                self._tell(frame)
        if reception.welcomed and not self._ready.is_set():
            self._ready.set()
            self._alarm(None)
        if reception.resume:
            self._cut_off(Ending(None, "something was missed", at_once=True))
        elif reception.wants_presence and self._ready.is_set():
            reception.wants_presence = False
            line.write("get_presence", {})

    def _tell(self, frame: Frame) -> None:
        """To the program, or to whoever waits for this answer; state that was asked for goes to both."""
        if frame.id is None or frame.event in TOLD_TOO:
            self._behind = self._behind or (self._reception.welcomed and self._feed.is_full)
            for event in self._reception.leave_out(frame) if self._behind else self._reception.accept(frame):
                self._feed.put(event)
        if frame.id is not None:
            self._answers.settle(frame)

    def _error(self, frame: Frame) -> None:
        if self._answers.settle(frame) or frame.data.get("event") in QUIET:
            return
        if not self._reception.welcomed and (wait := frame.data.get("retryAfterMs")) is not None:
            self._asked = wait / 1000
        self._tell(frame)
