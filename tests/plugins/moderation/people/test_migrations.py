"""A log that was kept by time is numbered in its order."""

from __future__ import annotations

from importlib import import_module

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text

REVISIONS = ("0001_moderation", "0002_rules", "0003_order")
ENTRIES = (("b", "one", 20), ("a", "one", 20), ("c", "one", 10), ("d", "two", 5))


def test_entries_keep_their_order() -> None:
    first, second, third = (import_module(f"anonchat_moderation.migrations.{name}") for name in REVISIONS)
    with create_engine("sqlite://").connect() as connection, Operations.context(MigrationContext.configure(connection)):
        first.upgrade()
        second.upgrade()
        for entry_id, room_id, at in ENTRIES:
            entry = {"id": entry_id, "room": room_id, "at": at}
            connection.execute(
                text("INSERT INTO moderation_log (id, room_id, act, count, at) VALUES (:id, :room, 'kick', 1, :at)"),
                entry,
            )
        third.upgrade()
        numbers = connection.execute(text("SELECT id, number FROM moderation_log ORDER BY room_id, number")).all()
        assert [tuple(row) for row in numbers] == [("c", 1), ("a", 2), ("b", 3), ("d", 1)]
        third.downgrade()
        assert "number" not in list(connection.execute(text("SELECT * FROM moderation_log")).keys())
