"""The truth in one SQLite file: the `Database` of a single node."""

from anonchat_sqlite.database import SQLiteDatabase

__all__ = ["SQLiteDatabase"]
