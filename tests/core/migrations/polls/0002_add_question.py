"""A poll asks a question."""

import sqlalchemy as sa
from alembic import op

revision = "polls_0002"
down_revision = "polls_0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("polls", sa.Column("question", sa.Text))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("polls") as polls:
        polls.drop_column("question")
