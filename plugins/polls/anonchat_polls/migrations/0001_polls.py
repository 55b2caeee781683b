"""Polls, the votes of open and hidden ones, and the voters of secret ones."""

import sqlalchemy as sa
from alembic import op

revision = "polls_0001"
down_revision = None

OPEN = sa.text("closed_at IS NULL")
UNTOLD = sa.text("told < version")


def upgrade() -> None:
    """Make the tables."""
    _create_polls()
    op.create_table(
        "polls_votes",
        _poll_key(),
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True),
        _room_key(),
        sa.Column("option", sa.Integer, nullable=False),
        sa.Column("username", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("polls_votes_room", "polls_votes", ["room_id"])
    op.create_index("polls_votes_session", "polls_votes", ["session_id"])
    op.create_table(
        "polls_ledger",
        _poll_key(),
        sa.Column("voter", sa.Text, primary_key=True),
        _room_key(),
        sqlite_with_rowid=False,
    )
    op.create_index("polls_ledger_room", "polls_ledger", ["room_id"])


def _create_polls() -> None:
    op.create_table(
        "polls_polls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
        _room_key(),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("multiple", sa.Integer, nullable=False),
        sa.Column("secrecy", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("closes_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sa.Column("voters", sa.Integer),
        sa.Column("totals", sa.Text),
    )
    op.create_index("polls_polls_message", "polls_polls", ["message_id"], unique=True)
    op.create_index("polls_polls_room", "polls_polls", ["room_id", "message_id"])
    for name, column, where in (("open", "room_id", OPEN), ("due", "closes_at", OPEN), ("untold", "told_at", UNTOLD)):
        op.create_index(f"polls_polls_{name}", "polls_polls", [column], sqlite_where=where, postgresql_where=where)


def _room_key() -> "sa.Column[str]":
    return sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


def _poll_key() -> "sa.Column[str]":
    return sa.Column("poll_id", sa.Text, sa.ForeignKey("polls_polls.id", ondelete="CASCADE"), primary_key=True)


def downgrade() -> None:
    """Drop them."""
    for table in ("polls_ledger", "polls_votes", "polls_polls"):
        op.drop_table(table)
