"""Indexes by room: without them the end of one walks through what people of all rooms were notified of."""

from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("notifications_entries_purge", "notifications_entries", ["room_id"])
    op.create_index("notifications_muted_room", "notifications_muted", ["room_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("notifications_muted_room", "notifications_muted")
    op.drop_index("notifications_entries_purge", "notifications_entries")
