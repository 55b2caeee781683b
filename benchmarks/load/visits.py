"""Clients that come, do a few things and leave, in C: see visits.c for what they do, and what is checked."""

from __future__ import annotations

import ctypes
import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load.latencies import BUCKETS, percentile
from benchmarks.load.library import load

TOKEN = "T" * 64
"""Stands in a request where the token goes that an earlier step of the same visit has got."""

NUMBER = "N" * 14
"""Stands in a request where the number of the visit goes."""

MOST_MESSAGES = 64  # that one client may have to get
FAILURES = (
    "",
    "the server refused a connection",
    "the server closed a connection",
    "nobody got an answer any more",
    "messages came that nobody had to get",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A request, the same for all clients or one for each, and what its answer ends with: a text, or all messages."""

    requests: Sequence[bytes]
    until: str | None = None
    token_after: str | None = None
    connects: bool = True


class _Step(ctypes.Structure):
    _fields_ = (
        ("requests", ctypes.POINTER(ctypes.c_char_p)),
        ("request_bytes", ctypes.POINTER(ctypes.c_int32)),
        ("token_after", ctypes.c_char_p),
        ("until", ctypes.c_char_p),
        *((name, ctypes.c_int32) for name in ("connects", "token_at", "number_at")),
    )


class _Plan(ctypes.Structure):
    _fields_ = (
        ("steps", ctypes.POINTER(_Step)),
        ("first", ctypes.POINTER(ctypes.c_int64)),
        ("first_visit", ctypes.c_int64),
        ("patience", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("step_count", "clients", "messages", "port", "repeats")),
    )


_COUNTED = ("visits", "lost", "duplicated", "elapsed", "busy", "failure", "failed_step", "error")


class _Result(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in _COUNTED),
        ("told", ctypes.c_char * 256),
        ("latencies", ctypes.c_int64 * BUCKETS),
    )


@dataclass(frozen=True, slots=True)
class Visited:
    """What was found. Times are seconds; `busy` is the share of the time in which the load itself worked."""

    visits: int
    seconds: float
    busy: float
    p50: float
    p99: float


def visit(
    port: int, steps: Sequence[Step], first: Sequence[int], messages: int, seconds: float = 0.0, patience: float = 30.0
) -> Visited:
    """Let as many clients visit as `first` names the first message of, each once or for so many seconds.

    Each has to get `messages`, numbered one after the other, exactly once. Raises ValueError if it does not, or if
    nobody gets an answer for `patience` seconds.
    """
    if messages > MOST_MESSAGES:
        raise ValueError(f"At most {MOST_MESSAGES} messages can be checked, not {messages}.")
    clients = len(first)
    plan = _Plan(
        (_Step * len(steps))(*(_step(step, clients) for step in steps)),
        (ctypes.c_int64 * clients)(*first),
        time.time_ns() // 100_000,  # so that no number comes again in another run
        int(patience * 1e9),
        *(len(steps), clients, messages, port, seconds > 0),
    )
    found = _Result()
    _library().visits_run(ctypes.byref(plan), int(seconds * 1e9), ctypes.byref(found))
    if found.failure or found.lost or found.duplicated:
        counts = f"of {clients} clients {found.visits} visits were whole; lost: {found.lost}, twice: {found.duplicated}"
        told = f"; last: {found.told.decode(errors='replace')}" if found.told else ""
        raise ValueError(f"{_failure(found)} ({counts}){told}")
    elapsed = max(found.elapsed, 1) / 1e9
    latencies = list(found.latencies)
    return Visited(
        *(found.visits, elapsed, found.busy / 1e9 / elapsed), percentile(latencies, 0.5), percentile(latencies, 0.99)
    )


def _failure(found: _Result) -> str:
    """What went wrong first, where in a visit, and what the system called it."""
    if not found.failure:
        return "messages are wrong"
    error = f", {os.strerror(found.error)}" if found.error else ""
    step = f" in step {found.failed_step}" if found.failed_step else ""
    return f"{FAILURES[found.failure]}{step} after {found.elapsed / 1e9:.1f} s{error}"


def _step(step: Step, clients: int) -> _Step:
    requests = list(step.requests) if len(step.requests) == clients else [step.requests[0]] * clients
    return _Step(
        (ctypes.c_char_p * clients)(*requests),
        (ctypes.c_int32 * clients)(*map(len, requests)),
        step.token_after.encode() if step.token_after else None,
        step.until.encode() if step.until else None,
        *(step.connects, requests[0].find(TOKEN.encode()), requests[0].find(NUMBER.encode())),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    library = load("visits")
    library.visits_run.restype = None
    library.visits_run.argtypes = (ctypes.POINTER(_Plan), ctypes.c_int64, ctypes.POINTER(_Result))
    return library
