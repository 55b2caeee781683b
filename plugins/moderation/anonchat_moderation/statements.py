"""The statements of acts on people, built once. Every read and every deletion in lots has a limit."""

from __future__ import annotations

from collections.abc import Callable
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
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from anonchat import (
    RANK_MODERATOR,
    RANK_OWNER,
    RANK_PARTICIPANT,
    insert_or_ignore,
    messages_table,
    one_of,
    sessions_table,
)
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
SELECT_SESSIONS = (
    select(sessions_table.c.id)
    .where(sessions_table.c.room_id == bindparam("room"), sessions_table.c.id > bindparam("after"))
    .order_by(sessions_table.c.id)
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


def _put_mute(unless: Callable[[Any, ColumnElement[bool]], ColumnElement[bool]]) -> Insert:
    """A new one, or a change of the one there is, unless ``unless(new, runs)`` says no.

    While that runs it goes on: it began when it began, so that who has joined since stays muted, and it was decided by
    the highest of all who decided on it.
    """
    statement = insert_or_update(mutes)
    new = statement.excluded
    runs = mutes.c.until > new.at
    changed = {name: new[name] for name in ("device", "fingerprint", "network", "reason", "until")}
    is_above = and_(runs, mutes.c.by_rank > new.by_rank)
    return statement.on_conflict_do_update(
        index_elements=[mutes.c.room_id, mutes.c.session_id],
        set_=changed
        | {
            "at": case((runs, mutes.c.at), else_=new.at),
            "by_rank": case((is_above, mutes.c.by_rank), else_=new.by_rank),
        },
        where=not_(unless(new, runs)),
    )


PUT_MUTE = _put_mute(lambda new, runs: and_(runs, mutes.c.by_rank > new.by_rank))
# What a rule decides never ends what a moderator has decided for longer.
LENGTHEN_MUTE = _put_mute(lambda new, _: mutes.c.until >= new.until)
SELECT_MUTES = select(mutes).where(one_of(mutes.c.room_id, "rooms"), _muted).limit(bindparam("limit"))
COUNT_OTHER_MUTES = count(mutes, _muted, mutes.c.session_id != bindparam("session"))
DELETE_MUTE = (
    delete(mutes)
    .where(
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
    .returning(mutes.c.by_rank)
)
DELETE_EXPIRED_MUTES = expired(mutes, mutes.c.until)

# --- reports

_open = reports.c.resolved_at.is_(None)
_reported = reports.join(messages_table, messages_table.c.id == reports.c.message_id).outerjoin(
    sessions_table, sessions_table.c.id == messages_table.c.session_id
)
# Of somebody who has left, as it was when they wrote.
_author_rank = func.coalesce(
    sessions_table.c.rank, case((messages_table.c.role == "moderator", RANK_MODERATOR), else_=RANK_PARTICIPANT)
)
_rank = bindparam("rank", type_=Integer)
# For those above the author, and of what an owner wrote for the other owners.
_for_viewer = and_(messages_table.c.session_id != bindparam("viewer"), or_(_author_rank < _rank, _rank == RANK_OWNER))
INSERT_REPORT = insert_or_ignore(reports, reports.c.message_id, reports.c.reporter)
SELECT_REPORTS = page(reports, _open, _for_viewer).select_from(_reported)
SELECT_REPORT = position(reports)
COUNT_REPORTS = count(reports, _open)
COUNT_BY_AUTHOR = (
    select(messages_table.c.session_id, _author_rank.label("rank"), func.count().label("count"))
    .select_from(_reported)
    .where(reports.c.room_id == bindparam("room"), _open)
    .group_by(messages_table.c.session_id, _author_rank)
)
SELECT_RANKED = (
    select(messages_table.c.session_id, _author_rank.label("rank"))
    .select_from(messages_table.outerjoin(sessions_table, sessions_table.c.id == messages_table.c.session_id))
    .where(messages_table.c.id == bindparam("message"))
)
SELECT_MODERATORS = (
    select(sessions_table.c.id, sessions_table.c.rank)
    .where(sessions_table.c.room_id == bindparam("room"), sessions_table.c.rank >= RANK_MODERATOR)
    .limit(bindparam("limit"))
)
SELECT_OPEN_REPORT = (
    select(reports.c.message_id, messages_table.c.session_id, messages_table.c.username)
    .select_from(_reported)
    .where(reports.c.room_id == bindparam("room"), reports.c.id == bindparam("report"), _open, _for_viewer)
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
    .where(log.c.pending.is_not(None), or_(log.c.at <= bindparam("before"), log.c.at > bindparam("ahead")))
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
