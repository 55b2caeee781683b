"""What a server uses over time: memory, descriptors, threads, tasks."""

from __future__ import annotations

import asyncio
import statistics
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from anonchat.testing.processes import ServerProcess

SAMPLE_SECONDS = 2.0
SETTLED = 1 / 3  # of the samples, after which caches are full


class Usage(NamedTuple):
    """At a moment, in seconds; memory in megabytes."""

    moment: float
    memory: float
    descriptors: float
    threads: float
    tasks: float


def usage_of(server: ServerProcess, token: str) -> Usage:
    """What the process uses now. Linux only."""
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        metrics = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    process = Path(f"/proc/{server.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    memory = int(status["VmRSS"].split()[0]) / 1_000
    descriptors = sum(1 for _ in (process / "fd").iterdir())
    return Usage(time.monotonic(), memory, descriptors, int(status["Threads"]), float(metrics["anonchat_tasks"]))


async def watch(server: ServerProcess, token: str, samples: list[Usage]) -> None:
    """Add a sample every two seconds, until cancelled; a server that does not answer is asked again."""
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        try:
            samples.append(await asyncio.to_thread(usage_of, server, token))
        except OSError:
            continue


def settled(samples: Sequence[Usage]) -> Sequence[Usage]:
    """Those after the beginning."""
    return samples[int(len(samples) * SETTLED) :]


def slope(samples: Sequence[Usage], name: str) -> float:
    """By how much something grows in an hour, on the line that fits the samples best."""
    fit = statistics.linear_regression(
        [sample.moment for sample in samples], [getattr(sample, name) for sample in samples]
    )
    return fit.slope * 3_600
