"""The full-screen chat: brings the chat, what is known of it, and the screen together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.console import RenderableType
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import AppBlur, AppFocus

from anonchat.client.chat import Chat
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import ClientError
from anonchat.client.events import ChatEvent, Closed, Received
from anonchat.client.server import Membership
from anonchat.client.terminal.actions import Actions
from anonchat.client.terminal.composer import Composer
from anonchat.client.terminal.connection import ConnectionNews
from anonchat.client.terminal.conversation import Conversation
from anonchat.client.terminal.help import HelpScreen
from anonchat.client.terminal.messages import MessageList
from anonchat.client.terminal.pane import WritingPane
from anonchat.client.terminal.theme import CALM
from anonchat.client.terminal.view import ChatView
from anonchat.client.words.sentences import refusal, sentence

CROWD = 20
"""People above whom it is not told who comes and goes."""

QUIET = frozenset({"message", "message_edited", "message_deleted", "presence", "typing"})
"""Events that the list or the status line show. Whatever else has a sentence is a notice."""


class ChatApp(App[None]):
    """One chat on the whole terminal. `closed` says how it ended, if the chat and not the person has ended it.

    `unsent` are the texts that did not go, once it is over.
    """

    CSS_PATH = "chat.css"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", priority=True),
        Binding("f2,ctrl+p", "people", "People", priority=True),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(self, membership: Membership, *, pace: Pace | None = None) -> None:
        super().__init__()
        self.register_theme(CALM)
        self.theme = CALM.name
        self.closed: Closed | None = None
        self._drafts: Sequence[str] = ()
        self.chat = Chat(membership, pace=pace)
        self.conversation = Conversation(self.chat, self._changed)
        self.connection = ConnectionNews()
        self.view = ChatView(self.chat, self.conversation, self.connection)
        self._redrawing = False

    def compose(self) -> ComposeResult:
        """One view."""
        yield self.view

    def on_mount(self) -> None:
        """Called by Textual when the widgets are there."""
        self.actions = Actions(self.chat, self.conversation, self.view.pane)
        self.view.pane.composer.focus()
        self.set_interval(1.0, self._redraw)
        self.run_worker(self._live())

    # --- what the chat tells

    async def _live(self) -> None:
        async with self.chat:
            async for event in self.chat:
                self._tell(event)

    def _tell(self, event: ChatEvent) -> None:
        if isinstance(event, Received):
            self._tell_received(event, asyncio.get_running_loop().time())
            self.conversation.apply(event)
            return
        self.connection.apply(event, asyncio.get_running_loop().time(), len(self.conversation.unsent()))
        if isinstance(event, Closed):
            self.closed = event
            self.view.end()
        self._changed()

    def _tell_received(self, event: Received, now: float) -> None:
        """What is shown beside the list. Messages are not: they are the list."""
        data, status = event.data, self.view.status
        text = sentence(event.event, data, self.conversation.state) if event.event != "message" else None
        if event.event == "typing":
            status.typing(data, now)
        elif event.event == "message":
            status.wrote(data["authorSessionId"])
        elif event.event == "presence" and text and (data["event"] == "change" or data["total"] <= CROWD):
            status.notice(text, now)
        elif event.event not in QUIET and text:
            self.view.pane.say(text)

    def _changed(self) -> None:
        """Draw once for all that comes together."""
        if not self._redrawing and self.is_running:
            self._redrawing = True
            self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        self._redrawing = False
        if self.is_running and self.view.is_mounted:
            self.view.show(asyncio.get_running_loop().time())

    # --- what the person does

    @on(AppBlur)
    @on(AppFocus)
    def look(self, event: AppBlur | AppFocus) -> None:
        """Another window has got the focus, or this terminal has it again."""
        self.conversation.attention.focus(isinstance(event, AppFocus), self.conversation.newest)

    @on(WritingPane.Sent)
    @on(Composer.Cancelled)
    def go_down(self, event: WritingPane.Sent | Composer.Cancelled) -> None:
        """To the newest message. Who writes, or says so by Escape, has read what was unread."""
        self.conversation.attention.answered()
        self.view.messages.to_bottom()
        self._changed()

    @on(MessageList.Chosen)
    def choose(self, event: MessageList.Chosen) -> None:
        """A key was pressed on a message."""
        self.actions.choose(event.action, event.key)

    @on(MessageList.Moved)
    def look_back(self, event: MessageList.Moved) -> None:
        """Above the top there may be older messages."""
        if event.at_top:
            self.run_worker(self._load_older())

    async def _load_older(self) -> None:
        try:
            await self.conversation.load_older()
        except ClientError as error:
            self.view.pane.say(refusal(error))

    @on(WritingPane.HelpWanted)
    def action_help(self) -> None:
        """Show commands and keys."""
        self.push_screen(HelpScreen(self.view.pane.offers()))

    async def action_quit(self) -> None:
        """Close the chat, unless something would be left behind of which the person has not been told."""
        while len(self.screen_stack) > 1:
            self.pop_screen()  # a page would cover what is told
        if self.closed is not None or self.view.pane.may_quit():
            self.exit()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Called by Textual, too."""
        self._drafts = self.view.pane.drafts() if self.view.is_mounted else ()
        super().exit(result, return_code, message)

    @property
    def unsent(self) -> Sequence[str]:
        """Of messages first, then what was being written."""
        texts = [*(outgoing.text for outgoing in self.conversation.unsent()), *self._drafts]
        return [text for text in texts if text.strip()]

    def action_people(self) -> None:
        """Show or hide who is here."""
        self.view.toggle_people()
