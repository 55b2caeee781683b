"""anonchat itself, as it is shipped, with its plugins or without; limits are raised by configuration only."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import anonchat
from anonchat.testing.processes import environment
from benchmarks.competitors.keeper import MOST_MEMBERS, Keeper, Room
from benchmarks.machine import version_of

FILL = """
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
INSERT INTO messages (id, room_id, seq, changed_seq, session_id, username, anonymous_id, role, content, created_at)
SELECT printf('%s-%012x', substr(:room, 1, 23), n), :room, n, n, :room, 'Guest', '0a1b2c', 'participant',
    printf('{"type":"text","text":"~d%014d %s"}', n - 1, hex(randomblob(42))), unixepoch() * 1000
FROM numbers
"""


class Anonchat(Keeper):
    """The server of this repository."""

    def __init__(self, name: str, title: str, plugins: Sequence[str]) -> None:
        settings = (
            "SQLite in a file, synchronous=FULL; uvloop; rates and the number of sockets from a network unlimited; "
            f"plugins: {', '.join(plugins) or 'none'}"
        )
        if plugins:
            settings += " (in each room its moderator has switched off the rule against floods)"
        super().__init__(name, title, settings)
        tables: dict[str, dict[str, object]] = {
            "plugins": {"enabled": list(plugins)},
            "rooms": {"max_participants": MOST_MEMBERS},
        }
        self.environ.update(environment(**tables, server={"port": 0}))

    def command(self) -> Sequence[str]:
        """The command that people start."""
        return (sys.executable, "-P", "-m", "anonchat", "serve")

    def version(self) -> str:
        """Its version and commit."""
        commit = version_of("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
        return f"{anonchat.__version__} {commit}".strip()

    @property
    def database(self) -> Path:
        """The file of its database."""
        return self.folder / "anonchat.db"

    def fill(self, room: Room, count: int) -> None:
        """Store messages in the database's file."""
        database = sqlite3.connect(self.database, timeout=60)
        with database:
            database.execute(FILL, {"first": 1, "last": count, "room": room.id})
            database.execute("UPDATE rooms SET seq = ? WHERE id = ?", (count, room.id))
        database.close()
