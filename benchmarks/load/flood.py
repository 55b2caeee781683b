"""Rooms full of members who send and receive, in C: see flood.c for what is sent, and what is checked."""

from __future__ import annotations

import ctypes
import functools
import random
import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from benchmarks.load.latencies import BUCKETS, percentile
from benchmarks.load.library import load
from benchmarks.load.sockets import Ticket, masked, open_sockets

DIGITS = "0" * 14
TEXTS = 2_000  # that differ; nobody says the same twice in a row, which rules of a chat refuse
WORDS = 12  # of a text, of six letters each
DEPTH = 256  # messages of a lane that may be under way in an open loop
FAILURES = (
    "",
    "the server closed a connection",
    "the server read nothing for a second",
    "the server fell so far behind that the load had to stop",
    "the server sent a frame without end",
    "the server refused a message",
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a competitor speaks in WebSocket text frames.

    `message` makes the frame's payload of a text and an id, and the server repeats the text to all members, the author
    among them, and the id to the author. `ping` and `pong` are question and answer of its own, beside the protocol's.
    """

    ready: bytes
    message: Callable[[str, str], str]
    ping: str = ""
    pong: str = ""


class _Plan(ctypes.Structure):
    _fields_ = (
        ("sockets", ctypes.POINTER(ctypes.c_int32)),
        ("frames", ctypes.c_char_p),
        ("ping", ctypes.c_char_p),
        ("pong", ctypes.c_char_p),
        *((name, ctypes.c_int32) for name in ("rooms", "members", "lanes", "authors", "depth")),
        *((name, ctypes.c_int32) for name in ("frame_bytes", "frame_count", "text_at", "id_at")),
        *((name, ctypes.c_int32) for name in ("ping_bytes", "pong_bytes")),
        ("patience", ctypes.c_int64),
    )


COUNTS = ("sent", "completed", "acked", "delivered", "lost", "duplicated", "stray", "elapsed", "busy", "failure")


class _Result(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in COUNTS),
        ("refusal", ctypes.c_char * 256),
        ("latencies", ctypes.c_int64 * BUCKETS),
        ("ack_latencies", ctypes.c_int64 * BUCKETS),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What one run has found. Times are seconds; `busy` is the share of the time in which the load itself worked."""

    sent: int
    delivered: int
    acked: int
    lost: int
    duplicated: int
    stray: int
    seconds: float
    busy: float
    p50: float
    p99: float
    ack_p50: float
    failure: str

    def check(self) -> None:
        """Raise ValueError unless every message came to every member exactly once, and was acknowledged."""
        if self.failure or self.lost or self.duplicated or self.stray:
            counts = f"lost: {self.lost}, twice: {self.duplicated}, not to be expected: {self.stray}"
            raise ValueError(f"{self.failure or 'deliveries are wrong'} (of {self.sent} messages {counts})")


class Flood:
    """Open sockets of `rooms` with as many members each; a context manager that closes them.

    `lanes` of each room send, one message after another, by so many `authors`; with `depth` more than one, an open loop
    may have so many messages of a lane under way. What has not come after `patience` seconds without a delivery is lost.
    """

    def __init__(
        self,
        port: int,
        dialect: Dialect,
        rooms: Sequence[Sequence[Ticket]],
        lanes: int,
        authors: int,
        depth: int = 1,
        patience: float = 10.0,
    ) -> None:
        self._library = _library()
        self._sockets = open_sockets(port, [ticket for room in rooms for ticket in room], dialect.ready)
        numbers = [one.fileno() for one in self._sockets]
        texts = _frames(dialect)
        text_at, id_at = (texts[0].index(mark + DIGITS.encode()) + 2 for mark in (b"~d", b"~a"))
        plan = _Plan(
            (ctypes.c_int32 * len(numbers))(*numbers),
            b"".join(texts),
            *(dialect.ping.encode(), masked(dialect.pong)),
            *(len(rooms), len(rooms[0]), lanes, authors, depth),
            *(len(texts[0]), len(texts), text_at, id_at),
            *(len(dialect.ping), len(masked(dialect.pong))),
            int(patience * 1e9),
        )
        self._plan = plan  # its arrays live as long as this
        self._flood = self._library.flood_open(ctypes.byref(plan))

    def run(self, seconds: float, rate: float = 0.0) -> Run:
        """Send for so long: in a closed loop, or `rate` messages a second, or nothing if that is negative."""
        found = _Result()
        self._library.flood_run(self._flood, round(seconds * 1e9), rate, ctypes.byref(found))
        elapsed = max(found.elapsed, 1) / 1e9
        return Run(
            *(found.sent, found.delivered, found.acked, found.lost, found.duplicated, found.stray),
            seconds=elapsed,
            busy=found.busy / 1e9 / elapsed,
            p50=percentile(list(found.latencies), 0.5),
            p99=percentile(list(found.latencies), 0.99),
            ack_p50=percentile(list(found.ack_latencies), 0.5),
            failure=" ".join((FAILURES[found.failure], found.refusal.decode(errors="replace"))).strip(),
        )

    def __enter__(self) -> Flood:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._library.flood_close(self._flood)
        for one in self._sockets:
            one.close()


def _frames(dialect: Dialect) -> list[bytes]:
    """Frames of equal length with texts that differ, and ids that no other flood has: a repeated one sends nothing."""
    flood = secrets.token_hex(4)
    source = random.Random(1)
    words = ["".join(source.choices(string.ascii_lowercase, k=6)) for _ in range(TEXTS)]
    texts = (" ".join((f"~d{DIGITS}", *source.choices(words, k=WORDS))) for _ in range(TEXTS))
    return [masked(dialect.message(text, f"~a{DIGITS}-{flood}")) for text in texts]


@functools.cache
def _library() -> ctypes.CDLL:
    library = load("flood")
    library.flood_open.restype = ctypes.c_void_p
    library.flood_open.argtypes = (ctypes.POINTER(_Plan),)
    library.flood_run.restype = None
    library.flood_run.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.POINTER(_Result))
    library.flood_close.restype = None
    library.flood_close.argtypes = (ctypes.c_void_p,)
    return library
