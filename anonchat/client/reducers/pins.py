"""The pinned messages of a room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anonchat.client.reducers.removals import removal

MOST = 1_000


@dataclass
class Pins:
    """By message id, in the order in which they were pinned: the message as it is now, None if it is not known here."""

    all: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    has_more: bool = False
    """Whether older pins did not fit into what the server has told."""

    def apply(self, event: str, data: Mapping[str, Any], messages: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in an event; others change nothing. `messages` are those that are known after it."""
        match event:
            case "pinned_messages":
                self.all = {wire["id"]: _plain(wire) for wire in data["messages"]}
                self.has_more = bool(data.get("hasMore"))
            case "message_pinned":
                known = messages.get(data["messageId"])
                self.all.setdefault(data["messageId"], _plain(known) if known is not None else None)
                while len(self.all) > MOST:
                    del self.all[next(iter(self.all))]
            case "message_unpinned":
                self.all.pop(data["messageId"], None)
            case "message_edited" if data["message"]["id"] in self.all:
                self.all[data["message"]["id"]] = _plain(data["message"])
            case "message_deleted" | "messages_removed":
                is_gone = removal(event, data)
                kept = {key: wire for key, wire in self.all.items() if not is_gone(key, wire["seq"] if wire else None)}
                self.all = kept


def _plain(wire: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what plugins had to say about it at that time."""
    return {key: value for key, value in wire.items() if key != "ext"}
