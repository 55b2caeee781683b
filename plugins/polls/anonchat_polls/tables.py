"""The plugin's tables. Everything dies with the message of its poll, at the latest with the room.

Options are numbered from 1. Nothing in a table of votes or voters tells when, or in which order, they came: their only
key is what they are.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()


def _room_key() -> Column[str]:
    return Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def _poll_key() -> Column[str]:
    return Column("poll_id", Text, ForeignKey("polls_polls.id", ondelete="CASCADE"), primary_key=True)


_IS_OPEN = text("closed_at IS NULL")
_IS_UNTOLD = text("told < version")

# `version` counts the changes of an open or hidden poll's votes, `told` is the version that members know.
# `voters` and `totals` are the result of a secret poll; those of the others are counted from their votes.
polls = Table(
    "polls_polls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    _room_key(),
    Column("owner_id", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("multiple", Integer, nullable=False),
    Column("secrecy", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closes_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    Column("voters", Integer),
    Column("totals", Text),
    Index("polls_polls_message", "message_id", unique=True),
    Index("polls_polls_room", "room_id", "message_id"),
    Index("polls_polls_open", "room_id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index("polls_polls_due", "closes_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index("polls_polls_untold", "told_at", sqlite_where=_IS_UNTOLD, postgresql_where=_IS_UNTOLD),
)

# The votes of open and hidden polls. `slot` is 0 in a poll of single choice, else the option: so the key decides.
# `username` stands in those of open polls.
votes = Table(
    "polls_votes",
    metadata,
    _poll_key(),
    Column("session_id", Text, primary_key=True),
    Column("slot", Integer, primary_key=True),
    _room_key(),
    Column("option", Integer, nullable=False),
    Column("username", Text),
    Index("polls_votes_room", "room_id"),
    Index("polls_votes_session", "session_id"),
    sqlite_with_rowid=False,
)

# Who voted in a secret poll, as keyed hashes; written once, at its close.
ledger = Table(
    "polls_ledger",
    metadata,
    _poll_key(),
    Column("voter", Text, primary_key=True),
    _room_key(),
    Index("polls_ledger_room", "room_id"),
    sqlite_with_rowid=False,
)
