"""The supervisor of several workers, with real processes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SECONDS = 60.0

# Each worker says its number and process on a line. Those whose number is named behave badly; SIGTERM ends the others.
SCRIPT = """
import os, select, signal, sys
from anonchat.server.workers import Pace, Supervisor

count, way, *bad = sys.argv[1:]

class Told(Exception):
    pass

def told(*_):
    raise Told

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole, whoever else writes

def work(place):
    is_bad = str(place.number) in bad
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN if is_bad and way == "deaf" else told)
        say(place.number, os.getpid())
        if is_bad and way == "refused":
            return 2
        place.ready()
        if is_bad and way == "dying":
            return 3
        select.select([place.lifeline], [], [], 60)
    except Told:
        return 0
    say("orphan", place.number)
    return 0

sys.exit(Supervisor(work, int(count), 0.5, Pace(first=0.01, longest=0.05, most=3)).run())
"""


class Supervised:
    """The supervisor's process and what its workers say."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def started(self, count: int) -> dict[int, int]:
        """The process of each of the next workers that start."""
        return {int(number): int(pid) for number, pid in (self.line() for _ in range(count))}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def supervised(count: int, way: str = "well", *bad: int) -> Iterator[Supervised]:
    command = [sys.executable, "-c", SCRIPT, str(count), way, *map(str, bad)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield Supervised(process)
        finally:
            process.kill()  # after which the workers end by themselves


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_worker_that_dies_is_started_again_and_all_end_when_told() -> None:
    with supervised(3) as running:
        pids = running.started(3)
        assert pids.keys() == {0, 1, 2}
        assert len({*pids.values(), running.process.pid}) == 4
        os.kill(pids[1], signal.SIGKILL)
        line = running.line()
        while not line[0].isdecimal():
            line = running.line()  # what is logged about it
        assert (line[0], line[1] != str(pids[1])) == ("1", True)
        assert running.end() == 0
        assert not any(map(is_alive, [*pids.values(), int(line[1])]))


def test_one_that_dies_again_and_again_is_given_up_and_the_others_go_on() -> None:
    with supervised(2, "dying", 1) as running:
        assert running.process.stdout is not None
        lines: list[str] = []
        while not lines or "given up" not in lines[-1]:
            lines.append(running.process.stdout.readline())
        assert sum(line.startswith("1 ") for line in lines) == 4
        (good,) = (int(line.split()[1]) for line in lines if line.startswith("0 "))
        assert is_alive(good)
        assert running.end() == 1


def test_a_refused_start_starts_no_other() -> None:
    with supervised(3, "refused", 0) as running:
        assert running.process.wait(SECONDS) == 2
        assert running.process.stdout is not None
        assert [line[:2] for line in running.process.stdout.readlines()] == ["0 "]


def test_one_that_does_not_listen_is_killed_in_time() -> None:
    with supervised(2, "deaf", 1) as running:
        pids = running.started(2)
        begun = time.monotonic()
        assert running.end() == 128 + signal.SIGKILL
        assert 0.5 <= time.monotonic() - begun < 5
        assert not any(map(is_alive, pids.values()))


def test_workers_end_when_the_supervisor_is_killed() -> None:
    with supervised(2) as running:
        running.started(2)
        running.end(signal.SIGKILL)
        assert {tuple(running.line()), tuple(running.line())} == {("orphan", "0"), ("orphan", "1")}
