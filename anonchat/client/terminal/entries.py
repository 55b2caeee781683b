"""What stands in the list of messages, from top to bottom. Pure: the state of the room goes in, entries come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from anonchat.client.connection.outbox import Outgoing
from anonchat.client.state import RoomState
from anonchat.client.text import one_line, said
from anonchat.client.times import clock_time, day, moment, when
from anonchat.client.words.cards import card, poll_of
from anonchat.client.words.sentences import is_own, marks_of, mentions

GROUP_SECONDS = 300
QUOTED = 200


@dataclass(slots=True)
class Pending:
    """A message that the room does not have yet. `error` says why it does not go, `waits` why it is held back."""

    outgoing: Outgoing
    error: str | None = None
    message_id: str | None = None
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class Divider:
    """A line across the list: a new day, or where the unread begins."""

    text: str
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, ready to be drawn. `key` names it; everything is safe to show.

    `is_first` is that of a group by one author; `state` is "" or what is to be said beside the text: "deleted", "sending",
    what went wrong, why it `waits`, "edited" and the like.
    """

    key: str
    author: str
    colour_of: str
    time: str
    text: str
    quote: str | None
    state: str
    is_first: bool
    is_own: bool
    is_moderator: bool
    is_pending: bool = False
    waits: bool = False
    is_mention: bool = False


Line = Divider | Entry


class _Known(NamedTuple):
    """An entry, and the messages that it was made of: as long as these are the same objects, so is the entry."""

    wire: Mapping[str, Any]
    before: Mapping[str, Any] | None
    quoted: Mapping[str, Any] | None
    poll: Mapping[str, Any] | None
    is_pinned: bool
    day: str
    entry: Entry


class Entries:
    """Makes the lines of the list. What has not changed stays the same object, so that it need not be drawn again."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def lines(self, state: RoomState, pending: Sequence[Pending], unread_after: int | None) -> list[Line]:
        """The messages with day and unread lines between them, then what is still on its way."""
        lines: list[Line] = []
        known: dict[str, _Known] = {}
        before: Mapping[str, Any] | None = None
        today, marked = "", unread_after is None
        for key, wire in state.messages.items():
            is_new_day = today != (today := self._day(key, wire))
            if is_new_day:
                lines.append(Divider(today))
            is_mark = not marked and unread_after is not None and wire["seq"] > unread_after
            if is_mark:
                lines.append(Divider("new", is_unread=True))
                marked = True
            found = known[key] = self._find(key, wire, None if is_new_day or is_mark else before, state, today)
            lines.append(found.entry)
            before = wire
        self._known = known
        lines += _held_entries(state, before)
        lines += _pending_entries(pending, state, before)
        return lines

    def _day(self, key: str, wire: Mapping[str, Any]) -> str:
        known = self._known.get(key)
        return known.day if known is not None and known.wire is wire else day(wire["createdAt"])

    def _find(
        self, key: str, wire: Mapping[str, Any], before: Mapping[str, Any] | None, state: RoomState, today: str
    ) -> _Known:
        quoted = state.messages.get(wire.get("replyToId") or "")
        poll, is_pinned = poll_of(wire, state), key in state.pins.all
        known = self._known.get(key)
        if (
            known is None
            or known.wire is not wire
            or known.before is not before
            or known.quoted is not quoted
            or known.poll is not poll
            or known.is_pinned is not is_pinned
        ):
            return _Known(wire, before, quoted, poll, is_pinned, today, _entry(wire, state, before))
        return known


def _entry(wire: Mapping[str, Any], state: RoomState, before: Mapping[str, Any] | None) -> Entry:
    is_deleted = "deletedAt" in wire
    poll = poll_of(wire, state)
    return Entry(
        key=wire["id"],
        author=one_line(wire["authorUsername"]),
        colour_of=str(wire.get("anonymousId", "")),
        time=clock_time(wire["createdAt"]),
        text="This message was deleted." if is_deleted else said(wire) if poll is None else card(wire, poll),
        quote=_quote(wire.get("replyToId"), state),
        state="deleted" if is_deleted else " · ".join(marks_of(wire, state)),
        is_first=not _continues(before, wire),
        is_own=is_own(wire, state),
        is_moderator=wire.get("authorRole") == "moderator",
        is_mention=not is_deleted and mentions(wire, state),
    )


def _continues(before: Mapping[str, Any] | None, wire: Mapping[str, Any]) -> bool:
    if before is None or before["authorSessionId"] != wire["authorSessionId"] or "replyToId" in wire:
        return False
    if not before["content"].get("type") == wire["content"].get("type") == "text":
        return False
    return (moment(wire["createdAt"]) - moment(before["createdAt"])).total_seconds() <= GROUP_SECONDS


def _quote(message_id: str | None, state: RoomState) -> str | None:
    if message_id is None:
        return None
    wire = state.messages.get(message_id)
    if wire is None:
        return "an older message"
    text = "(deleted)" if "deletedAt" in wire else one_line(said(wire), QUOTED)
    return f"{one_line(wire['authorUsername'])}: {text}"


def _held_entries(state: RoomState, before: Mapping[str, Any] | None) -> Iterable[Entry]:
    """One's own messages that wait to be released. Those of others are not in the room yet; moderators list them."""
    for held in state.moderation.held.values():
        wire = held["message"]
        if not is_own(wire, state) or wire["id"] in state.messages:
            continue
        until = f" It is shown at {when(held['releaseAt'])}." if held.get("releaseAt") else ""
        yield _own(
            state,
            before,
            key=wire["id"],
            text=said(wire),
            quote=_quote(wire.get("replyToId"), state),
            state=f"waits: {one_line(held['reason'])}{until}",
            waits=True,
        )
        before = wire


def _own(room: RoomState, before: Mapping[str, Any] | None, **rest: Any) -> Entry:
    """An entry of oneself that is not in the room yet."""
    me = room.me
    return Entry(
        author=one_line(str(me.get("username", "You"))),
        colour_of=str(me.get("anonymousId", "")),
        time="",
        is_first=before is None or not is_own(before, room),
        is_own=True,
        is_moderator=room.is_moderator,
        is_pending=True,
        **rest,
    )


def _pending_entries(pending: Sequence[Pending], state: RoomState, before: Mapping[str, Any] | None) -> Iterable[Entry]:
    """Own messages that are on their way; one that the room has already is not shown twice."""
    known = state.messages.keys() | state.moderation.held.keys()
    for waiting in (entry for entry in pending if entry.message_id not in known):
        yield _own(
            state,
            before,
            key=waiting.outgoing.client_msg_id,
            text=said({"content": {"type": "text", "text": waiting.outgoing.text}}),
            quote=_quote(waiting.outgoing.reply_to, state),
            state=waiting.error or ("sending" if waiting.waits is None else f"waits: {one_line(waiting.waits)}"),
            waits=waiting.waits is not None,
        )
        before = {"authorSessionId": state.me.get("sessionId")}
