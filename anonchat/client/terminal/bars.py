"""The lines around the list: title, connection, who types, what is being answered, who is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual.widgets import Static

from anonchat.client.state import RoomState
from anonchat.client.text import one_line
from anonchat.client.times import duration, remaining

TYPING_SECONDS = 6.0
NOTICE_SECONDS = 5.0
NAMED = 200


class TitleBar(Static):
    """The room, how many are there, how long it lives, and whether one is connected."""

    def show(self, state: RoomState, now: float, connection: str) -> None:
        """`now` is the server's time in seconds; `connection` is a word."""
        room = state.room
        title = one_line(str(room.get("title", "")))
        if room.get("isOpen") is False:
            title += " (closed to newcomers)"
        left = remaining(room.get("expiresAt"), now)
        facts = [f"{state.total} here"] if room else []
        if left is not None:
            facts.append(f"ends in {duration(left)}")
        elif room:
            facts.append("no fixed end")
        rules = state.moderation.rules
        if rules.get("panic"):
            facts.append("panic")
        if rules.get("slowModeSeconds"):
            facts.append(f"slow mode {duration(rules['slowModeSeconds'])}")
        if state.notifications.unread:
            facts.append(f"{state.notifications.unread} unread")
        facts.append(f"{'●' if connection == 'online' else '○'} {connection}")
        right = " · ".join(facts)
        width = max(0, self.content_size.width)
        line = Text(title, style="bold", no_wrap=True)
        line.truncate(max(10, width - len(right) - 2), overflow="ellipsis")
        line.append(" " * max(2, width - line.cell_len - len(right)))
        line.append(right, style="not bold")
        self.update(line)


class Banner(Static):
    """What is wrong with the connection and what it means, hidden when nothing is."""

    def show(self, text: str) -> None:
        """An empty text hides it."""
        self.update(Text(text))
        self.display = bool(text)


class StatusLine(Static):
    """Who types; now and then a short notice."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self._typing: dict[str, tuple[str, float]] = {}
        self._notice: tuple[str, float] = ("", 0.0)

    def typing(self, data: Mapping[str, Any], now: float) -> None:
        """Somebody types, or has stopped."""
        if data["typing"] and len(self._typing) < NAMED:
            self._typing[data["sessionId"]] = (one_line(data["username"]), now + TYPING_SECONDS)
        else:
            self._typing.pop(data["sessionId"], None)
        self.show(now)

    def wrote(self, session_id: str) -> None:
        """Whose message has come does not type it any more."""
        self._typing.pop(session_id, None)

    def notice(self, text: str, now: float) -> None:
        """Show a text for some seconds."""
        self._notice = (text, now + NOTICE_SECONDS)
        self.show(now)

    def show(self, now: float) -> None:
        """Let go of what is over. `now` is any clock in seconds that only grows."""
        self._typing = {key: value for key, value in self._typing.items() if value[1] > now}
        text, until = self._notice
        self.update(Text(text if until > now else _typing_text([name for name, _ in self._typing.values()])))


def _typing_text(names: list[str]) -> str:
    if len(names) > 3:
        return "Several people are typing…"
    if not names:
        return ""
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"{listed} {'are' if len(names) > 1 else 'is'} typing…"


class PeopleList(Static):
    """Who is here."""

    def show(self, state: RoomState) -> None:
        """Moderators first, oneself marked."""
        text = Text(f"{state.total} here\n", style="bold")
        me = state.me.get("sessionId")
        people = sorted(
            state.people.values(), key=lambda user: (user["role"] != "moderator", user["username"].casefold())
        )
        for user in people:
            name = one_line(user["username"], 32)
            text.append(f"\n{'★ ' if user['role'] == 'moderator' else '  '}{name}", style="not bold")
            if user["sessionId"] == me:
                text.append(" (you)", style="not bold dim")
        if state.total > len(people):
            text.append(f"\n  and {state.total - len(people)} more", style="not bold dim")
        self.update(text)
