"""The plugin's tables and their statements, built once: sums of the server, and sums of a room, which die with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert, insert  # SQLite has the same upsert and compiles this one
from sqlalchemy.sql import ClauseElement

from anonchat import messages_table, rooms_table

metadata = MetaData()


def _columns() -> tuple[Column[Any], ...]:
    """ "hour" or "day"; when that began, in milliseconds; what was counted; how much."""
    return (
        Column("step", Text, primary_key=True),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("metric", Text, primary_key=True),
        Column("value", BigInteger, nullable=False),
    )


server_sums = Table("analytics_server_sums", metadata, *_columns())
room_sums = Table(
    "analytics_room_sums",
    metadata,
    Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    *_columns(),
    Index("analytics_room_sums_age", "step", "start"),
)

# Plugins hear how many have voted in a poll so far, and again after each vote: this tells what of it is counted already.
polls = Table(
    "analytics_polls",
    metadata,
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("voters", BigInteger, nullable=False),
    Column("before", BigInteger, nullable=False),
)

# How many lots of each node are in the sums, and of which hour the last was: one whose commit was not answered is not
# added once more.
flushes = Table(
    "analytics_flushes",
    metadata,
    Column("node", Text, primary_key=True),
    Column("lots", BigInteger, nullable=False),
    Column("hour", BigInteger, nullable=False),
)

# --- writing: each row is one addition, so that several nodes may write at once


def _insert_of_room() -> Insert:
    """An insert that does nothing where the room is gone by now."""
    values = [bindparam(found.name, type_=found.type) for found in room_sums.c if found.name != "room_id"]
    present = select(rooms_table.c.id, *values).where(rooms_table.c.id == bindparam("room_id", type_=Text))
    return insert(room_sums).from_select([found.name for found in room_sums.c], present)


def _added(statement: Insert, sums: Table) -> Insert:
    value = sums.c.value + statement.excluded.value
    return statement.on_conflict_do_update(index_elements=list(sums.primary_key), set_={"value": value})


def _raised(statement: Insert, sums: Table) -> Insert:
    """Each database has a function of its own for the greater of two; a case is the same on all."""
    new = statement.excluded.value
    value = case((new > sums.c.value, new), else_=sums.c.value)
    return statement.on_conflict_do_update(index_elements=list(sums.primary_key), set_={"value": value})


WRITE: dict[tuple[bool, bool], ClauseElement] = {
    (False, False): _added(insert(server_sums), server_sums),
    (False, True): _raised(insert(server_sums), server_sums),
    (True, False): _added(_insert_of_room(), room_sums),
    (True, True): _raised(_insert_of_room(), room_sums),
}
"""(of a room, a peak) -> how its sum is written. In this order in every transaction."""


def _count_votes() -> ClauseElement:
    """How many have voted in the poll of `message_id` since it was asked last; no row if nobody has, or it is gone."""
    values = bindparam("voters", type_=BigInteger), literal(0, BigInteger)
    present = select(messages_table.c.id, *values).where(messages_table.c.id == bindparam("message_id", type_=Text))
    counting = insert(polls).from_select(["message_id", "voters", "before"], present)
    voters = counting.excluded.voters
    return counting.on_conflict_do_update(
        index_elements=[polls.c.message_id],
        set_={"before": polls.c.voters, "voters": voters},
        where=voters > polls.c.voters,
    ).returning((polls.c.voters - polls.c.before).label("votes"))


COUNT_VOTES = _count_votes()


def _flush() -> ClauseElement:
    """Say that so many `lots` of a `node` are in the sums, up to an `hour`; no row if that is so already."""
    flushing = insert(flushes)
    now = flushing.excluded
    return flushing.on_conflict_do_update(
        index_elements=[flushes.c.node], set_={"lots": now.lots, "hour": now.hour}, where=now.lots > flushes.c.lots
    ).returning(flushes.c.lots)


FLUSH = _flush()

# --- reading


def _between(sums: Table, *of: ColumnElement[bool]) -> Any:
    """The sums of a `step` that began at `first` or later, and before `end`."""
    began = and_(sums.c.start >= bindparam("first"), sums.c.start < bindparam("end"))
    return select(sums.c.start, sums.c.metric, sums.c.value).where(*of, sums.c.step == bindparam("step"), began)


def _over_all_days(sums: Table, *of: ColumnElement[bool]) -> ClauseElement:
    # Each day rounded down, as it is told: else the sum and the days would tell more together than each does.
    told = sums.c.value - sums.c.value % bindparam("blur", type_=BigInteger)
    # On Postgres the sum of a BIGINT is a NUMERIC, of which drivers make a Decimal, and JSON has none.
    total, highest = cast(func.sum(told), BigInteger).label("total"), func.max(sums.c.value).label("highest")
    return select(sums.c.metric, total, highest).where(*of, sums.c.step == "day").group_by(sums.c.metric)


_OF_ROOM = room_sums.c.room_id == bindparam("room")

SELECT_SERVER: ClauseElement = _between(server_sums)
SELECT_SERIES: ClauseElement = _between(server_sums, server_sums.c.metric == bindparam("metric"))
SELECT_ROOM: ClauseElement = _between(room_sums, _OF_ROOM)
SELECT_SERVER_DAYS = _over_all_days(server_sums)
SELECT_ROOM_DAYS = _over_all_days(room_sums, _OF_ROOM)

# --- deleting


def _expire(sums: Table) -> ClauseElement:
    """Delete at most `limit` sums of a `step` that began before a time."""
    key = tuple(sums.primary_key)
    old = and_(sums.c.step == bindparam("step"), sums.c.start < bindparam("before"))
    return delete(sums).where(tuple_(*key).in_(select(*key).where(old).limit(bindparam("limit"))))


EXPIRE = (_expire(server_sums), _expire(room_sums))

EXPIRE_FLUSHES: ClauseElement = delete(flushes).where(flushes.c.hour < bindparam("before"))
