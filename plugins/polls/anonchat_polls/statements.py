"""The statements, built once. Times are milliseconds."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, insert, not_, or_, select, update

from anonchat import insert_or_ignore, one_of, rooms_table, sessions_table
from anonchat_polls.tables import ledger, polls, votes

_OF_POLL = polls.c.id == bindparam("poll")
_IN_ROOM = polls.c.room_id == bindparam("room")
_OPEN = polls.c.closed_at.is_(None)
_OWN = (votes.c.poll_id == bindparam("poll")) & (votes.c.session_id == bindparam("session"))
_OF_POLLS = one_of(votes.c.poll_id, "polls")

# --- polls

INSERT_POLL = insert(polls)
SELECT_POLL = select(polls).where(_OF_POLL, _IN_ROOM)
SELECT_OF_MESSAGES = select(polls).where(one_of(polls.c.message_id, "messages"))
SELECT_OPEN = select(polls).where(_IN_ROOM, _OPEN).order_by(polls.c.message_id).limit(bindparam("limit"))
SELECT_PAGE = (
    select(polls)
    .where(_IN_ROOM, polls.c.message_id < bindparam("before"))
    .order_by(polls.c.message_id.desc())
    .limit(bindparam("limit"))
)
COUNT_OPEN = (
    select(polls.c.room_id, func.count().label("open"))
    .where(one_of(polls.c.room_id, "rooms"), _OPEN)
    .group_by(polls.c.room_id)
)
SELECT_VOTABLE_OF_KIND = (
    select(polls.c.id, polls.c.room_id)
    .where(_OPEN, polls.c.closes_at > bindparam("now"), polls.c.secrecy == bindparam("secrecy"))
    .order_by(polls.c.closes_at)
    .limit(bindparam("limit"))
)
SELECT_STILL_OPEN = select(polls.c.id).where(one_of(polls.c.id, "polls"), _OPEN)

# A change of nothing that locks the row, where a vote may still come: what follows in the transaction is alone with it.
LOCK_VOTABLE = (
    update(polls)
    .where(_OF_POLL, _IN_ROOM, _OPEN, or_(polls.c.closes_at.is_(None), polls.c.closes_at > bindparam("now")))
    .values(version=polls.c.version)
)
RAISE_VERSION = update(polls).where(_OF_POLL).values(version=polls.c.version + 1)

# The session stays to the end of the transaction, also where it would expire at this moment.
LOCK_SESSION = (
    select(sessions_table.c.id)
    .where(sessions_table.c.id == bindparam("session"))
    .with_for_update(read=True, key_share=True)
)

# --- closing and telling

SELECT_DUE = (
    select(polls)
    .where(_OPEN, polls.c.closes_at <= bindparam("now"))
    .order_by(polls.c.closes_at)
    .limit(bindparam("limit"))
)
UPDATE_CLOSED = (
    update(polls)
    .where(_OF_POLL, _OPEN)
    .values(
        closed_at=bindparam("at"), told=polls.c.version, voters=bindparam("counted"), totals=bindparam("counted_totals")
    )
)
# Told not just now, or in a moment in which the clock was ahead.
_UNTOLD = (polls.c.told < polls.c.version) & or_(
    polls.c.told_at <= bindparam("lately"), polls.c.told_at > bindparam("now")
)
SELECT_UNTOLD = select(polls).where(_UNTOLD).order_by(polls.c.told_at).limit(bindparam("limit"))
UPDATE_TOLD = update(polls).where(_OF_POLL, _UNTOLD).values(told=polls.c.version, told_at=bindparam("now"))
# In a room that is over nobody can be told anything.
SETTLE_ROOM = (
    update(polls)
    .where(_IN_ROOM)
    .values(closed_at=func.coalesce(polls.c.closed_at, bindparam("now")), told=polls.c.version)
)
INSERT_VOTERS = insert(ledger)
SELECT_CLOSED_OF_KIND = (
    select(polls.c.id, rooms_table.c.secret)
    .join(rooms_table, rooms_table.c.id == polls.c.room_id)
    .where(_IN_ROOM, not_(_OPEN), polls.c.secrecy == bindparam("secrecy"))
    .order_by(polls.c.id)
    .limit(bindparam("limit"))
)
DELETE_VOTER = delete(ledger).where(ledger.c.room_id == bindparam("room"), one_of(ledger.c.voter, "voters"))
SELECT_VOTER = select(ledger.c.poll_id).where(one_of(ledger.c.poll_id, "polls"), one_of(ledger.c.voter, "voters"))

# --- votes

INSERT_VOTE = insert_or_ignore(votes, votes.c.poll_id, votes.c.session_id, votes.c.slot)
SELECT_OWN = select(votes.c.option).where(_OWN).order_by(votes.c.option)
DELETE_OTHERS = delete(votes).where(_OWN, not_(one_of(votes.c.option, "kept")))
DELETE_SOME = delete(votes).where(_OWN, one_of(votes.c.option, "dropped"))
SELECT_VOTED_OF_KIND = (
    select(polls.c.id)
    .join(votes, votes.c.poll_id == polls.c.id)
    .where(votes.c.session_id == bindparam("session"), polls.c.secrecy == bindparam("secrecy"))
    .distinct()
    .limit(bindparam("limit"))
)
UPDATE_VOTER = update(votes).where(_OWN).values(session_id=bindparam("nobody"))
RAISE_VERSIONS_OF = (
    update(polls)
    .where(polls.c.id.in_(select(votes.c.poll_id).where(votes.c.session_id == bindparam("session"))))
    .values(version=polls.c.version + 1)
)
DELETE_OF_SESSION = delete(votes).where(votes.c.session_id == bindparam("session"))

SELECT_OWN_IN = select(votes.c.poll_id, votes.c.option).where(_OF_POLLS, votes.c.session_id == bindparam("session"))
SELECT_TOTALS = (
    select(votes.c.poll_id, votes.c.option, func.count().label("votes"))
    .where(_OF_POLLS)
    .group_by(votes.c.poll_id, votes.c.option)
)
SELECT_VOTERS = (
    select(votes.c.poll_id, func.count(votes.c.session_id.distinct()).label("voters"))
    .where(_OF_POLLS)
    .group_by(votes.c.poll_id)
)
_numbered = (
    select(
        votes.c.poll_id,
        votes.c.session_id,
        votes.c.username,
        votes.c.option,
        func.dense_rank().over(partition_by=votes.c.poll_id, order_by=votes.c.session_id).label("number"),
    )
    .where(_OF_POLLS)
    .subquery()
)
SELECT_NAMES = (
    select(_numbered.c.poll_id, _numbered.c.session_id, _numbered.c.username, _numbered.c.option)
    .where(_numbered.c.number <= bindparam("most"))
    .order_by(_numbered.c.poll_id, _numbered.c.session_id, _numbered.c.option)
)
SELECT_SESSIONS = (
    select(votes.c.session_id).where(votes.c.poll_id == bindparam("poll")).distinct().limit(bindparam("limit"))
)
