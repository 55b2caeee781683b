"""The server's clock, seen from here."""

from __future__ import annotations

import time
from datetime import datetime


class ServerClock:
    """This machine's wall clock may be wrong; its monotonic one only has to run."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def set(self, server_time: str) -> None:
        """The server has told its time."""
        self._offset = datetime.fromisoformat(server_time).timestamp() - time.monotonic()

    def now(self) -> float:
        """Seconds since 1970; this machine's own until the server has told its."""
        return time.time() if self._offset is None else time.monotonic() + self._offset
