"""What concerns oneself and is not read yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anonchat.client.reducers.removals import removal

MOST = 200
EXCERPT = 200
"""Characters of a message that the server puts into a notification."""


@dataclass
class Notifications:
    """The unread ones by id, the newest first; `unread` is how many there are in all."""

    all: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    unread: int = 0

    def apply(self, event: str, data: Mapping[str, Any]) -> None:
        """Take in an event; others change nothing."""
        match event:
            case "notifications":
                self.all = {one["id"]: one for one in data["notifications"] if not one.get("read")}
                self.unread = data["unread"]
            case "notification":
                self.unread += data["id"] not in self.all
                self.all = {data["id"]: data} | {key: one for key, one in self.all.items() if key != data["id"]}
                while len(self.all) > MOST:
                    self.all.popitem()
            case "message_edited":
                self.all = {key: _edited(one, data["message"]) for key, one in self.all.items()}
            case "message_deleted" | "messages_removed":
                is_gone = removal(event, data)
                kept = {key: one for key, one in self.all.items() if not is_gone(*_about(one))}
                self.unread = max(0, self.unread - (len(self.all) - len(kept)))
                self.all = kept


def _edited(notification: Mapping[str, Any], wire: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with the present text, if it is about this message."""
    about, text = notification.get("message"), wire["content"].get("text")
    if about is None or about["id"] != wire["id"] or not isinstance(text, str):
        return notification
    return {**notification, "message": {**about, "excerpt": _cut(text)}}


def _cut(text: str) -> str:
    """As the server cuts it."""
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT].rstrip()}…"


def _about(notification: Mapping[str, Any]) -> tuple[str, int | None]:
    """Id and seq of the message that a notification is about."""
    wire = notification.get("message") or {"id": "", "seq": None}
    return wire["id"], wire["seq"]
