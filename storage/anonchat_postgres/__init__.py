"""The truth in Postgres: the `Database` of one node or many."""

from anonchat_postgres.database import PostgresDatabase
from anonchat_postgres.maintenance import PostgresMaintenance

__all__ = ["PostgresDatabase", "PostgresMaintenance"]
