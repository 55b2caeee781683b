"""anonchat itself, as it is shipped, with its plugins or without; limits are raised by configuration only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import anonchat
from anonchat.testing.processes import ServerProcess, environment
from benchmarks.competitors.keeper import DIALECT, Room, make_rooms, tickets
from benchmarks.load.sockets import Ticket
from benchmarks.machine import version_of

MOST_MEMBERS = 10_000
FILL = """
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
INSERT INTO messages (id, room_id, seq, changed_seq, session_id, username, anonymous_id, role, content, created_at)
SELECT printf('%s-%012x', substr(:room, 1, 23), n), :room, n, n, :room, 'Guest', '0a1b2c', 'participant',
    printf('{"type":"text","text":"~d%014d %s"}', n - 1, hex(randomblob(42))), unixepoch() * 1000
FROM numbers
"""


class Anonchat:
    """The server of this repository."""

    dialect = DIALECT

    def __init__(self, name: str, title: str, plugins: Sequence[str]) -> None:
        self.name = name
        self.title = title
        self.settings = (
            "SQLite in a file, synchronous=FULL; rates and the number of sockets from a network unlimited; "
            f"plugins: {', '.join(plugins) or 'none'}"
        )
        if plugins:
            self.settings += " (in each room its moderator has switched off the rule against floods)"
        self._environ = environment(plugins={"enabled": list(plugins)}, rooms={"max_participants": MOST_MEMBERS})
        self._folder = Path()
        self._server: ServerProcess | None = None

    def missing(self) -> str | None:
        """Nothing."""
        return None

    def prepare(self) -> None:
        """Do nothing."""

    def start(self, folder: Path) -> None:
        """Start it with its database in `folder`."""
        self._folder = folder
        self._server = ServerProcess(folder, self._environ)
        self._server.start()

    def stop(self) -> None:
        """Kill it."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    @property
    def _running(self) -> ServerProcess:
        if self._server is None:
            raise RuntimeError(f"{self.title} does not run.")
        return self._server

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._running.port

    @property
    def database(self) -> Path:
        """The file of its database."""
        return self._folder / "anonchat.db"

    def version(self) -> str:
        """Its version and commit."""
        commit = version_of("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
        return f"{anonchat.__version__} {commit}".strip()

    def make_rooms(self, count: int, members: int) -> Sequence[Room]:
        """Rooms that members have joined."""
        return make_rooms(self.port, count, members)

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """The same as tickets."""
        return [tickets(room) for room in self.make_rooms(count, members)]

    def fill(self, room: Room, count: int) -> None:
        """Store messages in the database's file, while the server has nothing to do."""
        database = sqlite3.connect(self.database, timeout=60)
        with database:
            database.execute(FILL, {"first": 1, "last": count, "room": room.id})
            database.execute("UPDATE rooms SET seq = ? WHERE id = ?", (count, room.id))
        database.close()
