"""The truth in one SQLite file: the `Database` of a single node."""

from anonchat_sqlite.database import SQLiteDatabase
from anonchat_sqlite.maintenance import SQLiteMaintenance

__all__ = ["SQLiteDatabase", "SQLiteMaintenance"]
