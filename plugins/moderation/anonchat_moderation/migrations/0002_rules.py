"""What a room has chosen of rules, slow mode and panic."""

import sqlalchemy as sa
from alembic import op

revision = "moderation_0002"
down_revision = "moderation_0001"


def upgrade() -> None:
    """Make the table."""
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
    """Drop it."""
    op.drop_table("moderation_rooms")
