"""Each event as one sentence, for screen readers, pipes and notices. All of it is safe to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anonchat.client.errors import ChatRefused, ClientError
from anonchat.client.events import Closed
from anonchat.client.state import RoomState, changed_at
from anonchat.client.text import one_line, said
from anonchat.client.times import clock_time, duration
from anonchat.client.words.cards import card, poll_of
from anonchat.client.words.receipt import receipt
from anonchat.client.words.sentences_plugins import PLUGIN_SENTENCES

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
    tell = _SENTENCES.get(event) or PLUGIN_SENTENCES.get(event)
    return tell(data, state) if tell is not None else None


def closing(closed: Closed) -> str:
    """Why the chat is over."""
    return CLOSINGS.get(closed.reason) or f"The server has ended the chat: {one_line(closed.reason) or closed.code}."


def unsent(count: int) -> str:
    """That messages stay behind."""
    return f"{count} message{' was' if count == 1 else 's were'} not sent."


def skipped(count: int) -> str:
    """That not all that came was understood."""
    return f"{count} event{'' if count == 1 else 's'} of the server did not fit the protocol and were left out."


def refusal(error: ClientError) -> str:
    """Why something was not done, and when to try again."""
    told = one_line(str(error))
    if not isinstance(error, ChatRefused):
        return told
    if error.code == "validation_failed":
        told = one_line(" ".join(_problems(error.errors))) or told
    wait = error.retry_after
    return f"{told} Try again in {duration(max(1, wait))}." if wait is not None else told


def _problems(errors: object) -> Iterator[str]:
    """The sentences in the `errors` of a refusal: field -> sentences, perhaps nested."""
    if isinstance(errors, str):
        yield errors
    elif isinstance(errors, Mapping | list):
        for part in errors.values() if isinstance(errors, Mapping) else errors:
            yield from _problems(part)


def who(state: RoomState) -> str:
    """Who is there, in one line."""
    me = state.me.get("sessionId")
    names = [
        (f"{YOU} " if user["sessionId"] == me else "") + person(user["username"], user["role"])
        for user in state.people.values()
    ]
    more = state.total - len(names)
    return f"{state.total} here: {', '.join(names)}" + (f" and {more} more" if more > 0 else "")


def message(wire: Mapping[str, Any], state: RoomState) -> str:
    """``[20:15] [moderator] Zoe: hello``; a poll has a line for each of its options."""
    head = f"[{clock_time(wire['createdAt'])}] {author(wire, state)}"
    if "deletedAt" in wire:
        return f"{head}: (deleted)"
    answered = state.messages.get(wire.get("replyToId") or "")
    if answered is not None:
        quoted = "deleted" if "deletedAt" in answered else one_line(said(answered), QUOTED)
        head += f", to {author(answered, state)} ({quoted})"
    marks = [f" ({mark})" for mark in marks_of(wire, state)]
    return f"{head}: {shown(wire, state)}{''.join(marks)}"


def shown(wire: Mapping[str, Any], state: RoomState) -> str:
    """What a message says: a line, or the card of a poll."""
    poll = poll_of(wire, state)
    return _flat(wire) if poll is None else card(wire, poll)


def marks_of(wire: Mapping[str, Any], state: RoomState) -> list[str]:
    """What is to be said about a message beside its text."""
    marks = {
        "edited": "editedAt" in wire,
        "pinned": wire["id"] in state.pins.all,
        "mentions you": mentions(wire, state),
    }
    return [mark for mark, is_so in marks.items() if is_so]


def mentions(wire: Mapping[str, Any], state: RoomState) -> bool:
    """Whether a message of somebody else mentions the reader, or everybody."""
    content = wire["content"]
    ids = content.get("mentionIds")
    is_meant = isinstance(ids, list) and state.me.get("sessionId") in ids
    return (is_meant or content.get("mentionsRoom") is True) and not is_own(wire, state)


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
    if data["event"] not in ("join", "leave", "change"):
        return None
    user = data["user"]
    is_me = user["sessionId"] == state.me.get("sessionId")
    if data["event"] == "change":
        before = state.me if is_me else state.people.get(user["sessionId"], {})
        return _role(user, is_me) if before.get("role", user["role"]) != user["role"] else None
    return None if is_me else f"{one_line(user['username'])} {'joined' if data['event'] == 'join' else 'left'}."


def _role(user: Mapping[str, Any], is_me: bool) -> str:
    is_moderator = user["role"] == "moderator"
    who = "You are" if is_me else f"{one_line(user['username'])} is"
    return f"{who} {'a moderator now' if is_moderator else 'a participant again'}."


def _warning(data: Mapping[str, Any], _: RoomState) -> str:
    return f"The room ends in {duration(data['remainingSeconds'])}."


def _ended(data: Mapping[str, Any], _: RoomState) -> str:
    counts = receipt(data.get("deleted") or {})
    return "The room has ended." + (f" Deleted for good: {counts}." if counts else "")


def _kicked(data: Mapping[str, Any], _: RoomState) -> str:
    reason = one_line(str(data.get("reason") or ""))
    wait = data.get("coolOffSeconds")
    return (
        ("A moderator banned you from the room" if data.get("banned") else "A moderator removed you from the room")
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
