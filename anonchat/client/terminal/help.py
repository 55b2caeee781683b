"""The page that shows commands and keys."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from anonchat.client.commands import Offer
from anonchat.client.terminal.reading import ReadingScreen

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
ON_A_MESSAGE = {"Up, Down": "select", "r, Enter": "answer", "e": "change", "d": "delete", "p": "pin or unpin"}


class HelpScreen(ReadingScreen):
    """The commands that are offered, and the keys."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        super().__init__("Help", _table(offers))


def _table(offers: Mapping[str, Offer]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=22)
    table.add_column(ratio=1)
    for name, offer in offers.items():
        table.add_row(Text(f"/{name} {offer.usage}"), Text(offer.does))
    for title, keys in (("", KEYS), ("On a message", ON_A_MESSAGE)):
        table.add_row("", "")
        if title:
            table.add_row(title, "")
        for key, does in keys.items():
            table.add_row(key, does)
    return table
