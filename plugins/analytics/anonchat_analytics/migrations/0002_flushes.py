"""How many lots of each node are in the sums, and of which hour the last was."""

import sqlalchemy as sa
from alembic import op

revision = "analytics_0002"
down_revision = "analytics_0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "analytics_flushes",
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("lots", sa.BigInteger, nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("analytics_flushes")
