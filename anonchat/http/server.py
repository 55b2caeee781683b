"""Routes about the server itself: health, metrics, what it keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from anonchat.errors import ChatError
from anonchat.http import answers
from anonchat.observability.metrics import Metrics
from anonchat.plugins.declarations import Answer, Request, Route

HEALTH_PATH, READY_PATH, METRICS_PATH = "/health", "/health/ready", "/metrics"
UNCOUNTED = frozenset({HEALTH_PATH, READY_PATH, METRICS_PATH})
"""What load balancers and monitors ask for again and again, often for many nodes and from one address."""
EXAMINED_SECONDS = 1.0
CHECK_SECONDS = 5.0

log = structlog.get_logger("anonchat.http")

Check = Callable[[], Awaitable[None]]


class ServerRoutes:
    """``/health``, ``/health/ready`` and ``/metrics``."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        between_nodes: Mapping[str, Check],
        metrics: Metrics,
        state: Callable[[], Mapping[str, Any]],
        draining: Callable[[], bool],
    ) -> None:
        """`between_nodes` are dependencies without which a node goes on for its own people."""
        self._checks = {**checks, **between_nodes}
        self._dispensable = frozenset(between_nodes)
        self._metrics = metrics
        self._state = state
        self._draining = draining
        self._examined: dict[str, str] = {}
        self._examined_at = -EXAMINED_SECONDS
        self._examining = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What the core offers about itself."""
        return (
            Route("GET", HEALTH_PATH, self.health, answer=answers.Health(), summary="Whether the process answers"),
            Route(
                "GET",
                READY_PATH,
                self.ready,
                answer=answers.Readiness(),
                summary="Whether each dependency answers",
            ),
            Route("GET", METRICS_PATH, self.metrics, auth="operator", summary="Prometheus metrics"),
        )

    async def health(self, _: Request) -> Answer:
        return Answer({"status": "ok"})

    async def ready(self, _: Request) -> Answer:
        """503 while a dependency does not answer or the server is going away; the body says which.

        Still 200 if it is one between nodes: all nodes miss it, and nobody would be left to serve anybody.
        """
        dependencies = await self._examine()
        missing = {name for name, state in dependencies.items() if state != "ok"}
        status = "draining" if self._draining() else "degraded" if missing else "ok"
        body = {"status": status, "dependencies": dependencies, **self._state()}
        return Answer(body, 503 if status == "draining" or missing - self._dispensable else 200)

    async def _examine(self) -> dict[str, str]:
        """Each dependency and "ok" or what is wrong with it, at most a second old: a look costs a write."""
        async with self._examining:
            if time.monotonic() > self._examined_at + EXAMINED_SECONDS:
                outcomes = await asyncio.gather(*(_outcome(check) for check in self._checks.values()))
                self._examined = dict(zip(self._checks, outcomes, strict=True))
                self._examined_at = time.monotonic()
                for name, outcome in self._examined.items():
                    self._metrics.dependency_up.labels(name).set(outcome == "ok")
        return dict(self._examined)

    async def metrics(self, _: Request) -> Answer:
        await self._examine()
        return Answer(self._metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


async def _outcome(check: Check) -> str:
    """ "ok", or the code of what is wrong."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except ChatError as error:
        return error.code
    except TimeoutError:
        log.warning("a dependency does not answer", seconds=CHECK_SECONDS)
        return "storage_unavailable"
    except Exception:
        log.exception("a dependency could not be examined")
        return "internal"
    return "ok"
