"""What a chat tells its program, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """An event of the server. `seq` is set for durable events, which come once each and in order."""

    event: str
    data: Mapping[str, Any]
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Connecting:
    """The chat dials; `attempt` counts from 0 since the last stable connection."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Online:
    """Everything up to now has been delivered, what follows is live.

    `recovered` says that it went on exactly where it was, with `missed` new messages; otherwise a fresh `history_chunk`
    has replaced whatever was known.
    """

    recovered: bool
    missed: int


@dataclass(frozen=True, slots=True)
class Offline:
    """The connection is lost, for `reason`; the next attempt comes in `retry_in` seconds. Sends wait meanwhile."""

    retry_in: float
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The chat is over; no event follows. `code` is the close code, `reason` the server's word for it."""

    code: int
    reason: str


ChatEvent = Received | Connecting | Online | Offline | Closed
