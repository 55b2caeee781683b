"""What people are notified of, what they have read and what they do not want to hear of."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "notifications_0001"
down_revision = None

ENTRIES = "notifications_entries"


def upgrade() -> None:
    """Make the tables."""
    _create_entries()
    op.create_table(
        "notifications_reads",
        _session_key(primary_key=True),
        sa.Column("entry_id", sa.Text, sa.ForeignKey(f"{ENTRIES}.id", ondelete="CASCADE"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("notifications_reads_entry", "notifications_reads", ["entry_id"])
    op.create_table(
        "notifications_unwanted",
        _session_key(primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        _room_key(),
        sqlite_with_rowid=False,
    )
    op.create_index("notifications_unwanted_what", "notifications_unwanted", ["room_id", "what"])
    op.create_table(
        "notifications_muted",
        _session_key(primary_key=True),
        _room_key(),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _room_key() -> sa.Column[str]:
    return sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def _session_key(**options: Any) -> sa.Column[str]:
    return sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), **options)


def _create_entries() -> None:
    op.create_table(
        ENTRIES,
        sa.Column("id", sa.Text, primary_key=True),
        _room_key(),
        _session_key(),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE")),
        sa.Column("actor_id", sa.Text),
        sa.Column("act", sa.Text),
        sa.Column("until", sa.BigInteger),
        sa.Column("voters", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("read_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    everybody = sa.text("session_id IS NULL")
    op.create_index("notifications_entries_session", ENTRIES, ["session_id", "id"])
    op.create_index("notifications_entries_once", ENTRIES, ["message_id", "session_id", "type"], unique=True)
    op.create_index(
        "notifications_entries_room", ENTRIES, ["room_id", "id"], sqlite_where=everybody, postgresql_where=everybody
    )
    op.create_index(
        "notifications_entries_message", ENTRIES, ["message_id", "type"],
        unique=True, sqlite_where=everybody, postgresql_where=everybody,
    )  # fmt: skip


def downgrade() -> None:
    """Drop them."""
    for table in ("notifications_muted", "notifications_unwanted", "notifications_reads", ENTRIES):
        op.drop_table(table)
