"""The composer with the line above it, and what becomes of what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from anonchat.client.chat import Chat
from anonchat.client.commands import Command, Next, Offer
from anonchat.client.connection.outbox import Outgoing
from anonchat.client.errors import ClientError
from anonchat.client.talk import Talk
from anonchat.client.terminal.composer import Composer
from anonchat.client.terminal.conversation import Conversation
from anonchat.client.terminal.notices import Notices
from anonchat.client.terminal.reading import ReadingScreen
from anonchat.client.terminal.writing import Writing
from anonchat.client.words.sentences import refusal


class WritingPane(Vertical):
    """Sends, answers, changes, and runs commands."""

    class Sent(Message):
        """A message is on its way."""

    class HelpWanted(Message):
        """``/help``"""

    def __init__(self, chat: Chat, conversation: Conversation) -> None:
        super().__init__(id="writing")
        self._chat = chat
        self._conversation = conversation
        self._writing = Writing()
        self._talk = Talk(chat, conversation.state, self.say, self._page, self._posted)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Notices(id="notices")
        yield Static(id="context")
        yield Composer(id="composer")

    @property
    def composer(self) -> Composer:
        """Where one writes."""
        return self.query_one(Composer)

    def say(self, text: str) -> None:
        """Show a short text for a while, exactly as it is."""
        self.query_one(Notices).add(text, asyncio.get_running_loop().time())

    def offers(self) -> Mapping[str, Offer]:
        """The commands that can be used now."""
        return self._talk.offers()

    def _page(self, title: str, text: str) -> None:
        self.app.push_screen(ReadingScreen(title, text))

    def show(self, now: float) -> None:
        """Let go of what was said long ago. `now` is the event loop's time."""
        self.query_one(Notices).show(now)

    # --- what the text will be

    def answer(self, wire: Mapping[str, Any]) -> None:
        """What is written answers a message."""
        self._become(Writing.answer(wire))
        self.composer.focus()

    def change(self, wire: Mapping[str, Any]) -> None:
        """What is written replaces the text of one's own message."""
        self.fill(str(wire["content"].get("text", "")))
        self._become(Writing.change(wire))

    def fill(self, text: str) -> None:
        """Put a text into the composer, to be changed there."""
        self.composer.text = text
        self.composer.move_cursor(self.composer.document.end)
        self.composer.focus()

    def _become(self, writing: Writing) -> None:
        self._writing = writing
        context = self.query_one("#context", Static)
        context.update(Text(writing.about, no_wrap=True, overflow="ellipsis"))
        context.display = bool(writing.about)

    # --- keys

    @on(Composer.Submitted)
    def submit(self, event: Composer.Submitted) -> None:
        """Do what the text says. It comes back into the composer if it cannot even wait to be sent."""
        writing = self._writing
        try:
            if writing.edit is not None:
                self.run_worker(self._edit(writing, event.text))
            else:
                self._do(event.text, writing.reply_to)
        except ClientError as error:
            self.say(str(error))
            self.composer.give_back(event.text)
            return
        self._become(Writing())

    def _do(self, line: str, reply_to: str | None) -> None:
        meant = self._talk.meant(line)
        if meant == Command("help", ""):
            self.post_message(self.HelpWanted())
        elif isinstance(meant, Command):
            self.run_worker(self._run(line))
        else:
            self._talk.send(meant, reply_to)

    @on(Composer.Cancelled)
    def cancel(self) -> None:
        """No answer and no change after all."""
        if self._writing.edit is not None:
            self.composer.text = ""
        self._become(Writing())

    @on(Composer.EditWanted)
    def change_last(self) -> None:
        """The up arrow."""
        mine = self._conversation.state.mine()
        if mine:
            self.change(mine[-1])

    @on(TextArea.Changed)
    def tell_typing(self) -> None:
        """Tell the others that one writes, but not about commands."""
        text = self.composer.text
        self._chat.typing(bool(text) and not text.startswith("/"))

    # --- what becomes of it

    def _posted(self, outgoing: Outgoing) -> None:
        self.run_worker(self._conversation.watch(self._conversation.posted(outgoing)))
        self.post_message(self.Sent())

    async def _run(self, line: str) -> None:
        if await self._talk.line(line) is Next.QUIT:
            self.app.exit()

    async def _edit(self, writing: Writing, text: str) -> None:
        try:
            await self._chat.edit(writing.edit or "", text)
        except ClientError as error:
            self.say(refusal(error))
            if not self.composer.text:
                self._become(writing)
            self.composer.give_back(text)
