"""What a client knows of a room, from the events that it received and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class Reducer:
    """Applies the events for which it has a method, ``_on_<event>``, and passes over all others."""

    def take(self, event: str, data: dict[str, Any], seq: int | None = None) -> None:
        """Apply one event."""
        apply = getattr(self, f"_on_{event}", None)
        if apply is not None:
            apply(data, seq)


class Part(Reducer):
    """What one plugin tells; a `View` has any number of them."""

    name = ""

    def wanted(self) -> list[str]:
        """The events with which a client asks for what it was not told."""
        return []

    def state(self) -> Any:
        """What is known, as JSON that is the same for all who know the same."""
        raise NotImplementedError


@dataclass
class View(Reducer):
    """The core's part, and those of plugins."""

    parts: Sequence[Part] = ()
    epoch: str | None = None
    position: int | None = None
    room: dict[str, Any] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    version: int = -1
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_stale: bool = False  # a presence event was missed
    is_void: bool = False  # the server asked to start over

    def take(self, event: str, data: dict[str, Any], seq: int | None = None) -> None:
        """Apply one event, here and in all parts."""
        if seq is not None:
            assert self.position is not None
            assert seq > self.position, "an event came twice or too late"
            self.position = seq
        super().take(event, data, seq)
        for part in self.parts:
            part.take(event, data, seq)

    def wanted(self) -> list[str]:
        """The events with which a client asks for what it was not told."""
        return ["get_presence"] * self.is_stale + [event for part in self.parts for event in part.wanted()]

    def canonical(self) -> str:
        """The state as text. How many have a place is left out: a number as of the moment of asking, told by no event."""
        room = {key: value for key, value in self.room.items() if key != "actualParticipants"}
        messages = sorted(self.messages.values(), key=lambda wire: int(wire["seq"]))
        users = sorted(self.users.values(), key=lambda user: str(user["sessionId"]))
        state = {"room": room, "users": users, "messages": messages}
        return json.dumps(state | {part.name: part.state() for part in self.parts}, sort_keys=True, indent=1)

    # --- where one stands

    def _on_identified(self, data: dict[str, Any], _: int | None) -> None:
        self.epoch, self.room = data["epoch"], data["room"]

    def _on_history_chunk(self, data: dict[str, Any], _: int | None) -> None:
        if "recovered" in data:
            self.position = data["seq"]
            self.messages = {wire["id"]: _plain(wire) for wire in data["messages"]}

    def _on_replay(self, data: dict[str, Any], _: int | None) -> None:
        assert data["from"] == self.position
        for missed in data["events"]:
            self.take(missed["event"], missed["data"], missed["seq"])
        self.position = data["to"]

    def _on_resync(self, data: dict[str, Any], _: int | None) -> None:
        self.is_void = True

    # --- messages and the room

    def _on_message(self, data: dict[str, Any], _: int | None) -> None:
        assert data["id"] not in self.messages, "a message came twice"
        self.messages[data["id"]] = _plain(data)

    def _on_message_edited(self, data: dict[str, Any], _: int | None) -> None:
        wire = data["message"]
        known = self.messages.get(wire["id"])
        if known is not None and known["changedSeq"] <= wire["changedSeq"]:
            self.messages[wire["id"]] = _plain(wire)

    def _on_message_deleted(self, data: dict[str, Any], seq: int | None) -> None:
        known = self.messages.get(data["messageId"])
        if known is not None:
            kept = {key: value for key, value in known.items() if key not in ("editedAt", "replyToId")}
            empty = {"content": {"type": "text", "text": ""}, "mentions": []}
            self.messages[known["id"]] = kept | empty | {"deletedAt": data["deletedAt"], "changedSeq": seq}

    def _on_messages_removed(self, data: dict[str, Any], _: int | None) -> None:
        gone = set(data.get("messageIds", ()))
        through = data.get("throughSeq", 0)
        self.messages = {key: wire for key, wire in self.messages.items() if key not in gone and wire["seq"] > through}

    def _on_room_updated(self, data: dict[str, Any], _: int | None) -> None:
        self.room = self.room | data["room"]

    def _on_room_closed(self, data: dict[str, Any], _: int | None) -> None:
        self.room = self.room | {"isOpen": False, "closedAt": data["closedAt"]}

    # --- who is there

    def _on_presence_state(self, data: dict[str, Any], _: int | None) -> None:
        self.users = {user["sessionId"]: user for user in data["users"]}
        self.version, self.is_stale = data["version"], False

    def _on_presence(self, data: dict[str, Any], _: int | None) -> None:
        self.is_stale = self.is_stale or data["version"] != self.version + 1
        self.version = data["version"]
        if data["event"] in ("join", "change"):
            self.users[data["user"]["sessionId"]] = data["user"]
        else:
            self.users.pop(data["user"]["sessionId"], None)

    def _on_heartbeat_ack(self, data: dict[str, Any], _: int | None) -> None:
        self.is_stale = self.is_stale or data["presenceVersion"] != self.version


def _plain(wire: dict[str, Any]) -> dict[str, Any]:
    """A message without what plugins have added: that has a place of its own."""
    return {key: value for key, value in wire.items() if key != "ext"}
