"""The chat on a whole terminal screen, by Textual."""

from __future__ import annotations

from collections.abc import Iterator

from anonchat.client.connection.pace import Pace
from anonchat.client.server import Membership
from anonchat.client.terminal.app import ChatApp
from anonchat.client.text import literal
from anonchat.client.words.sentences import closing, skipped

__all__ = ["ChatApp", "chat_on_screen", "farewell"]


def chat_on_screen(membership: Membership, pace: Pace | None = None) -> int:
    """Chat until the person quits. Returns the exit code: 0, or 1 if the server has ended the chat."""
    app = ChatApp(membership, pace=pace)
    app.run()
    for line in farewell(app):
        print(line)
    return app.return_code or (0 if app.closed is None or app.closed.code == 1000 else 1)


def farewell(app: ChatApp) -> Iterator[str]:
    """What stands on the terminal when the screen is gone: what was not sent, so that it is not lost, and why it ended."""
    for text in app.unsent:
        yield f"Not sent: {literal(text)}"
    if app.chat.skipped:
        yield skipped(app.chat.skipped)
    if app.closed is not None and app.closed.reason != "closed":
        yield closing(app.closed)
