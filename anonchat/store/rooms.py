"""Statements about rooms and invites."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql import ClauseElement

from anonchat.ids import new_id, token_hash
from anonchat.models import Invite, Room
from anonchat.storage.roles import Row
from anonchat.store.events import REMOVED
from anonchat.store.sql import insert_or_ignore, one_of, upsert
from anonchat.store.tables import ended_rooms, events, invites, messages, receipts, rooms, sessions, unpurged

NEVER = 2**62  # above every time and seq
_OF_ROOM = rooms.c.id == bindparam("room")
_AFTER = rooms.c.id > bindparam("after")

INSERT_ROOM = insert(rooms)
SELECT_ROOM = select(rooms).where(_OF_ROOM)
LOCK_ROOM = select(rooms).where(_OF_ROOM).with_for_update()
LOCK_ROOMS = select(rooms.c.id).where(one_of(rooms.c.id, "rooms")).order_by(rooms.c.id).with_for_update()
LOCK_FREE_ROOMS = LOCK_ROOMS.with_for_update(skip_locked=True)
SELECT_ENDED = select(ended_rooms).where(ended_rooms.c.id == bindparam("room"))
UPDATE_DELETED = update(ended_rooms).where(ended_rooms.c.id == bindparam("room")).values(deleted=bindparam("counts"))
SELECT_ENDED_AFTER = (
    select(ended_rooms.c.id, ended_rooms.c.ended_at)
    .where(ended_rooms.c.id > bindparam("after"))
    .order_by(ended_rooms.c.id)
    .limit(bindparam("limit"))
)
DELETE_ENDED = delete(ended_rooms).where(one_of(ended_rooms.c.id, "rooms"))
INSERT_ENDED = insert_or_ignore(ended_rooms, ended_rooms.c.id)

SEATED = and_(sessions.c.name_key.is_not(None), sessions.c.seat_until >= bindparam("now"))
# All who hold a place but those whose hold is over, for these are few, and it is asked at each identify.
_OVER = (
    select(func.count())
    .select_from(sessions)
    .where(
        sessions.c.room_id == bindparam("room"),
        sessions.c.name_key.is_not(None),
        sessions.c.seat_until < bindparam("now"),
    )
)
COUNT_SEATED = select(rooms.c.seats - _OVER.scalar_subquery()).where(_OF_ROOM)
COUNT_SEATED_IN = (
    select(sessions.c.room_id, func.count().label("seated"))
    .where(one_of(sessions.c.room_id, "rooms"), SEATED)
    .group_by(sessions.c.room_id)
)
SELECT_LIVING = (
    select(rooms)
    .where(
        rooms.c.ended_at.is_(None),
        tuple_(rooms.c.created_at, rooms.c.id) < tuple_(bindparam("before"), bindparam("before_id")),
    )
    .order_by(rooms.c.created_at.desc(), rooms.c.id.desc())
    .limit(bindparam("limit"))
)
SELECT_LIVING_AT = (
    select(rooms)
    .where(rooms.c.ended_at.is_(None), rooms.c.created_at <= bindparam("before"))
    .order_by(rooms.c.created_at.desc(), rooms.c.id.desc())
    .offset(bindparam("skipped"))
    .limit(bindparam("limit"))
)
SELECT_PUBLIC = SELECT_LIVING.where(rooms.c.is_public == 1)
COUNT_LIVING = select(func.count()).select_from(rooms).where(rooms.c.ended_at.is_(None))
COUNT_MESSAGES_IN = (
    select(messages.c.room_id, func.count().label("messages"))
    .where(one_of(messages.c.room_id, "rooms"), messages.c.seq.is_not(None), messages.c.deleted_at.is_(None))
    .group_by(messages.c.room_id)
)

UPDATE_DETAILS = (
    update(rooms)
    .where(_OF_ROOM)
    .values(title=bindparam("new_title"), description=bindparam("new_description"), settings=bindparam("new_settings"))
)
UPDATE_OPEN = update(rooms).where(_OF_ROOM).values(is_open=bindparam("open"), closed_at=bindparam("closed"))
UPDATE_ENDED = (
    update(rooms)
    .where(_OF_ROOM, rooms.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"), end_reason=bindparam("reason"), purge_at=bindparam("purge"), is_open=0)
)
UPDATE_PURGE_AT = update(rooms).where(_OF_ROOM).values(purge_at=bindparam("purge"))
UPDATE_WARNED = update(rooms).where(_OF_ROOM).values(warned=bindparam("stage"))
# A room is warned 10 minutes and 1 minute before its end, unless that is in its first half; a very short one when a
# tenth of its life is left.
WARNINGS_MILLISECONDS = (600_000, 60_000)


def _stage_of_warning() -> ColumnElement[int]:
    """How many warnings a room should have got by now."""
    left = rooms.c.expires_at - bindparam("now")
    whole = rooms.c.expires_at - rooms.c.created_at
    reached = [and_(whole > 2 * warning, left <= warning) for warning in WARNINGS_MILLISECONDS]
    reached.append(and_(whole <= 2 * min(WARNINGS_MILLISECONDS), left * 10 <= whole))
    stages: list[ColumnElement[int]] = [case((one, 1), else_=0) for one in reached]
    return reduce(add, stages)


_STAGE = _stage_of_warning()
# Those whose time has come, and those that are to be warned; not all that wait for their end.
SELECT_EXPIRING = (
    select(rooms.c.id, rooms.c.expires_at, _STAGE.label("stage"))
    .where(
        rooms.c.ended_at.is_(None),
        rooms.c.expires_at <= bindparam("horizon"),
        or_(rooms.c.expires_at <= bindparam("now"), rooms.c.warned < _STAGE),
    )
    .order_by(rooms.c.expires_at)
    .limit(bindparam("limit"))
)
# Their time has come, or is so late that the clock was ahead when they ended.
SELECT_PURGEABLE = (
    select(rooms.c.id, rooms.c.ended_at, rooms.c.end_reason, rooms.c.purge_at)
    .where(
        rooms.c.ended_at.is_not(None),
        or_(rooms.c.purge_at <= bindparam("now"), rooms.c.purge_at > bindparam("latest")),
        _AFTER,
    )
    .order_by(rooms.c.id)
    .limit(bindparam("limit"))
)
_CUTOFF: ColumnElement[int] = bindparam("now") - rooms.c.retention_seconds * 1_000


def _of_first(column: str, table: Table, *but: ColumnElement[bool]) -> ColumnElement[int]:
    """A column of the first row of the room in its order: one look at the index, however many rows there are."""
    of_room = select(table.c[column]).where(table.c.room_id == rooms.c.id, table.c.seq.is_not(None), *but)
    return of_room.order_by(table.c.seq).limit(1).scalar_subquery()


_first_made = _of_first("created_at", messages)
_not_removed = events.c.event != REMOVED


# Rooms that hold something older than they promise to keep; also those that have ended and wait to be purged.
SELECT_RETAINING = (
    select(rooms.c.id, rooms.c.retention_seconds)
    .where(
        rooms.c.retention_seconds.is_not(None),
        _AFTER,
        or_(
            _first_made < _CUTOFF,
            # The first was made in a moment in which the clock was ahead, and what comes after it is old.
            and_(
                _first_made > bindparam("now"),
                exists().where(messages.c.room_id == rooms.c.id, messages.c.created_at < _CUTOFF),
            ),
            # What stands behind a message that stays, stays: it only looks old, as its clock was behind.
            and_(
                _of_first("created_at", events, _not_removed) < _CUTOFF,
                _of_first("seq", events, _not_removed) < func.coalesce(_of_first("seq", messages), NEVER),
            ),
            exists().where(messages.c.room_id == rooms.c.id, messages.c.seq.is_(None), messages.c.created_at < _CUTOFF),
        ),
    )
    .order_by(rooms.c.id)
    .limit(bindparam("limit"))
)
DELETE_ROOM = delete(rooms).where(_OF_ROOM)
UPSERT_UNPURGED = upsert(unpurged, [unpurged.c.room_id, unpurged.c.plugin], ["attempt_at"])
SELECT_UNPURGED = (
    select(unpurged)
    .where(or_(unpurged.c.attempt_at <= bindparam("now"), unpurged.c.attempt_at > bindparam("latest")))
    .order_by(unpurged.c.attempt_at)
    .limit(bindparam("limit"))
)
SELECT_UNPURGED_OF = (
    select(unpurged.c.plugin).where(unpurged.c.room_id == bindparam("room")).order_by(unpurged.c.plugin)
)
DELETE_UNPURGED = delete(unpurged).where(
    unpurged.c.room_id == bindparam("room"), unpurged.c.plugin == bindparam("by_plugin")
)
# What the deletion of a room's row takes with it, by the category that people are told.
CATEGORIES = {
    "messages": select(func.count()).select_from(messages).where(messages.c.room_id == bindparam("room")),
    "events": select(func.count()).select_from(events).where(events.c.room_id == bindparam("room")),
    "participants": select(func.count()).select_from(sessions).where(sessions.c.room_id == bindparam("room")),
    "invites": select(func.count()).select_from(invites).where(invites.c.room_id == bindparam("room")),
    "receipts": select(func.count())
    .select_from(receipts.join(sessions, receipts.c.session_id == sessions.c.id))
    .where(sessions.c.room_id == bindparam("room")),
}


def count_of_room(table: Table) -> ClauseElement:
    """How many rows of a plugin's table belong to a room."""
    return select(func.count()).select_from(table).where(table.c.room_id == bindparam("room"))


_VALID = and_(
    invites.c.room_id == bindparam("room"),
    invites.c.token_hash == bindparam("token"),
    invites.c.revoked_at.is_(None),
    or_(invites.c.expires_at.is_(None), invites.c.expires_at > bindparam("now")),
)
_USABLE = and_(_VALID, or_(invites.c.max_uses.is_(None), invites.c.uses < invites.c.max_uses))
INSERT_INVITE = insert(invites)
SELECT_VALID_INVITE = select(invites).where(_VALID)  # also one that is used up
USE_INVITE = update(invites).where(_USABLE).values(uses=invites.c.uses + 1)
SELECT_INVITES = (
    select(invites).where(invites.c.room_id == bindparam("room")).order_by(invites.c.created_at, invites.c.id)
)
COUNT_INVITES = select(func.count()).select_from(invites).where(invites.c.room_id == bindparam("room"))
REVOKE_INVITE = (
    update(invites)
    .where(invites.c.room_id == bindparam("room"), invites.c.id == bindparam("invite"), invites.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)
DELETE_INVITES = delete(invites).where(invites.c.room_id == bindparam("room"), invites.c.rank == bindparam("with_rank"))
SELECT_INVITE = select(invites).where(invites.c.room_id == bindparam("room"), invites.c.id == bindparam("invite"))


def room_of(row: Row) -> Room:
    """A `Room` of its row."""
    return Room(
        id=row["id"],
        title=row["title"],
        description=row["description"],
        ephemeral=bool(row["ephemeral"]),
        is_public=bool(row["is_public"]),
        is_open=bool(row["is_open"]),
        max_participants=row["max_participants"],
        seq=row["seq"],
        settings=orjson.loads(row["settings"]),
        secret=row["secret"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        retention_seconds=row["retention_seconds"],
        closed_at=row["closed_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
    )


def invite_row(room_id: str, token: str, role: str, rank: int, now: int) -> dict[str, Any]:
    """The parameters of a new invite's row, without end and without a bound of uses."""
    return {
        "id": new_id(),
        "room_id": room_id,
        "token_hash": token_hash(token),
        "role": role,
        "rank": rank,
        "created_at": now,
        "expires_at": None,
        "max_uses": None,
        "uses": 0,
        "revoked_at": None,
    }


def invite_of(row: Row) -> Invite:
    """An `Invite` of its row."""
    return Invite(
        id=row["id"],
        room_id=row["room_id"],
        role=row["role"],
        rank=row["rank"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        max_uses=row["max_uses"],
        uses=row["uses"],
        revoked_at=row["revoked_at"],
    )
