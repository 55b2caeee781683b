"""Polls and their options."""

import sqlalchemy as sa
from alembic import op

revision = "polls_0001"
down_revision = None


def upgrade() -> None:
    """Create both tables; options reach the room through their poll."""
    op.create_table(
        "polls",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.Integer, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_table(
        "poll_options",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("poll_id", sa.Integer, sa.ForeignKey("polls.id", ondelete="CASCADE"), nullable=False),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("poll_options")
    op.drop_table("polls")
