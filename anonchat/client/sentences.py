"""Each event as one sentence, for screen readers, pipes and notices. All of it is safe to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.events import Closed
from anonchat.client.state import RoomState, changed_at
from anonchat.client.text import one_line, said
from anonchat.client.times import clock_time, duration

QUOTED = 40

YOU = "<you>"
"""The reader. No name has < or > in it, so nobody else can be called like this."""

CLOSINGS: Mapping[str, str] = {
    "left": "You have left the room.",
    "closed": "The chat is closed.",
    "room_ended": "The room has ended and what was in it is deleted.",
    "kicked": "You were removed from this room for now.",
    "banned": "You are banned from this room.",
    "name_lost": "You were away for long and somebody else has your name now. Join again with another.",
    "session_expired": "Your session has ended. Join the room again.",
    "invalid_token": "This session is not known any more. Join the room again.",
    "not_ours": "This server does not speak anonchat's protocol.",
    "internal": "The chat failed; this is a fault of the program.",
}


def sentence(event: str, data: Mapping[str, Any], state: RoomState) -> str | None:
    """What an event means; `state` is that before the event. None for what needs no words."""
    tell = _SENTENCES.get(event)
    return tell(data, state) if tell is not None else None


def closing(closed: Closed) -> str:
    """Why the chat is over."""
    return CLOSINGS.get(closed.reason) or f"The server has ended the chat: {one_line(closed.reason) or closed.code}."


def skipped(count: int) -> str:
    """That not all that came was understood."""
    return f"{count} event{'' if count == 1 else 's'} of the server did not fit the protocol and were left out."


def message(wire: Mapping[str, Any], state: RoomState) -> str:
    """``[20:15] [moderator] Zoe: hello``"""
    head = f"[{clock_time(wire['createdAt'])}] {author(wire, state)}"
    if "deletedAt" in wire:
        return f"{head}: (deleted)"
    answered = state.messages.get(wire.get("replyToId") or "")
    if answered is not None:
        quoted = "deleted" if "deletedAt" in answered else one_line(said(answered), QUOTED)
        head += f", to {author(answered, state)} ({quoted})"
    return f"{head}: {_flat(wire)}" + (" (edited)" if "editedAt" in wire else "")


def author(wire: Mapping[str, Any], state: RoomState) -> str:
    """Who has written a message, as the reader knows them."""
    if is_own(wire, state):
        return YOU
    return person(wire["authorUsername"], wire.get("authorRole"))


def person(username: str, role: object) -> str:
    """A name, after the role of those who have one: a name that begins like this is refused by the server."""
    return f"{'[moderator] ' if role == 'moderator' else ''}{one_line(username)}"


def is_own(wire: Mapping[str, Any], state: RoomState) -> bool:
    """Whether the reader has written a message."""
    return bool(wire["authorSessionId"] == state.me.get("sessionId"))


def _flat(wire: Mapping[str, Any]) -> str:
    return " / ".join(line for line in said(wire).split("\n") if line.strip())


def _edited(data: Mapping[str, Any], state: RoomState) -> str | None:
    wire = data["message"]
    known = state.messages.get(wire["id"])
    if known is None or changed_at(known) >= changed_at(wire):
        return None
    return f"[{clock_time(wire['createdAt'])}] {author(wire, state)} changed a message: {_flat(wire)}"


def _deleted(data: Mapping[str, Any], state: RoomState) -> str | None:
    known = state.messages.get(data["messageId"])
    if known is None or "deletedAt" in known:
        return None
    by = "a moderator" if data.get("by") == "moderator" else "its author"
    which = "Your message" if is_own(known, state) else f"A message of {author(known, state)}"
    return f"{which} of {clock_time(known['createdAt'])} was deleted by {by}."


def _presence(data: Mapping[str, Any], state: RoomState) -> str | None:
    if data["event"] not in ("join", "leave") or data["user"]["sessionId"] == state.me.get("sessionId"):
        return None
    return f"{one_line(data['user']['username'])} {'joined' if data['event'] == 'join' else 'left'}."


def _warning(data: Mapping[str, Any], _: RoomState) -> str:
    return f"The room ends in {duration(data['remainingSeconds'])}."


def _ended(data: Mapping[str, Any], _: RoomState) -> str:
    deleted = data.get("deleted") or {}
    counts = ", ".join(f"{count} {one_line(str(what))}" for what, count in deleted.items() if count)
    return "The room has ended." + (f" Deleted for good: {counts}." if counts else "")


def _kicked(data: Mapping[str, Any], _: RoomState) -> str:
    reason = one_line(str(data.get("reason") or ""))
    wait = data.get("coolOffSeconds")
    return (
        "A moderator removed you from the room"
        + (f": {reason}" if reason else "")
        + (f". You may come back in {duration(wait)}." if wait else ".")
    )


def _room_updated(data: Mapping[str, Any], state: RoomState) -> str | None:
    room = data.get("room") or {}
    if room.get("isOpen") and not state.room.get("isOpen"):
        return "The room is open again."
    title = room.get("title")
    return f"The room is now called {one_line(title)}." if title and title != state.room.get("title") else None


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], RoomState], str | None]] = {
    "message": message,
    "message_edited": _edited,
    "message_deleted": _deleted,
    "presence": _presence,
    "room_closed": lambda data, state: "The room is closed; nobody new can come in.",
    "room_updated": _room_updated,
    "room_ttl_warning": _warning,
    "room_ended": _ended,
    "kicked": _kicked,
    "error": lambda data, state: one_line(str(data.get("message") or data.get("code"))),
}
