"""The chat line by line, for pipes and screen readers: each event is a sentence, each line that is typed is sent."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.commands import Next
from anonchat.client.connection.outbox import Ack, Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import ChatClosed, ClientError
from anonchat.client.events import ChatEvent, Closed, Offline, Online, Received
from anonchat.client.lines import read_lines
from anonchat.client.server import Membership
from anonchat.client.state import RoomState
from anonchat.client.talk import Talk
from anonchat.client.text import literal, one_line
from anonchat.client.words.sentences import closing, message, refusal, sentence, skipped, unsent, who

EARLIER = 10
"""Messages that are shown of what was said before."""

PATIENCE = 5.0
"""Seconds: a command waits as long for what was sent before it, but longer while one after another goes out."""

AHEAD = 50
"""Messages that wait for their answer before the next line is read."""

TERMINAL_LINE = 4_095
"""Bytes of a line that a terminal hands over; what is typed behind them is lost without a word."""

CUT = "A terminal cuts a line of 4,095 bytes or more. Write it in parts, or without --plain."


class PlainChat:
    """One chat. `write` shows a line."""

    def __init__(self, chat: Chat, write: Callable[[str], None]) -> None:
        self._chat = chat
        self._write = write
        self._state = RoomState()
        self._talk = Talk(chat, self._state, self._say, self._page, self._posted)
        self._watched: set[asyncio.Task[None]] = set()
        self._newest = 0
        """The seq up to which everything was told."""
        self._last: Ack | None = None
        """Of one's own last message, from the answer until it is told."""
        self._left = 0
        """Messages that the end has overtaken."""
        self._moved = asyncio.Event()
        self._entered = asyncio.Event()

    async def run(self, descriptor: int) -> int:
        """Talk until the input or the chat ends. Returns the exit code: 0, or 1 if the server has ended it."""
        listening = asyncio.create_task(self._listen())
        typing = asyncio.create_task(self._type(descriptor))
        await asyncio.wait({listening, typing}, return_when=asyncio.FIRST_COMPLETED)
        if typing.done() and not listening.done():
            typing.result()
            await self._chat.close()
        closed = await listening
        typing.cancel()
        await asyncio.gather(typing, *self._watched, return_exceptions=True)
        if self._left:
            self._say(unsent(self._left))
        if self._chat.skipped:
            self._say(skipped(self._chat.skipped))
        if closed.reason != "closed":
            self._say(closing(closed))
        return 0 if closed.code == 1000 else 1

    def _say(self, text: str) -> None:
        for line in literal(text).split("\n"):
            self._write(line)

    def _page(self, title: str, text: str) -> None:
        self._say(f"{title}:\n{text}")

    # --- what is typed

    async def _type(self, descriptor: int) -> None:
        await self._entered.wait()
        is_terminal = os.isatty(descriptor)
        async with aclosing(read_lines(descriptor)) as lines:
            async for line in lines:
                if is_terminal and len(line.encode()) >= TERMINAL_LINE:
                    self._say(f"Not sent: {one_line(line, 60)}. {CUT}")
                    continue
                await self._wait_before(line)
                if await self._talk.line(line) is Next.QUIT:
                    await self._finish_soon()
                    return
        await self._chat.flush()
        await asyncio.gather(*self._watched)

    async def _wait_before(self, line: str) -> None:
        if not line.startswith("/"):
            await self._chat.flush(AHEAD)
        elif not line.startswith("/quit"):  # which waits by itself
            with suppress(TimeoutError):
                await self._settle()
            self._last = None

    async def _settle(self) -> None:
        """Wait until what was sent is known here too, so that a command may be about it. Raises TimeoutError."""
        await self._flush()
        async with asyncio.timeout(PATIENCE):
            if self._watched:
                await asyncio.wait(self._watched)
            while self._last is not None:
                self._moved.clear()
                await self._moved.wait()

    async def _flush(self) -> None:
        """Wait until all is sent. Raises TimeoutError once nothing goes out any more, as without a connection."""
        while left := self._chat.unsent:
            async with asyncio.timeout(PATIENCE):
                await self._chat.flush(left - 1)

    async def _finish_soon(self) -> None:
        with suppress(TimeoutError):
            await self._flush()

    def _posted(self, outgoing: Outgoing) -> None:
        task = asyncio.create_task(self._watch(outgoing))
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)

    async def _watch(self, outgoing: Outgoing) -> None:
        try:
            ack = await outgoing
        except ClientError as error:
            self._say(f"Not sent: {one_line(outgoing.text, 60)}. {refusal(error)}")
            self._left += isinstance(error, ChatClosed)
            return
        self._last = ack
        self._compare()
        if ack.held is not None:
            self._say(
                f"Your message waits to be released: {ack.held}" if ack.held else "Your message waits to be released."
            )

    def _is_told(self, ack: Ack) -> bool:
        """Whether a message of one's own has come. One that is purged may never come, but what follows it does."""
        if ack.seq is None:
            return ack.message_id in self._state.moderation.held
        return ack.seq <= self._newest

    def _compare(self) -> None:
        if self._last is not None and self._is_told(self._last):
            self._last = None
        self._moved.set()

    # --- what is told

    async def _listen(self) -> Closed:
        async for event in self._chat:
            if isinstance(event, Closed):
                return event
            self._tell(event)
            if isinstance(event, Received):
                self._newest = max(self._newest, event.seq or 0)
            self._compare()
        return Closed(1000, "closed")

    def _tell(self, event: ChatEvent) -> None:
        match event:
            case Received("history_chunk", data, _):
                self._state.apply("history_chunk", data)
                self._history(data)
            case Received("message", data, seq):
                has_waited = data["id"] in self._state.moderation.held
                self._state.apply("message", data, seq)
                self._message(data, always=has_waited or data["content"].get("type") != "text")
            case Received(name, data, seq):
                text = sentence(name, data, self._state)
                self._state.apply(name, data, seq)
                if text is not None:
                    self._say(text)
            case Online(recovered, missed):
                self._online(recovered, missed)
            case Offline(retry_in, _):
                self._say(f"Connection lost, trying again in {max(1, round(retry_in))} s.")

    def _online(self, recovered: bool, missed: int) -> None:
        if not self._entered.is_set():
            self._entered.set()
            title, name = self._state.room.get("title", ""), self._state.me.get("username", "")
            self._say(f"You are in “{one_line(title)}” as {one_line(name)}.")
            self._say(who(self._state) + ".")
        elif recovered:
            self._say(f"Back, {missed or 'no'} message{'' if missed == 1 else 's'} caught up.")
        else:
            self._say("Back; some messages may have been missed.")

    def _history(self, data: Mapping[str, Any]) -> None:
        """The newest at the beginning, later what is asked for or could not be caught up one by one."""
        fresh = data.get("recovered") is False
        page = [wire for wire in data["messages"] if not fresh or wire["seq"] > self._newest]
        first = fresh and not self._entered.is_set()
        if first and len(page) > EARLIER:
            page = page[-EARLIER:]
            self._say(f"The last {EARLIER} messages (/older shows more):")
        for wire in page:
            self._message(wire, always=True)
        if fresh:
            self._newest = max(self._newest, data["seq"])

    def _message(self, wire: Mapping[str, Any], always: bool = False) -> None:
        """People know what they have just typed, so their own new messages are not repeated."""
        if always or wire["authorSessionId"] != self._state.me.get("sessionId"):
            self._say(message(wire, self._state))


async def chat_plainly(membership: Membership, pace: Pace | None = None) -> int:
    """Chat on the standard input and output. Returns the exit code."""
    async with Chat(membership, pace=pace) as chat:
        return await PlainChat(chat, _print).run(sys.stdin.fileno())


def _print(line: str) -> None:
    print(line, flush=True)
