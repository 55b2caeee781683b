"""The order of a room's log: by a number that grows, not by a clock that may be set back."""

import sqlalchemy as sa
from alembic import op

revision = "moderation_0003"
down_revision = "moderation_0002"

# As far as times tell, entries keep the order that they had.
NUMBER = """
UPDATE moderation_log SET number = (
    SELECT count(*) FROM moderation_log AS older
    WHERE older.room_id = moderation_log.room_id AND (older.at, older.id) <= (moderation_log.at, moderation_log.id)
)
"""


def upgrade() -> None:
    """Number the entries."""
    op.add_column("moderation_log", sa.Column("number", sa.BigInteger, nullable=False, server_default="0"))
    op.execute(NUMBER)
    op.drop_index("moderation_log_room", "moderation_log")
    op.create_index("moderation_log_room", "moderation_log", ["room_id", "number"])


def downgrade() -> None:
    """Order them by time again."""
    op.drop_index("moderation_log_room", "moderation_log")
    op.create_index("moderation_log_room", "moderation_log", ["room_id", "at", "id"])
    op.drop_column("moderation_log", "number")
