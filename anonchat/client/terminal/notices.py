"""Short texts for the person. They have lines of their own, so that they cover neither messages nor the composer."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

SECONDS = 8.0
MOST = 3


class Notices(Static):
    """The last few of them, each for some seconds; hidden when there are none."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self._texts: list[tuple[str, float]] = []

    def add(self, text: str, now: float) -> None:
        """Show a text, exactly as it is. Said again, it is shown once."""
        others = [(other, until) for other, until in self._texts if other != text]
        self._texts = [*others, (text, now + SECONDS)][-MOST:]
        self.show(now)

    def show(self, now: float) -> None:
        """Let go of what is over. `now` is any clock in seconds that only grows."""
        self._texts = [(text, until) for text, until in self._texts if until > now]
        self.update(Text("\n".join(text for text, _ in self._texts)))
        self.display = bool(self._texts)
