"""Rolls that were made in rooms."""

import sqlalchemy as sa
from alembic import op

revision = "dice_0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "dice_rolls",
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
        sa.Column("dice", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
    )
    op.create_index("dice_rolls_room", "dice_rolls", ["room_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dice_rolls")
