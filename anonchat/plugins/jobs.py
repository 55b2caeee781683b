"""Work that runs now and then: registered, leased so that one node at a time does it, and counted."""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass

import structlog

from anonchat.clock import TICK_SECONDS, Clock, next_tick
from anonchat.errors import ChatError, StartError
from anonchat.observability.metrics import Metrics
from anonchat.plugins.declarations import Job
from anonchat.storage.roles import Ephemeral

log = structlog.get_logger("anonchat.jobs")

LEAST_TICK_SECONDS = 0.25  # for those who have a job that is to run more often than twice a second
JOB_SECONDS = 300.0  # after which a run is cut off
# A lease lasts for so many intervals of its job, and so many milliseconds at least: what is urgent does not wait long for
# a node that died.
LEASE_INTERVALS, LEAST_LEASE = 4, 4_000


@dataclass(slots=True)
class _Scheduled:
    """A job. Times are milliseconds, but that of the next `renewal` of its lease, which is of the event loop."""

    job: Job
    everywhere: bool
    interval: int
    due: int
    lease: int
    running: asyncio.Task[None] | None = None
    renewal: float = math.inf
    renewing: asyncio.Task[None] | None = None

    def renew_later(self) -> None:
        """The lease was taken or renewed just now."""
        self.renewal = asyncio.get_running_loop().time() + self.lease / 3_000


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
        self._elsewhere: dict[str, int] = {}  # when another node had the lease
        self._started = clock.now()
        self._tick = TICK_SECONDS
        self._loop: asyncio.Task[None] | None = None

    def add(self, job: Job, *, everywhere: bool = False) -> None:
        """Register a job; with `everywhere` each node runs it for itself, without a lease. Raises `StartError`."""
        if job.name in self._jobs:
            raise StartError(f"Two jobs are named {job.name!r}.")
        interval = round(job.seconds * 1_000)
        lease = min(self._lease, max(LEAST_LEASE, LEASE_INTERVALS * interval))
        self._jobs[job.name] = _Scheduled(job, everywhere, interval, self._clock.now() + interval, lease)

    def is_overdue(self, name: str, seconds: float) -> bool:
        """Whether the job was not finished here for so long, nor seen to be another node's, which then says so itself."""
        if name not in self._jobs:
            return False
        seen = max(self._finished.get(name, self._started), self._elsewhere.get(name, self._started))
        return self._clock.now() > seen + seconds * 1_000

    def start(self) -> None:
        """Begin to run what is due, in the running event loop."""
        self._started = self._clock.now()
        shortest = min([scheduled.job.seconds for scheduled in self._jobs.values()], default=TICK_SECONDS)
        self._tick = min(TICK_SECONDS, max(LEAST_TICK_SECONDS, shortest))
        self._loop = asyncio.create_task(self._run_forever())

    async def stop(self) -> None:
        """Cut off what runs, and give the leases back so that another node can go on at once."""
        of_jobs = [task for scheduled in self._jobs.values() for task in (scheduled.running, scheduled.renewing)]
        tasks = [task for task in (self._loop, *of_jobs) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(ChatError):  # then they run out
            for name, scheduled in self._jobs.items():
                if not scheduled.everywhere:
                    await self._ephemeral.remove(f"job:{name}", only_if=self._node)

    async def _run_forever(self) -> None:
        loop = asyncio.get_running_loop()
        early = round(self._tick * 250)  # no job waits for the next tick because this one came a little too soon
        while True:
            now, time = self._clock.now(), loop.time()
            for scheduled in self._jobs.values():
                if scheduled.running is not None:
                    if time >= scheduled.renewal:
                        scheduled.renewal = math.inf
                        scheduled.renewing = asyncio.create_task(self._renew(scheduled))
                # The second condition catches a clock that was set back.
                elif now >= scheduled.due or scheduled.due > now + scheduled.interval:
                    scheduled.due = now + scheduled.interval - early
                    scheduled.running = asyncio.create_task(self._run(scheduled))
            await asyncio.sleep(next_tick(loop.time(), self._tick) - loop.time())

    async def _run(self, scheduled: _Scheduled) -> None:
        name = scheduled.job.name
        outcome = "failed"
        try:
            if not scheduled.everywhere and (reason := await self._turn(scheduled)):
                outcome = reason
                return
            self._elsewhere.pop(name, None)
            async with asyncio.timeout(JOB_SECONDS):
                await scheduled.job.run()
            outcome = "done"
            self._finished[name] = self._clock.now()
            self._metrics.job_finished.labels(name).set(self._clock.now() / 1_000)
        except (Exception, SystemExit):  # which would end the server
            log.exception("job failed", job=name)
        finally:
            self._metrics.jobs.labels(name, outcome).inc()
            scheduled.running, scheduled.renewal = None, math.inf

    async def _turn(self, scheduled: _Scheduled) -> str:
        """Why this node does not run the job now: "elsewhere" or "unleased"; empty if it does, and then it has the lease."""
        name = scheduled.job.name
        try:
            mine = await self._leased(scheduled)
        except ChatError as error:
            log.warning("a job waits: nobody can say whose turn it is", job=name, code=error.code)
            return "unleased"
        if not mine:
            self._elsewhere[name] = self._clock.now()
            return "elsewhere"
        scheduled.renew_later()
        return ""

    async def _renew(self, scheduled: _Scheduled) -> None:
        """Keep the lease of a run that takes long; a run whose lease another node has is cut off."""
        run, kept = scheduled.running, True
        with suppress(ChatError):  # the next time may go better
            kept = await self._leased(scheduled)
        if run is None or run is not scheduled.running:
            return  # it is done by now
        if kept:
            scheduled.renew_later()
        else:
            log.warning("a job is cut off: another node has its lease", job=scheduled.job.name)
            run.cancel()

    async def _leased(self, scheduled: _Scheduled) -> bool:
        """Whether this node holds the lease of the job, which is renewed then, or can take it."""
        key, lease = f"job:{scheduled.job.name}", scheduled.lease
        return await self._ephemeral.put(key, self._node, lease, only_if=self._node) or await self._ephemeral.put(
            key, self._node, lease, only_if_absent=True
        )
