"""A chat on Express and Postgres, as it is commonly written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from benchmarks.competitors import npm
from benchmarks.competitors.keeper import Keeper, Room
from benchmarks.competitors.postgres import SETTINGS, Postgres, binaries
from benchmarks.machine import version_of

FILL = """
INSERT INTO messages (id, room_id, seq, session_id, username, text)
SELECT gen_random_uuid(), $1::uuid, n, $1::uuid, 'Guest',
    '~d' || lpad((n - 1)::text, 14, '0') || ' ' || repeat(md5(n::text), 2) || substr(md5(n::text), 1, 20)
FROM generate_series(1, $2::int) n
"""


class Express(Keeper):
    """Two processes: Node, and Postgres on a socket of its own."""

    def __init__(self) -> None:
        settings = ", ".join(f"{name}={value}" for name, value in SETTINGS.items() if value)
        super().__init__(
            *("express", "Express + Postgres"),
            f"pg with a pool of 10 and prepared statements, ws, NODE_ENV=production; Postgres durable, {settings}",
        )
        self.environ["NODE_ENV"] = "production"
        self._postgres: Postgres | None = None

    def missing(self) -> str | None:
        """Node, npm and Postgres."""
        return npm.missing() or (None if binaries() else "Postgres cannot be found (pip install 'anonchat[bench]')")

    def prepare(self) -> None:
        """Install packages."""
        npm.install()

    def command(self) -> Sequence[str]:
        """Node and the script."""
        return npm.command("express.js")

    def version(self) -> str:
        """Of both."""
        return f"{npm.version('express')}, {version_of(str((binaries() or Path()) / 'postgres'), '--version')}"

    def launch(self) -> None:
        """Start both."""
        self._postgres = Postgres()
        self.environ["CHAT_POSTGRES"] = str(self._postgres.folder)
        super().launch()

    def stop(self) -> None:
        """End both."""
        super().stop()
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None

    def fill(self, room: Room, count: int) -> None:
        """Store messages by SQL."""
        asyncio.run(self._fill(room, count))

    async def _fill(self, room: Room, count: int) -> None:
        connection = await asyncpg.connect(host=self.environ["CHAT_POSTGRES"], user="chat", database="postgres")
        await connection.execute(FILL, room.id, count)
        await connection.execute("UPDATE rooms SET seq = $2 WHERE id = $1::uuid", room.id, count)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
