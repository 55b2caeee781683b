"""The page that shows commands and keys."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from anonchat.client.commands import HELP

KEYS = {
    "Enter": "send",
    "Shift+Enter, Ctrl+J": "new line",
    "Up, nothing written": "change your last message",
    "Page up, Page down": "move through the messages",
    "Tab": "from the composer to the messages and back",
    "F2, Ctrl+P": "people",
    "Esc": "cancel, to the newest message",
    "Ctrl+C, Ctrl+Q": "close the chat",
}
ON_A_MESSAGE = {"Up, Down": "select", "r, Enter": "answer", "e": "change", "d": "delete"}


class HelpScreen(ModalScreen[None]):
    """Any of the usual keys closes it. On a small terminal it wraps, and the arrow and page keys move it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,space", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with VerticalScroll(id="help") as box:
            box.border_subtitle = "Up, Down: more   Esc: close"
            yield Static(_table())


def _table() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=22)
    table.add_column(ratio=1)
    for name, (what, does) in HELP.items():
        table.add_row(Text(f"/{name} {what}"), does)
    for title, keys in (("", KEYS), ("On a message", ON_A_MESSAGE)):
        table.add_row("", "")
        if title:
            table.add_row(title, "")
        for key, does in keys.items():
            table.add_row(key, does)
    return table
