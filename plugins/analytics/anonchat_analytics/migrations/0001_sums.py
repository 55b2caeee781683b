"""Sums of the server and of each room, and how many votes of each poll are in them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "analytics_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table("analytics_server_sums", *_columns())
    op.create_table(
        "analytics_room_sums",
        sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
        *_columns(),
    )
    op.create_table(
        "analytics_polls",
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("voters", sa.BigInteger, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
    )
    op.create_index("analytics_room_sums_age", "analytics_room_sums", ["step", "start"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("analytics_polls")
    op.drop_table("analytics_room_sums")
    op.drop_table("analytics_server_sums")


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
