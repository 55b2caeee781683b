"""The chat on a whole terminal screen, by Textual."""

from __future__ import annotations

from anonchat.client.connection.pace import Pace
from anonchat.client.server import Membership
from anonchat.client.terminal.app import ChatApp
from anonchat.client.words.sentences import closing, skipped

__all__ = ["ChatApp", "chat_on_screen"]


def chat_on_screen(membership: Membership, pace: Pace | None = None) -> int:
    """Chat until the person quits. Returns the exit code: 0, or 1 if the server has ended the chat."""
    app = ChatApp(membership, pace=pace)
    app.run()
    if app.chat.skipped:
        print(skipped(app.chat.skipped))
    if app.closed is not None and app.closed.reason != "closed":
        print(closing(app.closed))
    return app.return_code or (0 if app.closed is None or app.closed.code == 1000 else 1)
