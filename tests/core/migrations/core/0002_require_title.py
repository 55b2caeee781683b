"""A room must have a title."""

from alembic import op

revision = "core_0002"
down_revision = "core_0001"


def upgrade() -> None:
    """Copies the whole table and drops the old one: SQLite cannot alter a column."""
    with op.batch_alter_table("rooms") as rooms:
        rooms.alter_column("title", nullable=False)


def downgrade() -> None:
    """Copies it back."""
    with op.batch_alter_table("rooms") as rooms:
        rooms.alter_column("title", nullable=True)
