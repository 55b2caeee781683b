"""A page with a longer text."""

from __future__ import annotations

from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class ReadingScreen(ModalScreen[None]):
    """Any of the usual keys closes it. On a small terminal it wraps, and the arrow and page keys move it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,space", "dismiss", "Close")]

    def __init__(self, title: str, content: str | RenderableType) -> None:
        super().__init__()
        self._title = title
        self._content = Text(content) if isinstance(content, str) else content

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with VerticalScroll(id="reading") as box:
            box.border_title = self._title
            box.border_subtitle = "Up, Down: more   Esc: close"
            yield Static(self._content)
