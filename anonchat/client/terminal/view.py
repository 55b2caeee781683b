"""Everything on the screen, from the title to the composer."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.widgets import Static

from anonchat.client.chat import Chat
from anonchat.client.terminal.bars import Banner, PeopleList, StatusLine, TitleBar
from anonchat.client.terminal.composer import Composer
from anonchat.client.terminal.connection import ConnectionNews
from anonchat.client.terminal.conversation import Conversation
from anonchat.client.terminal.messages import MessageList
from anonchat.client.terminal.pane import WritingPane
from anonchat.client.words.sentences import who

WIDE = 80


class ChatView(Vertical):
    """Shows a conversation and the state of its connection."""

    def __init__(self, chat: Chat, conversation: Conversation, connection: ConnectionNews) -> None:
        super().__init__()
        self._chat = chat
        self._conversation = conversation
        self._connection = connection

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield TitleBar(id="title")
        yield Banner(id="banner")
        with Horizontal(id="middle"):
            with Vertical(id="conversation"):
                yield MessageList(id="messages")
                yield Static(id="below")
            yield PeopleList(id="people")
        yield StatusLine(id="status")
        yield WritingPane(self._chat, self._conversation)

    @property
    def messages(self) -> MessageList:
        """The list of messages."""
        return self.query_one(MessageList)

    @property
    def status(self) -> StatusLine:
        """Who types."""
        return self.query_one(StatusLine)

    @property
    def pane(self) -> WritingPane:
        """The composer and what is around it."""
        return self.query_one(WritingPane)

    def show(self, now: float) -> None:
        """Draw what has changed. `now` is the event loop's time."""
        conversation = self._conversation
        self.messages.show(conversation.lines())
        self.query_one(TitleBar).show(conversation.state, self._chat.server_time(), self._connection.word)
        self.query_one(Banner).show(self._connection.banner(now))
        self.query_one(PeopleList).show(conversation.state)
        self.status.show(now)
        self.pane.show(now)
        self._show_below()

    def _show_below(self) -> None:
        below = self.query_one("#below", Static)
        count = self._conversation.below()
        below.update(f"{count} new below ↓ (Esc)")
        below.display = count > 0

    def end(self) -> None:
        """Nothing can be written any more."""
        self.query_one(Banner).add_class("over")
        self.pane.composer.read_only = True

    def toggle_people(self) -> None:
        """Show or hide who is here; on a narrow terminal, say it."""
        middle = self.query_one("#middle")
        if middle.has_class("narrow"):
            self.pane.say(who(self._conversation.state))
        else:
            middle.toggle_class("alone")

    @on(Resize)
    def fit(self, event: Resize) -> None:
        """A narrow terminal has no room for the list of people."""
        self.query_one("#middle").set_class(event.size.width < WIDE, "narrow")

    @on(Composer.PageWanted)
    def page(self, event: Composer.PageWanted) -> None:
        """Page up and down move the list."""
        if event.direction < 0:
            self.messages.scroll_page_up(animate=False)
        else:
            self.messages.scroll_page_down(animate=False)

    @on(MessageList.Moved)
    def follow(self, event: MessageList.Moved) -> None:
        """What comes below the bottom is unread."""
        self._conversation.attention.scroll(event.at_bottom, self._conversation.newest)
        self._show_below()
