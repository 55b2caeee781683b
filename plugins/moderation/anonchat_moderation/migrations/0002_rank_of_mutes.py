"""By whose rank somebody is muted: nobody of a lower one lifts it. What there is was decided by nobody knows whom."""

import sqlalchemy as sa
from alembic import op

revision = "moderation_0002"
down_revision = "moderation_0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("moderation_mutes", sa.Column("by_rank", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("moderation_mutes", "by_rank")
