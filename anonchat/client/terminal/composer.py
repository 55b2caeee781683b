"""Where one writes."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widgets import TextArea

NEWLINE_KEYS = frozenset({"shift+enter", "alt+enter", "ctrl+j"})


class Composer(TextArea):
    """Enter sends, Shift+Enter (or Ctrl+J, where a terminal cannot tell them apart) breaks the line."""

    class Submitted(Message):
        """Enter was pressed. `text` was written, and the composer is empty again."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Cancelled(Message):
        """Escape was pressed."""

    class EditWanted(Message):
        """The up arrow was pressed with nothing written."""

    class PageWanted(Message):
        """Page up (-1) or down (1): meant for the list."""

        def __init__(self, direction: int) -> None:
            self.direction = direction
            super().__init__()

    def __init__(self, *, id: str) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            compact=True,
            highlight_cursor_line=False,
            placeholder="Write a message; /help shows more",
        )

    def on_key(self, event: events.Key) -> None:
        """Before the text area sees a key."""
        meant: Message | None = None
        if event.key == "enter":
            meant = self.Submitted(self._take())
        elif event.key == "escape":
            meant = self.Cancelled()
        elif event.key == "up" and not self.text:
            meant = self.EditWanted()
        elif event.key in ("pageup", "pagedown"):
            meant = self.PageWanted(-1 if event.key == "pageup" else 1)
        elif event.key in NEWLINE_KEYS:
            self.insert("\n")
        else:
            return
        event.prevent_default()
        event.stop()
        if meant is not None:
            self.post_message(meant)

    def _take(self) -> str:
        """What is written, and nothing is left of it: the next key may have come in the same read as this one."""
        text, self.text = self.text, ""
        return text

    def give_back(self, text: str) -> None:
        """Put a text that did not go before whatever has been written since."""
        self.text = f"{text}\n{self.text}" if self.text else text
        self.move_cursor(self.document.end)
