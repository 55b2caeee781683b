"""The values that cross borders: frozen, plain, the same for the core, plugins and storage. Times: milliseconds.

Those that each message needs are tuples with names, which are made in a third of the time of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Role = Literal["participant", "moderator"]

# Who may act on whom: nobody acts on an equal or higher rank.
RANK_PARTICIPANT, RANK_MODERATOR, RANK_OWNER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it is stored. `secret` keys the hashes of devices and bans; it never leaves the server."""

    id: str
    title: str
    description: str
    ephemeral: bool
    is_public: bool
    is_open: bool
    max_participants: int
    seq: int
    settings: Mapping[str, Any]
    secret: str = field(repr=False)
    created_at: int
    expires_at: int | None
    retention_seconds: int | None
    closed_at: int | None
    ended_at: int | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One participant of one room. It owns a name and a place while `name_key` is set.

    `device_hash` and `fingerprint_hash`, where the client gave them, are keyed with the room's secret.
    """

    id: str
    room_id: str
    username: str
    name_key: str | None
    anonymous_id: str
    role: Role
    rank: int
    avatar: str | None
    created_at: int
    seat_until: int
    expires_at: int
    device_hash: str | None = field(default=None, repr=False)
    fingerprint_hash: str | None = field(default=None, repr=False)

    @property
    def is_moderator(self) -> bool:
        return self.role == "moderator"


class Message(NamedTuple):
    """A message as it is stored. `seq` is None while it is held; `content` is empty once it is deleted."""

    id: str
    room_id: str
    seq: int | None
    changed_seq: int | None
    session_id: str
    username: str
    anonymous_id: str
    role: Role
    avatar: str | None
    content: Mapping[str, Any]
    reply_to_id: str | None
    mentions: tuple[str, ...]
    created_at: int
    edited_at: int | None = None
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message on its way in, as `filter_message` sees it: not stored, without id and seq."""

    room_id: str
    session: Session
    client_msg_id: str
    content: Mapping[str, Any]
    reply_to_id: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a message on its way in, as `filter_edit` sees it."""

    message: Message
    session: Session
    content: Mapping[str, Any]
    mentions: tuple[str, ...] = ()


class Receipt(NamedTuple):
    """What is remembered of a send: the answer to it, and to each repetition of it. `seq` is None while held."""

    client_msg_id: str
    message_id: str
    seq: int | None
    created_at: int
    held_until: int | None = None
    held_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who of a room's members gets an event that is not kept: session ids, or everybody.

    With `arriving` also those who are only just being told the state, and get it afterwards, because it changes what
    the state says.
    """

    skip: str | None = None
    only: tuple[str, ...] | None = None
    moderators: bool = False
    arriving: bool = False

    @classmethod
    def of(cls, skip: str | None, only: Collection[str] | None, moderators: bool) -> Audience:
        """Of what a plugin tells: all that the state says may be the plugin's, so who is arriving gets it, too."""
        return cls(skip, None if only is None else tuple(only), moderators, arriving=True)

    def includes(self, session: Session) -> bool:
        named = self.only is None or session.id in self.only
        return named and session.id != self.skip and (session.is_moderator or not self.moderators)


EVERYBODY = Audience()


class Event(NamedTuple):
    """One event of a room as its members get it. `seq` is None for what is not durable (presence, typing).

    What is told to an `audience` is neither kept nor in the order of the room.
    """

    room_id: str
    name: str
    data: Mapping[str, Any]
    seq: int | None = None
    message_id: str | None = None
    audience: Audience | None = None


@dataclass(frozen=True, slots=True)
class Invite:
    """A link into a room. Its token is known only to those who hold it."""

    id: str
    room_id: str
    role: Role
    rank: int
    created_at: int
    expires_at: int | None
    max_uses: int | None
    uses: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Denied:
    """A guard's no."""

    code: str
    text: str | None = None
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A filter's no."""

    code: str
    text: str | None = None
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that is shown to nobody yet, until when (None: until a moderator decides), and why."""

    message: Message
    until: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """A filter's "not yet": the message is stored without seq and shown to nobody until it is released.

    `until` is a time in milliseconds, or None for "until a moderator decides". `reason` is shown to the author.
    """

    until: int | None
    reason: str
