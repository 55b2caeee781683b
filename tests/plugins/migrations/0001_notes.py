"""Notes of the kitchen sink."""

import sqlalchemy as sa
from alembic import op

revision = "kitchen_sink_0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "kitchen_sink_notes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("kitchen_sink_notes")
