"""The statements of acts on people, built once. Every read and every deletion in lots has a limit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Delete,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from anonchat import RANK_OWNER, insert_or_ignore, messages_table, one_of, sessions_table, upsert
from anonchat_moderation.tables import bans, log, mutes, reports

# --- people: ranks are compared in the transaction of the act

SELECT_RANKS = (
    select(sessions_table.c.id, sessions_table.c.rank)
    .where(
        sessions_table.c.room_id == bindparam("room"),
        or_(sessions_table.c.id == bindparam("by"), sessions_table.c.id == bindparam("target")),
    )
    .order_by(sessions_table.c.id)
    .with_for_update()
)
SELECT_OWNERS = (
    select(sessions_table.c.id)
    .where(
        sessions_table.c.room_id == bindparam("room"),
        sessions_table.c.rank == RANK_OWNER,
        sessions_table.c.id != bindparam("by"),
    )
    .limit(bindparam("limit"))
)
# Who wrote under a session that is over, as a moderator if they ever did.
SELECT_AUTHOR = (
    select(messages_table.c.username, messages_table.c.role)
    .where(messages_table.c.room_id == bindparam("room"), messages_table.c.session_id == bindparam("session"))
    .order_by(case((messages_table.c.role == "moderator", 0), else_=1))
    .limit(1)
)


# --- what several tables have in common


def expired(table: Table, column: Column[Any]) -> Delete:
    """Delete the rows whose `column` lies before ``:now``, at most ``:limit`` of them."""
    due = select(table.c.id).where(column < bindparam("now")).limit(bindparam("limit"))
    return delete(table).where(table.c.id.in_(due))


def page(table: Table, *conditions: Any, order: Column[Any] | None = None) -> Select[Any]:
    """The rows of a room from before (``:at``, ``:id``), newest first by `order` (`at`), at most ``:limit`` of them."""
    at, row_id = table.c.at if order is None else order, table.c.id
    before = or_(at < bindparam("at"), and_(at == bindparam("at"), row_id < bindparam("id")))
    mine = table.c.room_id == bindparam("room")
    return select(table).where(mine, before, *conditions).order_by(at.desc(), row_id.desc()).limit(bindparam("limit"))


def position(table: Table, order: Column[Any] | None = None) -> Select[Any]:
    """Where the row ``:before`` of a room stands in its list, which has that `order`; named `at` and `id`."""
    mine = table.c.room_id == bindparam("room")
    return select((table.c.at if order is None else order).label("at"), table.c.id).where(
        mine, table.c.id == bindparam("before")
    )


def count(table: Table, *conditions: Any) -> Select[Any]:
    """How many rows a room has."""
    return select(func.count().label("count")).where(table.c.room_id == bindparam("room"), *conditions)


# --- who is kept out

_now = bindparam("now", type_=BigInteger)
_live = bans.c.until > _now
INSERT_BAN = insert(bans)
# Of what a person could be known by, all that is given; the longest first.
_marks = or_(
    bans.c.session_id == bindparam("session"),
    bans.c.device == bindparam("device"),
    bans.c.fingerprint == bindparam("fingerprint"),
    and_(bans.c.network == bindparam("network"), bans.c.at < bindparam("since", type_=BigInteger)),
)
SELECT_MATCHING = (
    select(bans.c.kind, bans.c.reason, bans.c.until, bans.c.session_id, bans.c.device, bans.c.fingerprint)
    .where(bans.c.room_id == bindparam("room"), _live, bans.c.by_rank > bindparam("rank", type_=Integer), _marks)
    .order_by(bans.c.until.desc())
    .limit(1)
)
SELECT_BANS = page(bans, _live)
SELECT_BAN = position(bans)
COUNT_BANS = count(bans, _live)
DELETE_BAN = (
    delete(bans)
    .where(bans.c.room_id == bindparam("room"), bans.c.id == bindparam("ban"), _live)
    .returning(bans.c.session_id, bans.c.username, bans.c.by_rank)
)
SELECT_BANNED_ROOMS = select(bans.c.room_id).where(one_of(bans.c.room_id, "rooms"), _live).distinct()
DELETE_EXPIRED_BANS = expired(bans, bans.c.until)

# --- who is muted

_muted = mutes.c.until > _now
UPSERT_MUTE = upsert(
    mutes, [mutes.c.room_id, mutes.c.session_id], ["device", "fingerprint", "network", "reason", "at", "until"]
)
SELECT_MUTES = select(mutes).where(one_of(mutes.c.room_id, "rooms"), _muted).limit(bindparam("limit"))
COUNT_MUTES = count(mutes, _muted)
DELETE_MUTE = delete(mutes).where(
    mutes.c.room_id == bindparam("room"),
    or_(
        mutes.c.session_id == bindparam("session"),
        mutes.c.device == bindparam("device"),
        and_(
            mutes.c.at < bindparam("since", type_=BigInteger),
            or_(mutes.c.fingerprint == bindparam("fingerprint"), mutes.c.network == bindparam("network")),
        ),
    ),
    _muted,
)
DELETE_EXPIRED_MUTES = expired(mutes, mutes.c.until)

# --- reports

_open = reports.c.resolved_at.is_(None)
INSERT_REPORT = insert_or_ignore(reports, reports.c.message_id, reports.c.reporter)
SELECT_REPORTS = page(reports, _open)
SELECT_REPORT = position(reports)
COUNT_REPORTS = count(reports, _open)
SELECT_OPEN_REPORT = select(reports.c.message_id).where(
    reports.c.room_id == bindparam("room"), reports.c.id == bindparam("report"), _open
)
RESOLVE_REPORTS = (
    update(reports)
    .where(reports.c.message_id == bindparam("message"), _open)
    .values(resolved_at=bindparam("resolved", type_=BigInteger))
)
FORGET_REPORTS = delete(reports).where(
    reports.c.room_id == bindparam("room"), reports.c.session_id == bindparam("session")
)

# --- the log

_in_room = log.c.room_id == bindparam("room")
SELECT_LAST = select(func.coalesce(func.max(log.c.number), 0).label("number")).where(_in_room)
INSERT_ENTRY = insert(log)
_same_target = log.c.target_session == bindparam("target")
GATHER = (
    update(log)
    .where(_in_room, log.c.pending == bindparam("key"))
    .values(
        count=log.c.count + bindparam("more", type_=Integer),
        target_session=case((_same_target, log.c.target_session), else_=None),
        target_name=case((_same_target, log.c.target_name), else_=None),
        until=case((_same_target, log.c.until), else_=None),
    )
)


def trim(whose: ColumnElement[bool]) -> Delete:
    """Delete all but the newest ``:most`` entries of `whose` in a room, at most ``:limit`` of them."""
    kept = select(log.c.id).where(_in_room, whose).order_by(log.c.number.desc())
    return delete(log).where(log.c.id.in_(kept.limit(bindparam("limit")).offset(bindparam("most"))))


TRIM_PEOPLE = trim(log.c.by_session.is_not(None))
TRIM_RULES = trim(log.c.by_session.is_(None))
SELECT_GATHERED = (
    select(log.c.id, log.c.room_id)
    .where(log.c.pending.is_not(None), log.c.at <= bindparam("before"))
    .limit(bindparam("limit"))
)
CLOSE_ENTRY = (
    update(log).where(log.c.id == bindparam("entry"), log.c.pending.is_not(None)).values(pending=None).returning(log)
)
SELECT_LOG = page(log, order=log.c.number)
SELECT_ENTRY = position(log, log.c.number)
FORGET_TARGET = update(log).where(_in_room, log.c.target_session == bindparam("session")).values(target_name=None)
FORGET_ACTOR = update(log).where(_in_room, log.c.by_session == bindparam("session")).values(by_name=None)
DELETE_OLD_ENTRIES = expired(log, log.c.at)
