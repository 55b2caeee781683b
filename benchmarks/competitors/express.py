"""A chat on Express and Postgres, as it is commonly written."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.competitors.bare import Node
from benchmarks.competitors.keeper import DIALECT, Room, make_rooms, tickets
from benchmarks.competitors.postgres import SETTINGS, Postgres, binaries
from benchmarks.load.sockets import Ticket

FILL = """
INSERT INTO messages (id, room_id, seq, session_id, username, text)
SELECT gen_random_uuid(), :'room', n, :'room', 'Guest',
    '~d' || lpad((n - 1)::text, 14, '0') || ' ' || repeat(md5(n::text), 2) || substr(md5(n::text), 1, 20)
FROM generate_series(1, :count) n;
UPDATE rooms SET seq = :count WHERE id = :'room';
VACUUM ANALYZE messages;
"""


class Express(Node):
    """Two processes: Node, and Postgres on a socket of its own."""

    def __init__(self) -> None:
        settings = ", ".join(f"{name}={value}" for name, value in SETTINGS.items() if value)
        super().__init__(
            *("express.js", "express", "express", "Express + Postgres"),
            f"pg with a pool of 10 and prepared statements, ws, NODE_ENV=production; Postgres durable, {settings}",
            DIALECT,
        )
        self._postgres: Postgres | None = None

    def missing(self) -> str | None:
        """Node, npm and Postgres."""
        if binaries() is None:
            return "Postgres cannot be found (pip install 'anonchat[bench]')"
        return super().missing()

    def start(self, folder: Path) -> None:
        """Start both."""
        self._postgres = Postgres()
        self.environ["CHAT_POSTGRES"] = str(self._postgres.folder)
        super().start(folder)

    def stop(self) -> None:
        """End both."""
        super().stop()
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None

    def make_rooms(self, count: int, members: int) -> Sequence[Room]:
        """Rooms that members have joined."""
        return make_rooms(self.port, count, members)

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """The same as tickets."""
        return [tickets(room) for room in self.make_rooms(count, members)]

    def fill(self, room: Room, count: int) -> None:
        """Store messages by SQL."""
        if self._postgres is None:
            raise RuntimeError(f"{self.title} does not run.")
        values = ("-v", f"room={room.id}", "-v", f"count={count}", "-v", "ON_ERROR_STOP=1")
        programs = binaries() or Path()
        command = (
            str(programs / "psql"),
            "-q",
            "-h",
            str(self._postgres.folder),
            "-U",
            "chat",
            "-d",
            "postgres",
            *values,
        )
        subprocess.run(command, input=FILL, text=True, check=True, stdout=subprocess.DEVNULL)
