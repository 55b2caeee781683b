"""Rooms, invites, sessions, messages, events."""

import sqlalchemy as sa
from alembic import op

revision = "core_0001"
down_revision = None


def _room_key(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key
    )


def upgrade() -> None:
    """Make the core's tables."""
    op.create_table("meta", sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    _create_rooms()
    _create_sessions()
    _create_messages()


def _create_rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("ephemeral", sa.Integer, nullable=False),
        sa.Column("is_public", sa.Integer, nullable=False),
        sa.Column("is_open", sa.Integer, nullable=False),
        sa.Column("max_participants", sa.Integer, nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("warned", sa.Integer, nullable=False, server_default="0"),
        sa.Column("retention_seconds", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("end_reason", sa.Text),
        sa.Column("purge_at", sa.BigInteger),
    )
    public = sa.text("is_public = 1")
    op.create_index("rooms_public", "rooms", ["created_at", "id"], sqlite_where=public, postgresql_where=public)
    op.create_index("rooms_expiry", "rooms", ["expires_at"])
    op.create_table(
        "ended_rooms",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("deleted", sa.Text, nullable=False),
    )
    op.create_table(
        "unpurged",
        sa.Column("room_id", sa.Text, primary_key=True),
        sa.Column("plugin", sa.Text, primary_key=True),
        sa.Column("attempt_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "invites",
        sa.Column("id", sa.Text, primary_key=True),
        _room_key(),
        sa.Column("token_hash", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("max_uses", sa.Integer),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("invites_room", "invites", ["room_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        _room_key(),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text),
        sa.Column("anonymous_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("avatar", sa.Text),
        sa.Column("device_hash", sa.Text),
        sa.Column("fingerprint_hash", sa.Text),
        sa.Column("connected", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seat_until", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("sessions_name", "sessions", ["room_id", "name_key"], unique=True)
    op.create_index("sessions_anonymous_id", "sessions", ["room_id", "anonymous_id"], unique=True)
    op.create_index("sessions_folded", "sessions", ["room_id", "folded"])
    op.create_index("sessions_expiry", "sessions", ["expires_at"])
    seated = sa.text("name_key IS NOT NULL")
    op.create_index(
        "sessions_seats", "sessions", ["room_id", "seat_until"], sqlite_where=seated, postgresql_where=seated
    )
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("tokens_session", "tokens", ["session_id"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Text, primary_key=True),
        _room_key(),
        sa.Column("seq", sa.BigInteger),
        sa.Column("changed_seq", sa.BigInteger),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("anonymous_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("avatar", sa.Text),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("reply_to_id", sa.Text),
        sa.Column("mentions", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("edited_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("held_until", sa.BigInteger),
        sa.Column("held_reason", sa.Text),
    )
    op.create_index("messages_order", "messages", ["room_id", "seq"], unique=True)
    held = sa.text("held_reason IS NOT NULL")
    op.create_index("messages_held", "messages", ["held_until"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "receipts",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("client_msg_id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        _room_key(primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE")),
        sa.Column("data", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("events_message", "events", ["message_id"])


def downgrade() -> None:
    """Drop the core's tables, and with them everything."""
    for table in (
        "events",
        "receipts",
        "messages",
        "tokens",
        "sessions",
        "invites",
        "unpurged",
        "ended_rooms",
        "rooms",
        "meta",
    ):
        op.drop_table(table)
