"""The chat line by line, for pipes and screen readers: each event is a sentence, each line that is typed is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.commands import Next
from anonchat.client.connection.outbox import Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import ClientError
from anonchat.client.events import ChatEvent, Closed, Offline, Online, Received
from anonchat.client.lines import read_lines
from anonchat.client.server import Membership
from anonchat.client.state import RoomState
from anonchat.client.talk import Talk
from anonchat.client.text import literal, one_line
from anonchat.client.words.sentences import closing, message, refusal, sentence, skipped, who

EARLIER = 10
"""Messages that are shown of what was said before."""

QUIT_SECONDS = 5.0
"""What is on its way at ``/quit`` may still arrive."""

AHEAD = 50
"""Messages that wait for their answer before the next line is read."""


class PlainChat:
    """One chat. `write` shows a line."""

    def __init__(self, chat: Chat, write: Callable[[str], None]) -> None:
        self._chat = chat
        self._write = write
        self._state = RoomState()
        self._talk = Talk(chat, self._state, self._say, self._page, self._posted)
        self._watched: set[asyncio.Task[None]] = set()
        self._newest = 0
        self._acknowledged = 0
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
        async with aclosing(read_lines(descriptor)) as lines:
            async for line in lines:
                await (self._settle() if line.startswith("/") else self._chat.flush(AHEAD))
                if await self._talk.line(line) is Next.QUIT:
                    await self._finish_soon()
                    return
        await self._chat.flush()
        await asyncio.gather(*self._watched)

    async def _settle(self) -> None:
        """Wait until what was sent is known here too, so that a command may be about it."""
        await self._chat.flush()
        await asyncio.gather(*self._watched)
        while self._newest < self._acknowledged:
            self._moved.clear()
            await self._moved.wait()

    async def _finish_soon(self) -> None:
        try:
            async with asyncio.timeout(QUIT_SECONDS):
                await self._chat.flush()
        except TimeoutError:
            self._say("Some messages were not sent.")

    def _posted(self, outgoing: Outgoing) -> None:
        task = asyncio.create_task(self._watch(outgoing))
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)

    async def _watch(self, outgoing: Outgoing) -> None:
        try:
            ack = await outgoing
        except ClientError as error:
            self._say(f"Not sent: {one_line(outgoing.text, 60)}. {refusal(error)}")
            return
        if ack.seq is not None:
            self._acknowledged = max(self._acknowledged, ack.seq)
        if ack.held is not None:
            self._say(
                f"Your message waits to be released: {ack.held}" if ack.held else "Your message waits to be released."
            )

    # --- what is told

    async def _listen(self) -> Closed:
        async for event in self._chat:
            if isinstance(event, Closed):
                return event
            self._tell(event)
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

    def _message(self, wire: Mapping[str, Any], always: bool = False) -> None:
        """People know what they have just typed, so their own new messages are not repeated."""
        self._newest = max(self._newest, wire["seq"])
        self._moved.set()
        if always or wire["authorSessionId"] != self._state.me.get("sessionId"):
            self._say(message(wire, self._state))


async def chat_plainly(membership: Membership, pace: Pace | None = None) -> int:
    """Chat on the standard input and output. Returns the exit code."""
    async with Chat(membership, pace=pace) as chat:
        return await PlainChat(chat, _print).run(sys.stdin.fileno())


def _print(line: str) -> None:
    print(line, flush=True)
