"""What the person has seen: where the unread begins, and how much waits below. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Attention:
    """The person looks on while the terminal has the focus and the list is at its bottom."""

    def __init__(self) -> None:
        self.unread_after: int | None = None
        """The unread line stands after this seq, also when the person has come back, so that it is found."""
        self._blurred = False
        self._scrolled = False
        self._seen = 0

    @property
    def is_away(self) -> bool:
        """Whether what comes now is not seen."""
        return self._blurred or self._scrolled

    def focus(self, has_focus: bool, newest: int) -> None:
        """The terminal has got or lost the focus, `newest` being the last message there is."""
        self._look(not has_focus, self._scrolled, newest)

    def scroll(self, at_bottom: bool, newest: int) -> None:
        """The list is at its bottom, or no more."""
        self._look(self._blurred, not at_bottom, newest)

    def _look(self, blurred: bool, scrolled: bool, newest: int) -> None:
        was_away = self.is_away
        self._blurred, self._scrolled = blurred, scrolled
        if self.is_away and not was_away:
            self._seen = self.unread_after = newest
        elif not self.is_away:
            self._seen = newest

    def answered(self) -> None:
        """Who writes has read."""
        self.unread_after = None

    def below(self, messages: Iterable[Mapping[str, Any]], own: str | None) -> int:
        """How many messages of others have come below what can be seen."""
        if not self._scrolled:
            return 0
        return sum(wire["seq"] > self._seen and wire["authorSessionId"] != own for wire in messages)
