"""Entries as lines of the terminal."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from anonchat.client.terminal.entries import Divider, Entry, Line

MARGIN = 2
NAMES = ("name-1", "name-2", "name-3", "name-4", "name-5", "name-6")


@dataclass(frozen=True)
class Brush:
    """The looks, by name, for a width of the terminal."""

    console: Console
    styles: Mapping[str, Style]
    width: int

    def draw(self, line: Line) -> list[Strip]:
        """The terminal lines of an entry, each as wide as the list."""
        texts = self._divider(line) if isinstance(line, Divider) else self._entry(line)
        return [Strip(text.render(self.console, end="")).adjust_cell_length(self.width) for text in texts]

    def _divider(self, divider: Divider) -> list[Text]:
        style = self.styles["unread" if divider.is_unread else "faint"]
        room = max(0, self.width - len(divider.text) - 2 - 2 * MARGIN)
        left = room // 2
        rule = Text(f"{' ' * MARGIN}{'─' * left} {divider.text} {'─' * (room - left)}", style)
        return [Text(""), rule]

    def _entry(self, entry: Entry) -> list[Text]:
        colour = self.styles["own" if entry.is_own else name_style(entry.colour_of)]
        lines = [Text(""), self._head(entry, colour)] if entry.is_first else []
        if entry.quote is not None:
            quote = Text.assemble((" ╭ ", self.styles["faint"]), (entry.quote, self.styles["faint"]))
            quote.truncate(self.width - MARGIN, overflow="ellipsis")
            lines.append(_indented(quote))
        bar = Text.assemble(" ", ("▎", self.styles["mention"] if entry.is_mention else colour), " ")
        lines += [_indented(bar + line) for line in self._body(entry)]
        return lines

    def _head(self, entry: Entry, colour: Style) -> Text:
        head = Text(" ")
        head.append(entry.author, colour + Style(bold=True))
        if entry.is_own:
            head.append(" (you)", self.styles["faint"])
        if entry.is_moderator:
            head.append(" moderator", self.styles["badge"])
        if entry.time:
            head.append(f"  {entry.time}", self.styles["faint"])
        head.truncate(self.width - MARGIN, overflow="ellipsis")
        return _indented(head)

    def _body(self, entry: Entry) -> list[Text]:
        is_bad = entry.is_pending and not entry.waits and entry.state != "sending"
        look = "faint" if entry.is_pending or entry.state == "deleted" else "text"
        body = Text(entry.text, self.styles[look])
        if entry.state == "deleted":
            body.stylize(Style(italic=True))
        elif is_bad:
            body.append(f"\n✗ not sent: {entry.state} (select it, then r: try again, d: drop)", self.styles["bad"])
        elif entry.waits:
            body.append(f"\n… {entry.state}", self.styles["badge"])
        elif entry.state:
            look = "mention" if entry.is_mention else "faint"
            body.append(f"  {'sending…' if entry.state == 'sending' else entry.state}", self.styles[look])
        return list(body.wrap(self.console, max(1, self.width - 2 * MARGIN - 3), overflow="fold"))


def name_style(anonymous_id: str) -> str:
    """The same of the six colours for the same participant, on every machine."""
    return NAMES[zlib.crc32(anonymous_id.encode()) % len(NAMES)]


def _indented(text: Text) -> Text:
    return Text(" " * (MARGIN - 1)) + text
