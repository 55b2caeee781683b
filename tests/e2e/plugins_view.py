"""What a client knows of polls, pins, notifications and moderation, from the events in the README of each plugin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .view import Part, View

OWN = ("optionIds", "voted")
PAGE = 50  # notifications of one `notifications`


def plugins_view() -> View:
    """What somebody knows who has never been here."""
    return View([Pins(), Polls(), Inbox(), Moderation()])


class AboutMessages(Part):
    """What goes when the message goes that it is about."""

    def _drop(self, message_ids: set[str]) -> None:
        raise NotImplementedError

    def _on_message_deleted(self, data: dict[str, Any], _: int | None) -> None:
        self._drop({data["messageId"]})

    def _on_messages_removed(self, data: dict[str, Any], _: int | None) -> None:
        self._drop(set(data.get("messageIds", ())))


class Pins(AboutMessages):
    """Message id -> when and by whom it was pinned, in the order of pinning."""

    name = "pins"

    def __init__(self) -> None:
        self.pinned: dict[str, dict[str, Any]] = {}

    def state(self) -> Any:
        return list(self.pinned.items())

    def _drop(self, message_ids: set[str]) -> None:
        self.pinned = {key: pin for key, pin in self.pinned.items() if key not in message_ids}

    def _on_pinned_messages(self, data: dict[str, Any], _: int | None) -> None:
        assert not data["hasMore"]
        self.pinned = {wire["id"]: _pin(wire["ext"]["pins"]) for wire in data["messages"]}

    def _on_message_pinned(self, data: dict[str, Any], _: int | None) -> None:
        self._drop({data["messageId"]})
        self.pinned[data["messageId"]] = _pin(data)

    _on_message_unpinned = AboutMessages._on_message_deleted


def _pin(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("pinnedAt", "pinnedBy")}


class Polls(AboutMessages):
    """Poll id -> its state. Who voted what, and one's own votes, are told of open polls; of a closed one they are asked for."""

    name = "polls"

    def __init__(self) -> None:
        self.polls: dict[str, dict[str, Any]] = {}

    def state(self) -> Any:
        return self.polls

    def of(self, *, is_open: bool) -> list[str]:
        """The ids of the polls that are open, or closed."""
        return [key for key, poll in self.polls.items() if (poll["closedAt"] is None) == is_open]

    def forgotten(self) -> list[str]:
        """The open secret polls in which, as the server says, one has not voted."""
        return [key for key in self.of(is_open=True) if self.polls[key]["secrecy"] == "secret" and not self._voted(key)]

    def _voted(self, poll_id: str) -> bool:
        return bool(self.polls[poll_id].get("voted"))

    def _drop(self, message_ids: set[str]) -> None:
        self.polls = {key: poll for key, poll in self.polls.items() if poll["messageId"] not in message_ids}

    def _on_history_chunk(self, data: dict[str, Any], seq: int | None) -> None:
        if "recovered" in data:
            self.polls = {}
            for wire in data["messages"]:
                self._on_message(wire, seq)

    def _on_message(self, wire: dict[str, Any], _: int | None) -> None:
        content = wire["content"]
        if content["type"] == "poll":
            self.polls[content["pollId"]] = _new_poll(wire)
            self._change(wire.get("ext", {}).get("polls", {"pollId": content["pollId"]}))

    def _on_open_polls(self, data: dict[str, Any], _: int | None) -> None:
        for told in data["polls"]:
            self._change(told)

    def _on_vote_recorded(self, data: dict[str, Any], _: int | None) -> None:
        self._change({**data, "voted": True})

    def _on_vote_removed(self, data: dict[str, Any], _: int | None) -> None:
        self._change({**data, "voted": bool(data["optionIds"])})

    def _change(self, told: dict[str, Any], _: int | None = None) -> None:
        """Take what is told and keep the rest."""
        poll = self.polls.get(told["pollId"])
        if poll is None:
            return  # its message is gone
        poll |= told
        if poll["closedAt"] is not None:
            for name in (*OWN, "votes"):
                poll.pop(name, None)
        elif poll["secrecy"] == "hidden" and not poll["voted"]:
            poll["totals"] = None

    _on_poll_update = _on_poll_closed = _on_poll_results = _change
    _on_vote_pending = _on_vote_recorded


def _new_poll(wire: dict[str, Any]) -> dict[str, Any]:
    """The state of a poll in which nobody has voted."""
    content, seconds = wire["content"], wire["content"].get("closesInSeconds")
    created_at = datetime.fromisoformat(wire["createdAt"])
    closes_at = None if seconds is None else created_at + timedelta(seconds=seconds)
    secrecy = content["secrecy"]
    state = {
        "pollId": content["pollId"],
        "messageId": wire["id"],
        "secrecy": secrecy,
        "closesAt": closes_at and closes_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "closedAt": None,
        "voters": None if secrecy == "secret" else 0,
        "totals": {option["id"]: 0 for option in content["options"]} if secrecy == "open" else None,
        "discarded": False,
        "optionIds": [],
        "voted": False,
    }
    return state | ({"votes": []} if secrecy == "open" else {})


class Inbox(AboutMessages):
    """The unread notifications by id, and how many there are. What a notification shows of its message is that message.

    A client that knows not all of them cannot tell whether what goes was among them, nor what is new: it asks.
    """

    name = "notifications"

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.unread = 0
        self._is_unsure = False

    def wanted(self) -> list[str]:
        return ["get_notifications"] * self._is_unsure

    def state(self) -> Any:
        return {"entries": sorted(self.entries.items())[-PAGE:], "unread": self.unread}

    def _drop(self, message_ids: set[str]) -> None:
        kept = {key: entry for key, entry in self.entries.items() if entry.get("message") not in message_ids}
        self._is_unsure = self._is_unsure or self.unread > len(self.entries)
        self.unread -= len(self.entries) - len(kept)
        self.entries = kept

    def _on_notifications(self, data: dict[str, Any], _: int | None) -> None:
        self.entries = {wire["id"]: _entry(wire) for wire in data["notifications"]}
        self.unread = data["unread"]
        self._is_unsure = False

    def _on_notification(self, data: dict[str, Any], _: int | None) -> None:
        self._is_unsure = self._is_unsure or self.unread > len(self.entries)
        self.unread += data["id"] not in self.entries
        self.entries[data["id"]] = _entry(data)


def _entry(wire: dict[str, Any]) -> dict[str, Any]:
    return {**wire, "message": wire["message"]["id"]} if "message" in wire else wire


class Moderation(Part):
    """What holds in the room, what waits, until when one is muted; as much as one's role lets one see."""

    name = "moderation"

    def __init__(self) -> None:
        self.me = ""
        self.role = ""
        self.rules: dict[str, Any] = {}
        self.settings: dict[str, Any] | None = None
        self.held: dict[str, dict[str, Any]] = {}
        self.muted: dict[str, Any] | None = None
        self._unknown: set[str] = set()

    @property
    def is_moderator(self) -> bool:
        """As the server has told it last."""
        return self.role == "moderator"

    def wanted(self) -> list[str]:
        return sorted(self._unknown)

    def state(self) -> Any:
        held = sorted(self.held.values(), key=lambda one: str(one["message"]["id"]))
        told = {"role": self.role, "rules": self.rules, "held": held, "muted": self.muted}
        return told | {"settings": self.settings}

    def _on_identified(self, data: dict[str, Any], _: int | None) -> None:
        self.me, self.role, self.muted = data["sessionId"], data["role"], None
        self._unknown.clear()

    def _on_presence(self, data: dict[str, Any], _: int | None) -> None:
        if data["event"] == "change" and data["user"]["sessionId"] == self.me:
            self._become(data["user"]["role"])

    def _on_presence_state(self, data: dict[str, Any], _: int | None) -> None:
        for user in data["users"]:
            if user["sessionId"] == self.me:
                self._become(user["role"])

    def _become(self, role: str) -> None:
        if role == self.role:
            return
        self.role = role
        if self.is_moderator:
            self._unknown |= {"get_moderation", "get_held_messages"}
        else:
            self._unknown.clear()
            self.settings = None
            self.held = {key: one for key, one in self.held.items() if one["message"]["authorSessionId"] == self.me}

    def _on_moderation(self, data: dict[str, Any], _: int | None) -> None:
        self.rules = {name: value for name, value in data.items() if name != "settings"}
        self.settings = data.get("settings")
        self._unknown.discard("get_moderation")

    def _on_moderation_changed(self, data: dict[str, Any], _: int | None) -> None:
        self.rules = data
        if self.is_moderator:
            self._unknown.add("get_moderation")

    def _on_held_messages(self, data: dict[str, Any], _: int | None) -> None:
        assert not data["hasMore"]
        self.held = {one["message"]["id"]: one for one in data["messages"]}
        self._unknown.discard("get_held_messages")

    def _on_held_message(self, data: dict[str, Any], _: int | None) -> None:
        self.held[data["message"]["id"]] = data

    def _on_message(self, data: dict[str, Any], _: int | None) -> None:
        self.held.pop(data["id"], None)

    def _on_message_released(self, data: dict[str, Any], _: int | None) -> None:
        self.held.pop(data["messageId"], None)

    _on_message_dropped = _on_message_released

    def _on_muted(self, data: dict[str, Any], _: int | None) -> None:
        self.muted = data

    def _on_unmuted(self, data: dict[str, Any], _: int | None) -> None:
        self.muted = None
