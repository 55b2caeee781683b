"""The plugin's statements, built once.

Who writes a row for a session locks that session's row, so that it cannot go before its key is checked: else a message
would be refused because one of those that it mentions was leaving.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.dml import ReturningInsert

from anonchat import insert_or_ignore, messages_table, one_of, rooms_table, sessions_table, upsert
from anonchat_notifications.tables import entries, muted, reads, unwanted

LAST = "g"  # above every id: they are hexadecimal


def _text(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name), Text)


def _number(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name), BigInteger)


ME: ColumnElement[Any] = bindparam("me")
ROOM: ColumnElement[Any] = bindparam("room")

# --- writing: a row is bound under the names of its columns

_RECIPIENT = and_(sessions_table.c.id == _text("session_id"), sessions_table.c.room_id == _text("room_id"))
_MUTED = select(muted.c.session_id).where(
    muted.c.session_id == _text("actor_id"), muted.c.until > _number("created_at")
)


def _unwanted_by(session: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a session does not want to hear of such a thing, or of whose doing it is."""
    what = or_(*(unwanted.c.what == _text(name) for name in ("type", "actor_id")))
    return select(unwanted.c.what).where(unwanted.c.session_id == session, what).exists()


_COLUMNS = (
    "id", "room_id", "session_id", "type", "message_id", "actor_id", "act", "until", "voters", "created_at",
)  # fmt: skip


def _values(recipient: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """What is stored, in the order of `_COLUMNS`."""
    return (
        _text("id"), _text("room_id"), recipient, *(_text(name) for name in ("type", "message_id", "actor_id", "act")),
        _number("until"), cast(bindparam("voters"), Integer), _number("created_at"),
    )  # fmt: skip


_another = entries.alias()
_KNOWN = select(_another.c.id).where(
    _another.c.session_id == _text("session_id"), _another.c.message_id == _text("message_id")
)

# One message is told once to one person: the first reason that is wanted counts.
INSERT_PERSONAL = insert_or_ignore(entries).from_select(
    _COLUMNS,
    select(*_values(sessions_table.c.id))
    .where(_RECIPIENT, ~_unwanted_by(sessions_table.c.id), ~_MUTED.exists(), ~_KNOWN.exists())
    .with_for_update(read=True, key_share=True, of=sessions_table),
)
INSERT_SHARED = insert_or_ignore(entries).from_select(
    _COLUMNS, select(*_values(cast(null(), Text))).where(~_MUTED.exists())
)
# Which of many were inserted, where conditions and keys may have kept some out.
SELECT_WRITTEN = select(entries.c.id).where(one_of(entries.c.id, "entries"))
# Whom a new entry for everybody concerns, as `_SHARED` has it when it is read.
SELECT_MEANT = (
    select(sessions_table.c.id)
    .where(
        sessions_table.c.room_id == bindparam("room_id"),
        sessions_table.c.created_at <= bindparam("created_at"),
        or_(_text("actor_id").is_(None), sessions_table.c.id != _text("actor_id")),
        ~_unwanted_by(sessions_table.c.id),
    )
    .limit(bindparam("limit"))
)


def _upsert_votes() -> ReturningInsert[Any]:
    """One row a poll. While it is unread its number grows; once it was read it is a new one. A smaller number is no news.

    Answers the row, if there is news.
    """
    source = (
        select(*_values(sessions_table.c.id))
        .where(
            _RECIPIENT,
            ~_unwanted_by(sessions_table.c.id),
            messages_table.c.id == _text("message_id"),
            messages_table.c.deleted_at.is_(None),
        )
        .with_for_update(read=True, key_share=True)
    )
    statement = insert(entries).from_select(_COLUMNS, source)
    new, unread = statement.excluded, entries.c.read_at.is_(None)
    return statement.on_conflict_do_update(
        index_elements=[entries.c.session_id, entries.c.message_id, entries.c.type],
        set_={
            "id": case((unread, entries.c.id), else_=new.id),
            "created_at": case((unread, entries.c.created_at), else_=new.created_at),
            "voters": new.voters,
            "read_at": null(),
        },
        where=new.voters > entries.c.voters,
    ).returning(entries)


UPSERT_VOTES = _upsert_votes()
SELECT_NAMES = (
    select(sessions_table.c.id, sessions_table.c.username, sessions_table.c.folded)
    .where(sessions_table.c.room_id == ROOM, sessions_table.c.name_key.is_not(None))
    .limit(bindparam("limit"))
)
SELECT_AUTHORS = select(messages_table.c.id, messages_table.c.session_id).where(one_of(messages_table.c.id, "messages"))


def _newest(*of: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.max(entries.c.id)).where(*of).scalar_subquery()


SELECT_NEWEST = select(
    rooms_table.c.seq,
    _newest(entries.c.session_id == bindparam("session_id")).label("own"),
    _newest(entries.c.room_id == ROOM, entries.c.session_id.is_(None)).label("shared"),
).where(rooms_table.c.id == ROOM)


def _beyond(of: Any, named: str) -> Select[Any]:
    """The newest of the entries that are too old to be kept."""
    older = entries.alias()
    return select(older.c.id).where(of(older)).order_by(older.c.id.desc()).limit(1).offset(bindparam(named))


_TOO_OLD = _beyond(lambda table: table.c.session_id == bindparam("session_id"), "most")
TRIM_PERSONAL = delete(entries).where(
    entries.c.session_id == bindparam("session_id"), entries.c.id <= _TOO_OLD.scalar_subquery()
)
_TOO_OLD_SHARED = _beyond(lambda table: and_(table.c.room_id == ROOM, table.c.session_id.is_(None)), "most")
TRIM_SHARED = delete(entries).where(
    entries.c.room_id == ROOM, entries.c.session_id.is_(None), entries.c.id <= _TOO_OLD_SHARED.scalar_subquery()
)
UPSERT_MUTED = upsert(muted, [muted.c.session_id], ["until"]).from_select(
    ["session_id", "room_id", "until"],
    select(sessions_table.c.id, sessions_table.c.room_id, _number("until"))
    .where(_RECIPIENT)
    .with_for_update(read=True, key_share=True, of=sessions_table),
)
DELETE_MUTED = delete(muted).where(muted.c.session_id == bindparam("session"))
DELETE_IGNORED = delete(unwanted).where(unwanted.c.room_id == ROOM, unwanted.c.what == bindparam("session"))

# --- reading

_MINE_WANTED = (
    ~select(unwanted.c.what)
    .where(
        unwanted.c.session_id == ME, or_(unwanted.c.what == entries.c.type, unwanted.c.what == entries.c.actor_id)
    )
    .correlate(entries)
    .exists()
)  # fmt: skip
_PERSONAL = and_(entries.c.session_id == ME, _MINE_WANTED)
# What is for everybody is not for who did it, nor for who came later.
_SHARED = and_(
    entries.c.room_id == ROOM,
    entries.c.session_id.is_(None),
    entries.c.created_at >= bindparam("joined"),
    or_(entries.c.actor_id.is_(None), entries.c.actor_id != ME),
    _MINE_WANTED,
)
_READ_BY_ME = and_(reads.c.entry_id == entries.c.id, reads.c.session_id == ME)
_WITH_READS = entries.outerjoin(reads, _READ_BY_ME)
_ALSO_READ = cast(bindparam("also_read"), Integer) == 1


def _page(statement: Select[Any]) -> Select[Any]:
    return statement.where(entries.c.id < bindparam("before")).order_by(entries.c.id.desc()).limit(bindparam("limit"))


SELECT_PERSONAL = _page(
    select(entries, entries.c.read_at.is_not(None).label("is_read")).where(
        _PERSONAL, or_(_ALSO_READ, entries.c.read_at.is_(None))
    )
)
SELECT_SHARED = _page(
    select(entries, reads.c.entry_id.is_not(None).label("is_read"))
    .select_from(_WITH_READS)
    .where(_SHARED, or_(_ALSO_READ, reads.c.entry_id.is_(None)))
)
_UNREAD_PERSONAL = select(func.count()).select_from(entries).where(_PERSONAL, entries.c.read_at.is_(None))
_UNREAD_SHARED = select(func.count()).select_from(_WITH_READS).where(_SHARED, reads.c.entry_id.is_(None))
COUNT_UNREAD = select((_UNREAD_PERSONAL.scalar_subquery() + _UNREAD_SHARED.scalar_subquery()).label("unread"))

_OF_MINE = or_(entries.c.session_id == ME, and_(entries.c.session_id.is_(None), entries.c.room_id == ROOM))
_OF_ENTRY = entries.c.id == bindparam("entry")
SELECT_MINE = select(entries.c.session_id).where(_OF_ENTRY, _OF_MINE)
_MARK = update(entries).where(entries.c.session_id == ME, entries.c.read_at.is_(None)).values(read_at=bindparam("now"))
MARK_PERSONAL, MARK_ALL_PERSONAL = _MARK.where(_OF_ENTRY), _MARK


def _mark_shared(*which: ColumnElement[bool]) -> Insert:
    source = (
        select(sessions_table.c.id, entries.c.id)
        .where(sessions_table.c.id == ME, entries.c.room_id == ROOM, entries.c.session_id.is_(None), *which)
        .with_for_update(read=True, key_share=True)
    )
    return insert_or_ignore(reads).from_select(["session_id", "entry_id"], source)


MARK_SHARED, MARK_ALL_SHARED = _mark_shared(_OF_ENTRY), _mark_shared()

# --- preferences

SELECT_UNWANTED = select(unwanted.c.what).where(unwanted.c.session_id == ME).order_by(unwanted.c.what)
SELECT_PRESENT = select(sessions_table.c.id).where(
    sessions_table.c.room_id == ROOM, one_of(sessions_table.c.id, "sessions")
)
INSERT_UNWANTED = insert_or_ignore(unwanted)
DELETE_UNWANTED = delete(unwanted).where(unwanted.c.session_id == ME)
