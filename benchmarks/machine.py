"""This machine: which core is whose, what a process has used, and what is installed."""

from __future__ import annotations

import functools
import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cores:
    """Where servers run, and where the load."""

    server: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The first core that this process may use for servers, and all others for the load, if there are any."""
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others or {first}))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """This thread, and processes that it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far, all its threads in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def thread_seconds(pid: int) -> dict[int, tuple[float, float]]:
    """Thread id -> processor time that it has used so far, in user and in system mode."""
    used = {}
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        user, system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
        used[int(stat.parent.name)] = user, system
    return used


def busy_share(seconds: float) -> float:
    """The share of all cores that is in use, by whomever, during the next so many seconds."""
    before = _core_ticks()
    time.sleep(seconds)
    busy, every = (after - earlier for after, earlier in zip(_core_ticks(), before, strict=True))
    return busy / every if every else 0.0


def _core_ticks() -> tuple[int, int]:
    """(ticks in use, all ticks) of all cores since the machine was started."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    idle = ticks[3] + ticks[4]  # and waiting for a disk
    return sum(ticks) - idle, sum(ticks)


def resident_kib(pid: int) -> int:
    """The resident set of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def raise_file_limit() -> int:
    """Let this process and those it starts open as many files as the system lets them; answers how many that are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def description() -> str:
    """Processor, cores, memory and system, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, {platform.system()} {platform.release()}"


@functools.cache
def version_of(*command: str) -> str:
    """The first line that a program says about its version; empty where it is not installed.

    Asked once: the results that a run writes into the tree do not change which commit it measures.
    """
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.partition("\n")[0].strip()
