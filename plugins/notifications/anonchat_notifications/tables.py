"""The plugin's tables. A row goes with its message, with the session that it is for, at the latest with its room.

No text and no name is in them: what a notification says is taken from its message when it is read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()


def _room_key() -> Column[str]:
    return Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def _session_key(**options: Any) -> Column[str]:
    return Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), **options)


_EVERYBODY = text("session_id IS NULL")


# `session_id` is whom it is for; NULL is everybody in the room, so that a poll costs one row and not thousands.
# Ids sort in the order of the room, whatever its clock does: what is too old to be kept is found by them. `read_at` is
# that of the one person, for everybody see `reads`.
entries = Table(
    "notifications_entries",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    _session_key(),
    Column("type", Text, nullable=False),
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE")),
    Column("actor_id", Text),
    Column("act", Text),
    Column("until", BigInteger),
    Column("voters", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Index("notifications_entries_session", "session_id", "id"),
    Index("notifications_entries_purge", "room_id"),
    Index("notifications_entries_once", "message_id", "session_id", "type", unique=True),
    Index(
        "notifications_entries_room", "room_id", "id", sqlite_where=_EVERYBODY, postgresql_where=_EVERYBODY
    ),
    Index(
        "notifications_entries_message", "message_id", "type",
        unique=True, sqlite_where=_EVERYBODY, postgresql_where=_EVERYBODY,
    ),
    sqlite_with_rowid=False,
)  # fmt: skip

# Who has read what is for everybody.
reads = Table(
    "notifications_reads",
    metadata,
    _session_key(primary_key=True),
    Column("entry_id", Text, ForeignKey("notifications_entries.id", ondelete="CASCADE"), primary_key=True),
    Index("notifications_reads_entry", "entry_id"),
    sqlite_with_rowid=False,
)

# What a session does not want to hear of: the name of a type, or the id of a session that it ignores.
unwanted = Table(
    "notifications_unwanted",
    metadata,
    _session_key(primary_key=True),
    Column("what", Text, primary_key=True),
    _room_key(),
    Index("notifications_unwanted_what", "room_id", "what"),
    sqlite_with_rowid=False,
)

# Whose acts notify nobody for now, as moderation said.
muted = Table(
    "notifications_muted",
    metadata,
    _session_key(primary_key=True),
    _room_key(),
    Column("until", BigInteger, nullable=False),
    Index("notifications_muted_room", "room_id"),
    sqlite_with_rowid=False,
)
