"""The list of messages: only the lines that can be seen are drawn, so ten thousand messages scroll like ten."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from anonchat.client.terminal.drawing import NAMES, Brush
from anonchat.client.terminal.entries import Entry, Line

LOOKS = ("text", "faint", "unread", "mention", "own", "bad", "badge", *NAMES)


class MessageList(ScrollView, can_focus=True):
    """Stays at the bottom when it is there; else what is being read does not move, whatever comes above or below."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*(f"messages--{look}" for look in LOOKS), "messages--selected"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "select(-1)", "Select", show=False),
        Binding("down,j", "select(1)", "Select", show=False),
        Binding("enter,r", "act('reply')", "Reply", show=False),
        Binding("e", "act('edit')", "Edit", show=False),
        Binding("d,delete", "act('delete')", "Delete", show=False),
        Binding("p", "act('pin')", "Pin", show=False),
        Binding("escape", "act('back')", "Back", show=False),
        Binding("home", "scroll_home", "Top", show=False),
        Binding("end", "scroll_end", "Bottom", show=False),
    ]

    class Moved(Message):
        """The list was scrolled."""

        def __init__(self, at_bottom: bool, at_top: bool) -> None:
            self.at_bottom = at_bottom
            self.at_top = at_top
            super().__init__()

    class Chosen(Message):
        """The person wants to do something with a message: "reply", "edit", "delete", "pin", or "back" with none."""

        def __init__(self, action: str, key: str | None) -> None:
            self.action = action
            self.key = key
            super().__init__()

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.at_bottom = True
        self._lines: Sequence[Line] = ()
        self._starts: list[int] = []
        self._strips: list[list[Strip]] = []
        self._brush: Brush | None = None
        self._selected: str | None = None

    def show(self, lines: Sequence[Line]) -> None:
        """Show these, from top to bottom."""
        anchor, before = self._anchor(), self._lines
        self._lines = lines
        if self.size.width:
            self._lay_out(anchor, before)

    # --- drawing

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out(self._anchor(), self._lines)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._brush = None

    def _lay_out(self, anchor: tuple[str, int] | None, before: Sequence[Line]) -> None:
        """Draw what is not the same object as in the lines of `before`, or all of it if the width is another."""
        width = self.scrollable_content_region.width
        if self._brush is None or self._brush.width != width:
            looks = {look: self.get_component_rich_style(f"messages--{look}", partial=True) for look in LOOKS}
            self._brush = Brush(self.app.console, looks, width)
            self._strips = []
        drawn = {id(line): strips for line, strips in zip(before, self._strips, strict=False)}
        self._strips = [drawn.get(id(line)) or self._brush.draw(line) for line in self._lines]
        *self._starts, height = accumulate((len(strips) for strips in self._strips), initial=0)
        self.virtual_size = Size(width, height)
        if anchor is None:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        else:
            self._return_to(*anchor)
        self.refresh()

    def _anchor(self) -> tuple[str, int] | None:
        """The first message that can be seen and how far it is from the top of the view; None at the bottom."""
        if self.at_bottom:
            return None
        top = self.scroll_offset.y
        for index in range(max(0, bisect_right(self._starts, top) - 1), len(self._starts)):
            line = self._lines[index]
            if isinstance(line, Entry):
                return line.key, self._starts[index] - top
        return None

    def _return_to(self, key: str, offset: int) -> None:
        for line, start in zip(self._lines, self._starts, strict=True):
            if isinstance(line, Entry) and line.key == key:
                self.scroll_to(y=start - offset, animate=False, immediate=True)
                return

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row = y + self.scroll_offset.y
        index = bisect_right(self._starts, row) - 1
        background = self.rich_style
        width = self.size.width
        if index < 0 or row - self._starts[index] >= len(self._strips[index]):
            return Strip.blank(width, background)
        strip, line = self._strips[index][row - self._starts[index]], self._lines[index]
        style = background
        if self.has_focus and isinstance(line, Entry) and line.key == self._selected:
            style = background + Style(bgcolor=self.get_component_rich_style("messages--selected").bgcolor)
        return strip.adjust_cell_length(width).apply_style(style)

    # --- moving

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Called by Textual."""
        super().watch_scroll_y(old_value, new_value)
        at_bottom = round(new_value) >= self.max_scroll_y
        at_top = round(new_value) <= 0 and not at_bottom
        if at_bottom != self.at_bottom or at_top:
            self.at_bottom = at_bottom
            self.post_message(self.Moved(at_bottom, at_top))

    def to_bottom(self) -> None:
        """Go to the newest message."""
        self.at_bottom = True
        self._selected = None
        self._lay_out(None, self._lines)
        self.post_message(self.Moved(at_bottom=True, at_top=False))

    # --- selecting

    def on_focus(self) -> None:
        entries = [line for line in self._lines if isinstance(line, Entry)]
        if entries and all(entry.key != self._selected for entry in entries):
            self._selected = entries[-1].key
        self.refresh()

    def action_select(self, step: int) -> None:
        """Select the message above or below."""
        drawn = zip(self._lines, self._starts, self._strips, strict=True)
        entries = [(line, start, len(strips)) for line, start, strips in drawn if isinstance(line, Entry)]
        if not entries:
            return
        keys = [entry.key for entry, _, _ in entries]
        now = keys.index(self._selected) if self._selected in keys else len(keys) - 1
        entry, start, height = entries[min(max(now + step, 0), len(keys) - 1)]
        self._selected = entry.key
        self.scroll_to_region(Region(0, start, self.size.width, height), animate=False, immediate=True)
        if start == 0 or now + step < 0:
            self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def action_act(self, action: str) -> None:
        """Tell what the person wants."""
        self.post_message(self.Chosen(action, self._selected))
