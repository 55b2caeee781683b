"""Indexes by session and device: without them each message that waits is held against every ban of its room, every second.

Mutes that are over stay for a day, and those that hold are read for what people say.
"""

from alembic import op

revision = "moderation_0003"
down_revision = "moderation_0002"


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("moderation_bans_session", "moderation_bans", ["room_id", "session_id", "until"])
    op.create_index("moderation_bans_device", "moderation_bans", ["room_id", "device", "until"])
    op.create_index("moderation_mutes_room", "moderation_mutes", ["room_id", "until"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("moderation_mutes_room", "moderation_mutes")
    op.drop_index("moderation_bans_device", "moderation_bans")
    op.drop_index("moderation_bans_session", "moderation_bans")
