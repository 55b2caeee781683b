"""The Alembic revisions of the core."""
