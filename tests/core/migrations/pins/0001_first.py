"""Pinned messages."""

import sqlalchemy as sa
from alembic import op

revision = "pins_0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "pins",
        sa.Column("message_id", sa.Integer, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("pins")
