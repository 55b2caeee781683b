"""What was deleted with a room, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, tuple[str, str]] = {
    "messages": ("message", "messages"),
    "participants": ("participant", "participants"),
    "invites": ("invite", "invites"),
    "polls.polls_polls": ("poll", "polls"),
    "polls.polls_votes": ("vote", "votes"),
    "pins.pins_pinned": ("pin", "pins"),
    "notifications.notifications_entries": ("notification", "notifications"),
    "moderation.moderation_bans": ("ban", "bans"),
    "moderation.moderation_mutes": ("mute", "mutes"),
    "moderation.moderation_reports": ("report", "reports"),
    "moderation.moderation_log": ("entry of the moderators' log", "entries of the moderators' log"),
}
"""What people know of, one and several, by the server's category. All else is counted together."""


def receipt(deleted: Mapping[str, Any]) -> str:
    """The counts of `room_ended` as a list in words, empty if nothing was counted."""
    counts = {category: count for category, count in deleted.items() if isinstance(count, int) and count > 0}
    known = [_counted(counts.pop(category), *words) for category, words in WORDS.items() if category in counts]
    others = [_counted(sum(counts.values()), "other record", "other records")] if counts else []
    return ", ".join(known + others)


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
