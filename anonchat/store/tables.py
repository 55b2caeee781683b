"""The core's tables. Times are milliseconds, truth values are 0 and 1, JSON is text: the same on every database.

A plugin's tables go into a `MetaData` of its own, with a cascading foreign key to ``rooms.id`` or ``messages.id``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()


def _room_key(*, primary_key: bool = False) -> Column[str]:
    return Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key)


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("ephemeral", Integer, nullable=False),
    Column("is_public", Integer, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("max_participants", Integer, nullable=False),
    Column("seats", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("warned", Integer, nullable=False, server_default="0"),
    Column("retention_seconds", BigInteger),
    Column("closed_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("end_reason", Text),
    Column("purge_at", BigInteger),
    Index(
        "rooms_public", "created_at", "id", sqlite_where=text("is_public = 1"), postgresql_where=text("is_public = 1")
    ),
    Index("rooms_expiry", "expires_at"),
)

# What is left of a room after its end, so that its link can say so.
ended_rooms = Table(
    "ended_rooms",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ended_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deleted", Text, nullable=False),
)

# Who still keeps something of a purged room outside of the database, and when they are asked again to delete it.
unpurged = Table(
    "unpurged",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("plugin", Text, primary_key=True),
    Column("attempt_at", BigInteger, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("max_uses", Integer),
    Column("uses", Integer, nullable=False),
    Column("revoked_at", BigInteger),
    Index("invites_room", "room_id"),
)

# A session owns its name and its place in the room while `name_key` is set: the unique index decides between two.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("username", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("name_key", Text),
    Column("anonymous_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("avatar", Text),
    Column("device_hash", Text),
    Column("fingerprint_hash", Text),
    Column("connected", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seat_until", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("sessions_name", "room_id", "name_key", unique=True),
    Index("sessions_anonymous_id", "room_id", "anonymous_id", unique=True),
    Index("sessions_folded", "room_id", "folded"),
    Index("sessions_expiry", "expires_at"),
    # Who holds a place, by when it lapses: counted at each identify, released at each join.
    Index(
        "sessions_seats",
        "room_id",
        "seat_until",
        sqlite_where=text("name_key IS NOT NULL"),
        postgresql_where=text("name_key IS NOT NULL"),
    ),
)

# One session may be entered from several tabs that joined on their own with the same device key.
tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("tokens_session", "session_id"),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("seq", BigInteger),
    Column("changed_seq", BigInteger),
    Column("session_id", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("anonymous_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("avatar", Text),
    Column("content", Text, nullable=False),
    Column("reply_to_id", Text),
    Column("mentions", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("edited_at", BigInteger),
    Column("deleted_at", BigInteger),
    Column("held_until", BigInteger),
    Column("held_reason", Text),
    Index("messages_order", "room_id", "seq", unique=True),
    Index(
        "messages_held",
        "held_until",
        sqlite_where=text("held_reason IS NOT NULL"),
        postgresql_where=text("held_reason IS NOT NULL"),
    ),
)

# The key of each send outlives its message until the session ends, so that a repetition never sends twice.
receipts = Table(
    "receipts",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("client_msg_id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("seq", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Durable events other than new messages, which stand in `messages` under their own seq. `data` is empty where the
# present state of the message says it all (an edit).
events = Table(
    "events",
    metadata,
    _room_key(primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event", Text, nullable=False),
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE")),
    Column("data", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("events_message", "message_id"),
    sqlite_with_rowid=False,
)
