"""Rooms and their messages."""

import sqlalchemy as sa
from alembic import op

revision = "core_0001"
down_revision = None


def upgrade() -> None:
    """Create both tables and one room, so that a second run would be seen as a second row."""
    rooms = op.create_table("rooms", sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text))
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.Integer, sa.ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    )
    op.bulk_insert(rooms, [{"title": "lobby"}])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("messages")
    op.drop_table("rooms")
