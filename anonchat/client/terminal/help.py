"""The page that shows commands and keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = """\
Enter                send           Shift+Enter, Ctrl+J  new line
Up, nothing written  change your last message
Page up, Page down   move through the messages
Tab                  from the composer to the messages and back
F2, Ctrl+P           people          Esc  cancel, to the newest
Ctrl+C, Ctrl+Q       close the chat

On a message: Up, Down select; r or Enter answer; e change; d delete"""


class HelpScreen(ModalScreen[None]):
    """Any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,space", "dismiss", "Close")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with VerticalScroll(id="help"):
            yield Static(Text(self._text))
