"""What a room looks like, made of nothing but its events: a pure reducer.

The state of a client that went through any drops and replays equals that of one that never left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from heapq import merge
from typing import Any

from anonchat.client.checks.core import fits
from anonchat.client.errors import NotOurs
from anonchat.client.reducers.moderation import Moderation
from anonchat.client.reducers.notifications import Notifications
from anonchat.client.reducers.pins import Pins
from anonchat.client.reducers.polls import Polls
from anonchat.client.times import moment

MESSAGES = 10_000
CHANGES = 300


class RoomState:
    """Feed it every `Received` in order: ``state.apply(received.event, received.data, received.seq)``.

    Messages are kept as they are on the wire, at most `bound` of them, the oldest being let go first.
    """

    def __init__(self, bound: int = MESSAGES) -> None:
        self.messages: dict[str, Mapping[str, Any]] = {}
        """By id, in the order of their seq."""
        self.has_more = False
        """Whether the server has older messages."""
        self.people: dict[str, Mapping[str, Any]] = {}
        """Who is there, by session id; in a crowd only some of them."""
        self.total = 0
        """How many are there."""
        self.room: dict[str, Any] = {}
        self.me: Mapping[str, Any] = {}
        """Data of `identified`, without the room."""
        self.ended: Mapping[str, Any] | None = None
        """Data of `room_ended`."""
        self.polls = Polls()
        self.pins = Pins()
        self.notifications = Notifications()
        self.moderation = Moderation()
        self._bound = bound
        self._disordered = False
        # A page of history may have been read before a change that overtook it on the way; then the change is repeated.
        self._changes: deque[tuple[int, str, Mapping[str, Any]]] = deque(maxlen=CHANGES)

    def apply(self, event: str, data: Mapping[str, Any], seq: int | None = None) -> None:
        """Take in one event; what is not known is ignored. Raises `NotOurs`, with nothing changed, if it does not fit.

        What a `Chat` tells always fits.
        """
        if not fits(event, data):
            raise NotOurs(f"the event {event} is not as expected")
        if event in _REPEATED and seq is not None:
            self._changes.append((seq, event, data))
        self._change(event, data, seq)
        if event == "history_chunk":
            for later, name, change in list(self._changes):
                if later > data["seq"]:
                    self._change(name, change, later)

    def _change(self, event: str, data: Mapping[str, Any], seq: int | None) -> None:
        change = _CHANGES.get(event)
        if change is not None:
            change(self, data, seq)
        self.polls.apply(event, data)
        self.pins.apply(event, data, self.messages)
        self.notifications.apply(event, data)
        self.moderation.apply(event, data)

    @property
    def is_moderator(self) -> bool:
        """Whether oneself is one, now."""
        return self.me.get("role") == "moderator"

    def told_by(self, plugin: str) -> Mapping[str, Any]:
        """What a plugin of the server has added to `identified`."""
        added = self.me.get("ext")
        told = added.get(plugin) if isinstance(added, Mapping) else None
        return told if isinstance(told, Mapping) else {}

    def mine(self) -> list[Mapping[str, Any]]:
        """One's own messages, also those that wait to be released, the newest last."""
        session = self.me.get("sessionId")
        held = [one["message"] for key, one in self.moderation.held.items() if key not in self.messages]
        mine, waiting = (
            [wire for wire in wires if wire["authorSessionId"] == session and "deletedAt" not in wire]
            for wires in (self.messages.values(), held)
        )
        # Each of the two keeps its own order: that of the room is by seq, whatever the clocks said.
        return list(merge(mine, waiting, key=lambda wire: moment(wire["createdAt"])))

    # --- messages

    def _history_chunk(self, data: Mapping[str, Any], _: int | None) -> None:
        if data.get("recovered") is False:
            self.messages.clear()
            self._changes.clear()
        oldest = next(iter(self.messages.values()), None)
        page = data["messages"]
        if oldest is None or not page or page[0]["seq"] < oldest["seq"]:
            self.has_more = data["hasMore"]
        for wire in page:
            self._put(wire)
        self._order()

    def _message(self, data: Mapping[str, Any], _: int | None) -> None:
        self._put(data)
        self._order()

    def _edited(self, data: Mapping[str, Any], _: int | None) -> None:
        if data["message"]["id"] in self.messages:
            self._put(data["message"])

    def _deleted(self, data: Mapping[str, Any], seq: int | None) -> None:
        known = self.messages.get(data["messageId"])
        if known is None or changed_at(known) >= (seq or 0):
            return
        left = {key: value for key, value in known.items() if key not in ("editedAt", "replyToId", "ext")}
        nothing = {"content": {"type": "text", "text": ""}, "mentions": []}
        self.messages[known["id"]] = left | nothing | {"deletedAt": data.get("deletedAt"), "changedSeq": seq}

    def _removed(self, data: Mapping[str, Any], _: int | None) -> None:
        ids, through = set(data.get("messageIds") or ()), data.get("throughSeq") or 0
        for key in [key for key, wire in self.messages.items() if key in ids or wire["seq"] <= through]:
            del self.messages[key]

    def _put(self, wire: Mapping[str, Any]) -> None:
        """Add a message at the end, or replace an older copy of it."""
        known = self.messages.get(wire["id"])
        if known is None:
            newest = next(reversed(self.messages.values()), wire)
            self._disordered = self._disordered or wire["seq"] < newest["seq"]
        if known is None or changed_at(wire) >= changed_at(known):
            self.messages[wire["id"]] = wire

    def _order(self) -> None:
        if self._disordered:
            self.messages = dict(sorted(self.messages.items(), key=lambda item: int(item[1]["seq"])))
            self._disordered = False
        while len(self.messages) > self._bound:
            del self.messages[next(iter(self.messages))]
            self.has_more = True


def _identified(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.room = dict(data["room"])
    state.me = {key: value for key, value in data.items() if key != "room"}


def _room_updated(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.room.update(data.get("room") or {})


def _room_closed(state: RoomState, _data: Mapping[str, Any], _: int | None) -> None:
    state.room["isOpen"] = False


def _room_ended(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.ended = data


def _presence_state(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.people = {user["sessionId"]: user for user in data["users"]}
    state.total = data["total"]
    for user in data["users"]:
        _look(state, user)


def _presence(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.total = data["total"]
    if data["event"] in ("join", "change"):
        state.people[data["user"]["sessionId"]] = data["user"]
    elif data["event"] == "leave":
        state.people.pop(data["user"]["sessionId"], None)
    if data["event"] == "change":
        _look(state, data["user"])


def _look(state: RoomState, user: Mapping[str, Any]) -> None:
    """What is told of somebody changes oneself, if it is that."""
    if user["sessionId"] == state.me.get("sessionId"):
        state.me = {**state.me, **user}


def _presence_removed(state: RoomState, data: Mapping[str, Any], _: int | None) -> None:
    state.people.pop(data["sessionId"], None)


def changed_at(wire: Mapping[str, Any]) -> int:
    """The seq of the last change of a message."""
    return int(wire.get("changedSeq") or wire["seq"])


_CHANGES: Mapping[str, Callable[[RoomState, Mapping[str, Any], int | None], None]] = {
    "identified": _identified,
    "room_updated": _room_updated,
    "room_closed": _room_closed,
    "room_ended": _room_ended,
    "presence_state": _presence_state,
    "presence": _presence,
    "presence_removed": _presence_removed,
    "history_chunk": RoomState._history_chunk,
    "message": RoomState._message,
    "message_edited": RoomState._edited,
    "message_deleted": RoomState._deleted,
    "messages_removed": RoomState._removed,
}
_REPEATED = frozenset({"message_edited", "message_deleted", "messages_removed", "poll_update", "poll_closed"})
