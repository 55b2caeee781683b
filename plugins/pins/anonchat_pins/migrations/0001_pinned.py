"""Messages that are pinned in rooms."""

import sqlalchemy as sa
from alembic import op

revision = "pins_0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "pins_pinned",
        sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("room_id", sa.Text, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("pinned_at", sa.BigInteger, nullable=False),
        sa.Column("pinned_by", sa.Text, nullable=False),
    )
    op.create_index("pins_pinned_room", "pins_pinned", ["room_id", "seq"], unique=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("pins_pinned")
