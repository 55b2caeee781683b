"""People who are kept out or muted, reports, the log, and what a room has chosen."""

import sqlalchemy as sa
from alembic import op

revision = "moderation_0001"
down_revision = None


def room_key() -> sa.Column[str]:
    return sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    _create_bans()
    _create_mutes()
    _create_reports()
    _create_log()
    _create_rooms()


def _create_bans() -> None:
    op.create_table(
        "moderation_bans",
        sa.Column("id", sa.Text, primary_key=True),
        room_key(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("anonymous_id", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("network", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("by_rank", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("moderation_bans_room", "moderation_bans", ["room_id", "until"])
    op.create_index("moderation_bans_until", "moderation_bans", ["until"])


def _create_mutes() -> None:
    op.create_table(
        "moderation_mutes",
        sa.Column("id", sa.Text, primary_key=True),
        room_key(),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("network", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("room_id", "session_id", name="moderation_mutes_session"),
    )
    op.create_index("moderation_mutes_until", "moderation_mutes", ["until"])


def _create_reports() -> None:
    op.create_table(
        "moderation_reports",
        sa.Column("id", sa.Text, primary_key=True),
        room_key(),
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("reporter", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.UniqueConstraint("message_id", "reporter", name="moderation_reports_once"),
    )
    op.create_index("moderation_reports_room", "moderation_reports", ["room_id", "at"])


def _create_log() -> None:
    op.create_table(
        "moderation_log",
        sa.Column("id", sa.Text, primary_key=True),
        room_key(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("by_session", sa.Text),
        sa.Column("by_name", sa.Text),
        sa.Column("target_session", sa.Text),
        sa.Column("target_name", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("pending", sa.Text),
        sa.UniqueConstraint("room_id", "pending", name="moderation_log_pending"),
    )
    op.create_index("moderation_log_room", "moderation_log", ["room_id", "number"])
    op.create_index("moderation_log_at", "moderation_log", ["at"])
    gathering = sa.text("pending IS NOT NULL")
    op.create_index(
        "moderation_log_gathering", "moderation_log", ["at"], sqlite_where=gathering, postgresql_where=gathering
    )


def _create_rooms() -> None:
    op.create_table(
        "moderation_rooms",
        sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("preset", sa.Text, nullable=False),
        sa.Column("slow_mode_seconds", sa.Integer),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("panic_at", sa.BigInteger),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("released", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("moderation_rooms", "moderation_log", "moderation_reports", "moderation_mutes", "moderation_bans"):
        op.drop_table(table)
