"""Rooms: create, describe, change, close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from anonchat.clock import Clock, iso
from anonchat.config.settings import RoomSettings
from anonchat.delivery.journal import Also, Journal, Transaction
from anonchat.errors import ChatError
from anonchat.ids import new_id, new_invite_token, new_token
from anonchat.models import RANK_OWNER, RANK_PARTICIPANT, Room
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.cursors import cursor_of, parse_cursor
from anonchat.protocol.schemas import room_wire
from anonchat.protocol.texts import HIDDEN, is_visible, one_line
from anonchat.storage.roles import Reads
from anonchat.store import rooms as statements

SETTINGS_BYTES = 8_192

Changes = Mapping[str, Any] | Callable[[Room], Mapping[str, Any]]
"""What is to be different: title, description, settings; or what says so, of the room as it is in the transaction."""


@dataclass(frozen=True, slots=True)
class NewRoom:
    """What somebody asks for who creates a room. None: as the operator has set it."""

    title: str
    description: str = ""
    ephemeral: bool = True
    chat_duration_seconds: int | None = None
    retention_seconds: int | None = None
    max_participants: int | None = None
    is_public: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedRoom:
    """A new room and the two secrets that open it. They are shown once and stored only as hashes."""

    room: Room
    invite_token: str
    moderator_token: str


class Rooms:
    """The rules about rooms."""

    def __init__(
        self, journal: Journal, dispatcher: Dispatcher, clock: Clock, settings: RoomSettings, plugins: tuple[str, ...]
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock
        self._settings = settings
        self._plugins = plugins
        self.purge_grace_seconds = settings.purge_grace_seconds

    async def create(self, new: NewRoom) -> CreatedRoom:
        """Make a room with one invite for participants and one for its owner. Raises `validation_failed`."""
        now = self._clock.now()
        room = self._draft(new, now)
        invite, moderator = new_invite_token(), new_invite_token()

        async def work(tx: Transaction) -> None:
            await tx.execute(statements.INSERT_ROOM, _room_row(room))
            for token, role, rank in ((invite, "participant", RANK_PARTICIPANT), (moderator, "moderator", RANK_OWNER)):
                await tx.execute(statements.INSERT_INVITE, statements.invite_row(room.id, token, role, rank, now))

        await self._journal.transaction(work, room.id)
        self._dispatcher.observe("room_created", room=room)
        return CreatedRoom(room, invite, moderator)

    async def find(self, room_id: str, tx: Reads | None = None) -> Room:
        """The room. Raises `room_not_found`, or `room_ended` once it is over."""
        reads = tx or self._journal
        row = await reads.fetch_one(statements.SELECT_ROOM, {"room": room_id})
        if row is None:
            ended = await reads.fetch_one(statements.SELECT_ENDED, {"room": room_id})
            raise ChatError("room_not_found" if ended is None else "room_ended")
        room = statements.room_of(row)
        if room.ended_at is not None:
            raise ChatError("room_ended")
        return room

    async def receipt(self, room_id: str) -> Mapping[str, Any] | None:
        """When and why a room ended, what was deleted with it, and which plugins are still to delete what they keep of it.

        None for a room that never was, and as long as anything of it is in the core's own tables.
        """
        row = await self._journal.fetch_one(statements.SELECT_ENDED, {"room": room_id})
        if row is None or await self._journal.fetch_one(statements.SELECT_ROOM, {"room": room_id}) is not None:
            return None
        pending = await self._journal.fetch_all(statements.SELECT_UNPURGED_OF, {"room": room_id})
        return {
            "ended_at": row["ended_at"],
            "reason": row["reason"],
            "deleted": orjson.loads(row["deleted"]),
            "pending": [waiting["plugin"] for waiting in pending],
        }

    async def describe(self, room: Room, tx: Reads | None = None) -> dict[str, Any]:
        """Metadata on the wire."""
        counted = {"room": room.id, "now": self._clock.now()}
        row = await (tx or self._journal).fetch_one(statements.COUNT_SEATED, counted)
        return room_wire(room, row[0] if row else 0, self._plugins, self._settings.purge_grace_seconds)

    async def public(self, cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Public rooms, newest first, and the cursor of the next page."""
        before, before_id = parse_cursor(cursor, (2**62, ""))
        page = {"before": before, "before_id": before_id, "limit": limit + 1}
        rows = await self._journal.fetch_all(statements.SELECT_PUBLIC, page)
        rooms = [statements.room_of(row) for row in rows[:limit]]
        counted = {"rooms": [room.id for room in rooms], "now": self._clock.now()}
        seated = {
            row["room_id"]: row["seated"] for row in await self._journal.fetch_all(statements.COUNT_SEATED_IN, counted)
        }
        following = cursor_of(rooms[-1].created_at, rooms[-1].id) if len(rows) > limit else None
        return [self._listed(room, seated.get(room.id, 0)) for room in rooms], following

    def _listed(self, room: Room, seated: int) -> dict[str, Any]:
        """Metadata without settings: those of a whole page could be as large as a file."""
        wire = room_wire(room, seated, self._plugins, self._settings.purge_grace_seconds)
        del wire["settings"]
        return wire

    # --- state

    async def update(self, room: Room, changes: Changes, also: Also | None = None) -> None:
        """Change title, description or settings; members get `room_updated` with what is different now.

        Settings are merged at the top level. `also(tx)` comes first, and may refuse.
        """

        async def work(tx: Transaction) -> None:
            row = await tx.fetch_one(statements.LOCK_ROOM, {"room": room.id})
            if row is None:
                raise ChatError("room_ended")
            if also is not None:
                await also(tx)
            present = statements.room_of(row)
            before = {"title": present.title, "description": present.description, "settings": present.settings}
            after = self._changed(before, changes(present) if callable(changes) else changes)
            changed = {name: value for name, value in after.items() if value != before[name]}
            if not changed:
                return
            settings = _settings_text(after["settings"])
            new = {"new_title": after["title"], "new_description": after["description"], "new_settings": settings}
            await tx.execute(statements.UPDATE_DETAILS, {"room": room.id, **new})
            await tx.append(room.id, "room_updated", {"room": changed})

        await self._journal.transaction(work, room.id)

    def _changed(self, before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(changes.keys() - before.keys())
        if unknown:
            raise TypeError(f"A room can change {', '.join(before)}; not {', '.join(unknown)}.")
        return {
            "title": self._title(changes.get("title", before["title"])),
            "description": self._description(changes.get("description", before["description"])),
            "settings": {**before["settings"], **changes.get("settings", {})},
        }

    async def close(self, room_id: str, by: str | None = None, also: Also | None = None) -> None:
        """Let nobody new in; members get `room_closed`. Those who are in stay. `also(tx)` comes first, and may refuse."""
        now = self._clock.now()
        data = {"closedAt": iso(now)} | ({"by": by} if by else {})
        await self._set_open(room_id, now, "room_closed", data, also)
        room = await self.find(room_id)
        self._dispatcher.observe("room_closed", room=room)

    async def reopen(self, room_id: str, also: Also | None = None) -> None:
        """Let people in again; members get `room_updated`. `also(tx)` comes first, and may refuse."""
        await self._set_open(room_id, None, "room_updated", {"room": {"isOpen": True, "closedAt": None}}, also)

    async def _set_open(
        self, room_id: str, closed: int | None, event: str, data: Mapping[str, Any], also: Also | None
    ) -> None:
        change = {"room": room_id, "open": int(closed is None), "closed": closed}

        async def work(tx: Transaction) -> None:
            if also is not None:
                await also(tx)
            await tx.execute(statements.UPDATE_OPEN, change)
            await tx.append(room_id, event, data)

        await self._journal.transaction(work, room_id)

    # --- what a new room may be

    def _draft(self, new: NewRoom, now: int) -> Room:
        limits = self._settings
        if new.is_public and not limits.public_rooms:
            raise _invalid("isPublic", "This server has no public rooms ([rooms] public_rooms).")
        duration = new.chat_duration_seconds or (limits.default_duration_seconds if new.ephemeral else None)
        retention = new.retention_seconds or (limits.default_retention_seconds if new.ephemeral else None)
        seats = new.max_participants or limits.default_participants
        if duration is None and not limits.endless:
            raise _invalid("chatDurationSeconds", "On this server every room ends. Say when.")
        if new.retention_seconds and not new.ephemeral:
            raise _invalid("retentionSeconds", "A room that is not ephemeral keeps its messages until it ends.")
        for name, value, most in (
            ("chatDurationSeconds", duration, limits.max_duration_seconds),
            ("retentionSeconds", retention, limits.max_retention_seconds),
            ("maxParticipants", seats, limits.max_participants),
        ):
            if value is not None and value > most:
                raise _invalid(name, f"At most {most} on this server.")
        return Room(
            id=new_id(),
            title=self._title(new.title),
            description=self._description(new.description),
            ephemeral=new.ephemeral,
            is_public=new.is_public,
            is_open=True,
            max_participants=seats,
            seq=0,
            settings=orjson.loads(_settings_text(new.settings)),
            secret=new_token(),
            created_at=now,
            expires_at=now + duration * 1_000 if duration else None,
            retention_seconds=retention,
            closed_at=None,
            ended_at=None,
            end_reason=None,
        )

    def _title(self, text: str) -> str:
        title = one_line(text)
        if not is_visible(title):
            raise _invalid("title", "Give the room a title.")
        if len(title) > self._settings.title_length:
            raise _invalid("title", f"At most {self._settings.title_length} characters.")
        return title

    def _description(self, text: str) -> str:
        if len(text) > self._settings.description_length:
            raise _invalid("description", f"At most {self._settings.description_length} characters.")
        return "\n".join(HIDDEN.sub(" ", line).rstrip() for line in text.splitlines()).strip()


def _invalid(field_name: str, text: str) -> ChatError:
    return ChatError("validation_failed", errors={field_name: [text]})


def _settings_text(settings: Mapping[str, Any]) -> str:
    text = orjson.dumps(settings)
    if len(text) > SETTINGS_BYTES:
        raise _invalid("settings", f"At most {SETTINGS_BYTES} bytes as JSON.")
    return text.decode()


def _room_row(room: Room) -> dict[str, Any]:
    return {
        "id": room.id,
        "title": room.title,
        "description": room.description,
        "ephemeral": int(room.ephemeral),
        "is_public": int(room.is_public),
        "is_open": int(room.is_open),
        "max_participants": room.max_participants,
        "seats": 0,
        "seq": 0,
        "settings": orjson.dumps(room.settings).decode(),
        "secret": room.secret,
        "created_at": room.created_at,
        "expires_at": room.expires_at,
        "warned": 0,
        "retention_seconds": room.retention_seconds,
        "closed_at": None,
        "ended_at": None,
        "end_reason": None,
        "purge_at": None,
    }
