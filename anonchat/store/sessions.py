"""Statements about sessions, their names and their places."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from anonchat.models import Session
from anonchat.storage.roles import Row
from anonchat.store.sql import insert_or_ignore, one_of
from anonchat.store.tables import rooms, sessions, tokens

_OF_SESSION = sessions.c.id == bindparam("session")
_IN_ROOM = sessions.c.room_id == bindparam("room")

INSERT_SESSION = insert_or_ignore(sessions, sessions.c.room_id, sessions.c.name_key).returning(sessions.c.id)
INSERT_TOKEN = insert(tokens)
# One session keeps ten tokens: a device that joins again and again does not pile them up. Besides the one that it gets now
# they are the newest by the clock, which may have been set back since.
_OTHER_TOKENS = and_(tokens.c.session_id == bindparam("session"), tokens.c.token_hash != bindparam("token"))
PRUNE_TOKENS = delete(tokens).where(
    _OTHER_TOKENS,
    tokens.c.token_hash.not_in(
        select(tokens.c.token_hash).where(_OTHER_TOKENS).order_by(tokens.c.created_at.desc()).limit(9)
    ),
)
SELECT_BY_TOKEN = (
    select(sessions, rooms.c.ended_at)
    .join(tokens, tokens.c.session_id == sessions.c.id)
    .join(rooms, rooms.c.id == sessions.c.room_id)
    .where(tokens.c.token_hash == bindparam("token"))
)
SELECT_SESSION = select(sessions).where(_OF_SESSION)
COUNT_PARTICIPANTS = (
    select(func.count())
    .select_from(sessions)
    .where(
        _IN_ROOM,
        sessions.c.name_key.is_not(None),
        sessions.c.seat_until >= bindparam("now"),
        sessions.c.folded.contains(bindparam("search"), escape="/"),
    )
)
SELECT_PRESENT_IDS = select(sessions.c.id).where(one_of(sessions.c.id, "sessions"))
SELECT_ROLES = select(sessions.c.id, sessions.c.role, sessions.c.rank).where(one_of(sessions.c.id, "sessions"))
SELECT_BY_DEVICE = select(sessions).where(
    _IN_ROOM, sessions.c.device_hash == bindparam("device"), sessions.c.name_key == bindparam("name_key")
)
SELECT_OF_DEVICE = (
    select(sessions).where(_IN_ROOM, sessions.c.device_hash == bindparam("device")).limit(bindparam("limit"))
)
SELECT_ANONYMOUS_ID = select(sessions.c.id).where(_IN_ROOM, sessions.c.anonymous_id == bindparam("anonymous_id"))

# A participant's seat is free once its hold is over; a moderator who has been here keeps name and place while the
# session lives, so that nobody can step into a moderator's name.
_LAPSED = and_(
    sessions.c.name_key.is_not(None),
    sessions.c.seat_until < bindparam("now"),
    or_(sessions.c.rank == 0, sessions.c.connected == 0),
)
RELEASE_LAPSED = update(sessions).where(_IN_ROOM, _LAPSED).values(name_key=None)
TAKE_SEATS = (
    update(rooms)
    .where(rooms.c.id == bindparam("room"), rooms.c.seats + bindparam("change") <= rooms.c.max_participants)
    .values(seats=rooms.c.seats + bindparam("change"))
)
FREE_SEATS = update(rooms).where(rooms.c.id == bindparam("room")).values(seats=rooms.c.seats - bindparam("count"))

SELECT_NAME_HOLDER = select(sessions.c.id).where(_IN_ROOM, sessions.c.name_key == bindparam("wanted_key"))
SELECT_NAMED = select(sessions).where(_IN_ROOM, one_of(sessions.c.folded, "names"), sessions.c.name_key.is_not(None))
UPDATE_SEATED = (
    update(sessions)
    .where(_OF_SESSION)
    .values(
        name_key=bindparam("held_key"),
        seat_until=bindparam("until"),
        expires_at=bindparam("expires"),
        connected=1,
    )
)
TOUCH_SESSIONS = (
    update(sessions)
    .where(one_of(sessions.c.id, "sessions"))
    .values(seat_until=bindparam("until"), expires_at=bindparam("expires"), connected=1)
)
UPDATE_HOLD = update(sessions).where(_OF_SESSION).values(seat_until=bindparam("until"), expires_at=bindparam("expires"))
UPDATE_ROLE = update(sessions).where(_OF_SESSION).values(role=bindparam("new_role"), rank=bindparam("new_rank"))
DELETE_SESSION = delete(sessions).where(_OF_SESSION)
DELETE_SESSIONS = delete(sessions).where(one_of(sessions.c.id, "sessions"))
# All of a room, in an order that an index has.
SELECT_SESSIONS_AFTER = (
    select(sessions.c.id, sessions.c.anonymous_id, sessions.c.name_key, sessions.c.seat_until)
    .where(_IN_ROOM, sessions.c.anonymous_id > bindparam("after"))
    .order_by(sessions.c.anonymous_id)
    .limit(bindparam("limit"))
)
_EXPIRED = sessions.c.expires_at < bindparam("now")
SELECT_EXPIRED = (
    select(sessions.c.id, sessions.c.room_id, sessions.c.expires_at)
    .where(_EXPIRED)
    .order_by(sessions.c.expires_at)
    .limit(bindparam("limit"))
)
# Locked as they are by now: whoever comes back meanwhile is either not among them, or comes too late.
LOCK_EXPIRED = select(sessions).where(one_of(sessions.c.id, "sessions"), _EXPIRED).with_for_update()

SELECT_PARTICIPANTS = (
    select(sessions)
    .where(
        _IN_ROOM,
        sessions.c.name_key.is_not(None),
        sessions.c.seat_until >= bindparam("now"),
        sessions.c.folded.contains(bindparam("search"), escape="/"),
        or_(
            sessions.c.created_at > bindparam("after"),
            and_(sessions.c.created_at == bindparam("after"), sessions.c.id > bindparam("after_id")),
        ),
    )
    .order_by(sessions.c.created_at, sessions.c.id)
    .limit(bindparam("limit"))
)


def session_of(row: Row) -> Session:
    """A `Session` of its row."""
    return Session(
        id=row["id"],
        room_id=row["room_id"],
        username=row["username"],
        name_key=row["name_key"],
        anonymous_id=row["anonymous_id"],
        role=row["role"],
        rank=row["rank"],
        avatar=row["avatar"],
        created_at=row["created_at"],
        seat_until=row["seat_until"],
        expires_at=row["expires_at"],
        device_hash=row["device_hash"],
        fingerprint_hash=row["fingerprint_hash"],
    )
