"""The composer with the line above it, and what becomes of what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
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
from anonchat.client.words.sentences import refusal, unsent

ENDING = frozenset({"leave", "quit"})
"""Commands that close the chat."""


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
        self._aside = (Writing(), "")
        """The draft, and what it will be, while one's own message is changed."""
        self._told_unsent: Collection[Outgoing] = ()
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

    def drafts(self) -> Sequence[str]:
        """What stands in the composer, after what waits while a message is changed."""
        return [self._aside[1], self.composer.text]

    def _page(self, title: str, text: str) -> None:
        self.app.push_screen(ReadingScreen(title, text))

    def show(self, now: float) -> None:
        """Let go of what was said long ago. `now` is the event loop's time."""
        self.query_one(Notices).show(now)

    # --- what the text will be

    def answer(self, wire: Mapping[str, Any]) -> None:
        """What is written answers a message."""
        self._change_nothing()
        self._become(Writing.answer(wire))
        self.composer.focus()

    def change(self, wire: Mapping[str, Any]) -> None:
        """What is written replaces the text of one's own message; a draft waits meanwhile."""
        self._change_nothing()
        self._put_aside(Writing.change(wire), str(wire["content"].get("text", "")))
        self.composer.focus()

    def take_back(self, text: str) -> None:
        """Put the text of a message that did not go into the composer, before what is written there."""
        self._change_nothing()
        self.composer.give_back(text)
        self.composer.focus()

    def _put_aside(self, writing: Writing, text: str) -> None:
        """Write something else for now."""
        self._aside = (self._writing, self.composer.text)
        self.composer.text = ""
        self.composer.give_back(text)
        self._become(writing)

    def _put_back(self) -> None:
        """Go on with the draft. What was written since the change was submitted stays behind it."""
        writing, draft = self._aside
        self._aside = (Writing(), "")
        if draft:
            self.composer.give_back(draft)
        self._become(writing)

    def _change_nothing(self) -> None:
        """No message is changed after all."""
        if self._writing.edit is not None:
            self.composer.text = ""
            self._put_back()

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
        if writing.edit is not None:
            self._put_back()
            self.run_worker(self._edit(writing, event.text))
            return
        try:
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
        elif isinstance(meant, Command) and meant.name in ENDING and not self.may_quit():
            self.composer.give_back(line)
        elif isinstance(meant, Command):
            self.run_worker(self._run(meant, line))
        else:
            self._talk.send(meant, reply_to)

    @on(Composer.Cancelled)
    def cancel(self) -> None:
        """No answer and no change after all."""
        if self._writing.edit is not None:
            self._change_nothing()
        else:
            self._become(Writing())

    @on(Composer.EditWanted)
    def change_last(self) -> None:
        """The up arrow."""
        try:
            self.change(self._talk.changeable())
        except ClientError as error:
            self.say(str(error))

    @on(TextArea.Changed)
    def tell_typing(self) -> None:
        """Tell the others that one writes, but not about commands."""
        text = self.composer.text
        self._chat.typing(bool(text) and not text.startswith("/"))

    # --- what becomes of it

    def may_quit(self) -> bool:
        """Whether nothing is left behind but what the person was told of. Tells it otherwise."""
        left = self._conversation.unsent()
        if all(outgoing in self._told_unsent for outgoing in left):
            return True
        self._told_unsent = left
        self.say(f"{unsent(len(left))} Press again to quit all the same.")
        return False

    def _posted(self, outgoing: Outgoing) -> None:
        self.run_worker(self._conversation.watch(self._conversation.posted(outgoing)))
        self.post_message(self.Sent())

    async def _run(self, command: Command, line: str) -> None:
        try:
            if await self._talk.do(command) is Next.QUIT:
                self.app.exit()
        except ClientError as error:
            self.say(refusal(error))
            self.composer.give_back(line)

    async def _edit(self, writing: Writing, text: str) -> None:
        draft = self.composer.text
        try:
            await self._chat.edit(writing.edit or "", text)
        except ClientError as error:
            self.say(refusal(error))
            if self.composer.text == draft and self._writing.edit is None:
                self._put_aside(writing, text)
            else:
                self.composer.give_back(text)
