"""A notification as one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.text import one_line
from anonchat.client.times import when

QUOTED = 60

BY_PEOPLE: Mapping[str, str] = {
    "mention": "{author} mentioned you: {text}",
    "reply": "{author} answered you: {text}",
    "room": "{author} told everybody: {text}",
    "poll_opened": "{author} asks: {text}",
    "poll_closed": "The poll of {author} is closed: {text}",
}
BY_MODERATORS: Mapping[str, str] = {
    "mute": "You were muted",
    "unmute": "You may write again",
    "promote": "You were made a moderator",
    "demote": "You were made a participant again",
    "held": "A message of yours was held back",
    "dropped": "A message of yours was dropped",
    "removed": "A message of yours was removed",
}


def notice(data: Mapping[str, Any]) -> str:
    """What a notification says; of a kind that is not known, its message."""
    wire = data.get("message") or {}
    author, text = one_line(str(wire.get("authorUsername", ""))), one_line(str(wire.get("excerpt") or ""), QUOTED)
    if data["type"] == "moderation":
        until = f" until {when(data['until'])}" if data.get("until") else ""
        done = BY_MODERATORS.get(str(data.get("act")), "A moderator did something that concerns you")
        return f"{done}{until}." if not text else f"{done}{until}: {text}"
    if data["type"] == "votes":
        voters = data.get("voters") or 0
        return f"{voters} {'person has' if voters == 1 else 'people have'} voted in your poll: {text}"
    form = BY_PEOPLE.get(data["type"])
    return form.format(author=author, text=text) if form else f"{author}: {text}"
