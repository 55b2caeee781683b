"""Work that runs now and then: registered, leased so that one node at a time does it, and counted."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass

import structlog

from anonchat.clock import Clock
from anonchat.declarations import Job
from anonchat.errors import ChatError, StartError
from anonchat.metrics import Metrics
from anonchat.storage import Ephemeral

log = structlog.get_logger("anonchat.jobs")

TICK_SECONDS = 0.25
JOB_SECONDS = 300.0  # after which a run is cut off
# A lease lasts for so many intervals of its job, and so many seconds at least: what is urgent does not wait long for a
# node that died.
LEASE_INTERVALS, LEAST_LEASE_SECONDS = 4, 4.0


@dataclass(slots=True)
class _Scheduled:
    job: Job
    everywhere: bool
    due: int
    running: asyncio.Task[None] | None = None


class Jobs:
    """The schedule of one node. A job never overlaps itself, and one that fails runs again when it is due."""

    def __init__(self, clock: Clock, ephemeral: Ephemeral, metrics: Metrics, lease_seconds: float) -> None:
        self._clock = clock
        self._ephemeral = ephemeral
        self._metrics = metrics
        self._lease = round(lease_seconds * 1_000)
        self._node = secrets.token_hex(8).encode()
        self._jobs: dict[str, _Scheduled] = {}
        self._finished: dict[str, int] = {}
        self._elsewhere: set[str] = set()
        self._started = clock.now()
        self._loop: asyncio.Task[None] | None = None

    def add(self, job: Job, *, everywhere: bool = False) -> None:
        """Register a job; with `everywhere` each node runs it for itself, without a lease. Raises `StartError`."""
        if job.name in self._jobs:
            raise StartError(f"Two jobs are named {job.name!r}.")
        self._jobs[job.name] = _Scheduled(job, everywhere, self._clock.now() + round(job.seconds * 1_000))

    def is_overdue(self, name: str, seconds: float) -> bool:
        """Whether this node has tried the job and not finished it for so long. False where another node runs it."""
        job = self._jobs.get(name)
        if job is None or name in self._elsewhere:
            return False
        return self._clock.now() > self._finished.get(name, self._started) + seconds * 1_000

    def start(self) -> None:
        """Begin to run what is due, in the running event loop."""
        self._started = self._clock.now()
        self._loop = asyncio.create_task(self._run_forever())

    async def stop(self) -> None:
        """Cut off what runs, and give the leases back so that another node can go on at once."""
        tasks = [task for task in (self._loop, *(scheduled.running for scheduled in self._jobs.values())) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(ChatError):  # then they run out
            for name, scheduled in self._jobs.items():
                if not scheduled.everywhere:
                    await self._ephemeral.remove(f"job:{name}", only_if=self._node)

    async def _run_forever(self) -> None:
        while True:
            now = self._clock.now()
            for scheduled in self._jobs.values():
                interval = round(scheduled.job.seconds * 1_000)
                # The second condition catches a clock that was set back.
                if scheduled.running is None and (now >= scheduled.due or scheduled.due > now + interval):
                    scheduled.due = now + interval
                    scheduled.running = asyncio.create_task(self._run(scheduled))
            await asyncio.sleep(TICK_SECONDS)

    async def _run(self, scheduled: _Scheduled) -> None:
        name = scheduled.job.name
        outcome = "failed"
        try:
            if not scheduled.everywhere:
                outcome = await self._turn(scheduled.job)
                if outcome:
                    return
            self._elsewhere.discard(name)
            await self._run_leased(scheduled)
            outcome = "done"
            self._finished[name] = self._clock.now()
            self._metrics.job_finished.labels(name).set(self._clock.now() / 1_000)
        except Exception:
            log.exception("job failed", job=name)
        finally:
            self._metrics.jobs.labels(name, outcome).inc()
            scheduled.running = None

    async def _turn(self, job: Job) -> str:
        """Why this node does not run the job now: "elsewhere" or "unleased"; empty if it does."""
        try:
            mine = await self._leased(job)
        except ChatError as error:
            log.warning("a job waits: nobody can say whose turn it is", job=job.name, code=error.code)
            return "unleased"
        if not mine:
            self._elsewhere.add(job.name)
            return "elsewhere"
        return ""

    async def _run_leased(self, scheduled: _Scheduled) -> None:
        """One run, which keeps its lease however long it takes."""
        keeping = None if scheduled.everywhere else asyncio.create_task(self._keep_lease(scheduled.job))
        try:
            async with asyncio.timeout(JOB_SECONDS):
                await scheduled.job.run()
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_lease(self, job: Job) -> None:
        lease = self._lease_of(job)
        while True:
            await asyncio.sleep(lease / 3_000)
            with suppress(ChatError):  # the next time may go better
                if await self._ephemeral.get(f"job:{job.name}") == self._node:
                    await self._ephemeral.put(f"job:{job.name}", self._node, lease)

    async def _leased(self, job: Job) -> bool:
        """Whether this node holds the lease of the job, or can take it."""
        key, lease = f"job:{job.name}", self._lease_of(job)
        holder = await self._ephemeral.get(key)
        if holder == self._node:
            return await self._ephemeral.put(key, self._node, lease)
        if holder is not None:
            return False
        return await self._ephemeral.put(key, self._node, lease, only_if_absent=True)

    def _lease_of(self, job: Job) -> int:
        """Milliseconds."""
        return min(self._lease, round(max(LEAST_LEASE_SECONDS, LEASE_INTERVALS * job.seconds) * 1_000))
