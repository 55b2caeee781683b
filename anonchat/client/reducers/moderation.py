"""What moderation says: the rules that hold, whether one is muted, which messages wait, and how many reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RULES = ("preset", "slowModeSeconds", "panic")
MOST_HELD = 500


@dataclass
class Moderation:
    """`rules` has `preset`, `slowModeSeconds` and `panic`; it is empty where there is no moderation."""

    rules: Mapping[str, Any] = field(default_factory=dict)
    muted: Mapping[str, Any] | None = None
    """`until` and `reason`, while one is muted oneself."""
    held: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By message id, the oldest first: `message`, `releaseAt`, `reason`. Moderators know of all, others of theirs."""
    reports: int = 0
    """How many wait, as moderators are told."""

    def apply(self, event: str, data: Mapping[str, Any]) -> None:
        """Take in an event; others change nothing."""
        match event:
            case "identified" | "unmuted":
                self.muted = None  # who still is muted is told so after each `identified`
            case "muted":
                self.muted = data
            case "moderation" | "moderation_changed":
                self.rules = {name: data.get(name) for name in RULES}
            case "report_count" | "message_reported" | "report_resolved":
                self.reports = data["open"]
            case "held_messages":
                self.held = {held["message"]["id"]: held for held in data["messages"]}
            case "held_message":
                self.held = {**self.held, data["message"]["id"]: data}
                while len(self.held) > MOST_HELD:
                    del self.held[next(iter(self.held))]
            case "message":
                self.held.pop(data["id"], None)
            case "message_released" | "message_dropped" | "message_deleted":
                self.held.pop(data["messageId"], None)
