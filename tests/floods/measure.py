"""How long two people wait for each other beside each kind of flood, against the same room without it.

    make floods [ARGUMENTS="pings 'stopped readers'"]

The server, those who flood it, and the two people are processes of their own. With and without take turns, so that
whatever else the machine does meets both alike. What counts is the median of twenty turns with a thousand messages each: a
disk that is slow once must not decide. Linux only, for memory and processor of the server.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from anonchat.config.settings import LimitSettings
from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess, environment
from benchmarks.machine import processor_seconds

from .bystanders import open_room, resident_bytes, talk

PROCESSORS = sorted(os.sched_getaffinity(0))
ROUNDS = 20
MESSAGES, RATE = 1_000, 1_000.0  # in a turn; a second
WARM_UP = 500
SETTLE_SECONDS = 1.0
QUIET = 0.05  # of a processor
COMING_SECONDS = 60.0
IDLE_ROOM = 100


class Size(NamedTuple):
    """Connections, and frames or bytes a second of all of them."""

    connections: int
    rate: float


SIZES = {
    "stopped readers": Size(100, 1_000),
    "idle connections": Size(10_000, 1_000),
    "reconnect storm": Size(5_000, 5_000),
    "handshakes": Size(500, 1_000),
    "slow headers": Size(500, 500),
    "slow bodies": Size(500, 500),
    "pings": Size(100, 5_000),
    "malformed frames": Size(100, 9_000),  # more than 100,000 in all turns together
    "malformed, limited": Size(100, 9_000),
}

LIMITED = {"malformed, limited": "malformed frames"}
"""What meets the limit of violations that servers are shipped with, and which kind it is; otherwise no rate is limited."""

FLOODING = "127.0.0.2"
"""The network of those who flood, which is not that of the two who talk."""


OTHER_ROOMS = frozenset({"idle connections", "reconnect storm"})

STAYING = frozenset({"stopped readers", "idle connections", "slow headers", "slow bodies", "pings"})
"""Those who come once: what is measured begins when all are there, for hundreds that connect are another flood."""

COMING = frozenset({"reconnect storm"})
"""That other flood: what is measured begins with the first of them."""

INSTEAD = {"stopped readers": "idle connections"}
"""What is there when the flood is not, in place of nobody: they are receivers, who cost their share if they read, too."""

ELSEWHERE = frozenset({"slow headers", "slow bodies"})
"""What floods another port when it does not flood the server: what it does to the machine must not count for the server."""


class Figures(NamedTuple):
    """Of each turn: the 99th percentile of the seconds that messages took, without and with; acts; bytes added. The log."""

    without: list[float]
    beside: list[float]
    acts: list[int]
    added: list[int]
    lines: list[str]


def main() -> None:
    """Measure the kinds that the command line names, all without one."""
    print(
        f"{'flood':18} {'connections':>11} {'acts':>8} {'p99 ms':>8} {'beside':>8} {'ratio':>6} {'MiB':>6} {'log':>4}"
    )
    for kind in sys.argv[1:] or SIZES:
        found = measure(kind)
        without, beside = statistics.median(found.without), statistics.median(found.beside)
        print(
            f"{kind:18} {SIZES[kind].connections:11} {sum(found.acts):8} {1e3 * without:8.2f} {1e3 * beside:8.2f} "
            f"{beside / without:6.2f} {max(found.added) / (1 << 20):6.1f} {len(found.lines):4}",
            flush=True,
        )


def percentile(seconds: Sequence[float]) -> float:
    """The 99th."""
    return statistics.quantiles(seconds, n=100)[98]


def measure(kind: str) -> Figures:
    """Take turns on a server of its own."""
    # Without a grace those who go have left before anything is measured without them.
    violations = LimitSettings().violations_per_network if kind in LIMITED else "off"
    limits = {"identify_seconds": 10, "violations_per_network": violations}
    tables = environment(limits=limits, sessions={"grace_seconds": 0})
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder), tables) as server:
        _share_processors(server)
        rest, connections = Rest(server.port), SIZES[kind].connections
        if kind in OTHER_ROOMS:
            # In the same room they would be receivers, which is no flood but a large room.
            tokens = open_room(rest, 2)
            crowd = [token for _ in range(connections // IDLE_ROOM) for token in open_room(rest, IDLE_ROOM)]
        else:
            tokens = open_room(rest, 2 + connections)
            crowd = tokens[2:]
        asyncio.run(talk(server.port, tokens, WARM_UP, RATE))
        found = Figures([], [], [], [], [])
        for _ in range(ROUNDS):
            _until_quiet(server)
            with without(kind, server.port, crowd):
                found.without.append(percentile(asyncio.run(talk(server.port, tokens, MESSAGES, RATE))))
            _until_quiet(server)
            before = resident_bytes(server.pid)
            with flooding(kind, server.port, crowd) as done:
                found.beside.append(percentile(asyncio.run(talk(server.port, tokens, MESSAGES, RATE))))
                found.added.append(resident_bytes(server.pid) - before)
            found.acts.extend(done)
        found.lines.extend(server.log.splitlines())
        return found


@contextmanager
def without(kind: str, port: int, tokens: Sequence[str]) -> Iterator[None]:
    """What is there while the server at `port` is not flooded."""
    if kind in INSTEAD:
        with flooding(INSTEAD[kind], port, tokens):
            yield
    elif kind in ELSEWHERE:
        # The system takes the connections and keeps what they bring; no process has any work with it.
        with (
            socket.create_server(("127.0.0.1", 0), backlog=2 * len(tokens)) as unread,
            flooding(kind, unread.getsockname()[1], tokens),
        ):
            yield
    else:
        yield


@contextmanager
def flooding(kind: str, port: int, tokens: Sequence[str]) -> Iterator[list[int]]:
    """A process that floods, with a connection for each token; the list it gives holds at the end how much it did."""
    arguments = map(str, (port, len(tokens), SIZES[kind].rate, FLOODING))
    command = [sys.executable, "-m", "tests.floods.kinds", LIMITED.get(kind, kind), *arguments]
    done: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write("\n".join(tokens))
        process.stdin.close()
        process.stdin = None  # closed; communicate() would flush it
        try:
            _wait_for(process, len(tokens) if kind in STAYING else 0)
            asyncio.run(asyncio.sleep(0 if kind in COMING else SETTLE_SECONDS))
            yield done
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=120)
            done.append(int(output.split()[-1]))


def _share_processors(server: ServerProcess) -> None:
    """One for the server, and the others for those who talk and flood, so that they wait for the server alone."""
    first, *others = PROCESSORS
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {first})
    os.sched_setaffinity(0, others or {first})


def _until_quiet(server: ServerProcess) -> None:
    """Until it has nothing more to do with those who went. Raises AssertionError if that never ends."""
    deadline = time.monotonic() + COMING_SECONDS
    is_quiet = False
    while not is_quiet:
        assert time.monotonic() < deadline, "the server does not come to rest"
        before = processor_seconds(server.pid)
        time.sleep(SETTLE_SECONDS)
        is_quiet = processor_seconds(server.pid) - before < QUIET * SETTLE_SECONDS


def _wait_for(process: subprocess.Popen[str], connections: int) -> None:
    """Until so many are there, or at least the first has come. Raises ValueError if they do not come."""
    assert process.stdout is not None
    end = threading.Timer(COMING_SECONDS, process.kill)
    end.start()
    try:
        while int(process.stdout.readline()) < connections:
            pass
    finally:
        end.cancel()


if __name__ == "__main__":
    main()
