"""The server's own Prometheus metrics, in a registry of its own so that two servers in one process share nothing.

No metric has a label that could name a person, a room or an address.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from anonchat.errors import StartError
from anonchat.observability.stopwatches import Stopwatches

if TYPE_CHECKING:
    from anonchat.plugins.declarations import Metric

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """Every metric of the core as an attribute, and the plugins' by name."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.dependency_up = Gauge(
            "anonchat_dependency_up",
            "1 while what the node needs answers, by name: database and, between nodes, bus and ephemeral.",
            ["name"],
            registry=registry,
        )
        self.connections = Gauge("anonchat_connections", "Open WebSocket connections.", registry=registry)
        self.rooms_active = Gauge("anonchat_rooms_active", "Rooms with a connection on this node.", registry=registry)
        Gauge("anonchat_tasks", "Tasks of the event loop.", registry=registry).set_function(_tasks)
        self.messages = Counter("anonchat_messages", "Messages stored and acknowledged.", registry=registry)
        self.events_received = Counter("anonchat_events_received", "Client events received.", registry=registry)
        self.errors = Counter("anonchat_errors", "Coded errors told to clients, by code.", ["code"], registry=registry)
        self.commit_seconds = Histogram(
            "anonchat_send_seconds",
            "From a batch of messages handed to the database to its commit.",
            buckets=_FAST,
            registry=registry,
        )
        self.slow_closed = Counter(
            "anonchat_slow_connections", "Connections closed with 4413: they read too slowly.", registry=registry
        )
        self.gaps = Counter("anonchat_gaps_filled", "Lost publications filled from the database.", registry=registry)
        self.requests = Counter("anonchat_requests", "REST requests, by status.", ["status"], registry=registry)
        self.jobs = Counter(
            "anonchat_jobs",
            "Turns of jobs, by job and outcome: done, failed, elsewhere (another node runs it), or unleased (nobody can say "
            "whose turn it is).",
            ["job", "outcome"],
            registry=registry,
        )
        self.job_finished = Gauge(
            "anonchat_job_finished_seconds",
            "When a job last succeeded on this node, in seconds since 1970, by job.",
            ["job"],
            registry=registry,
        )
        self.retention_messages = Counter(
            "anonchat_retention_messages", "Messages deleted by retention.", registry=registry
        )
        self.retention_overdue = Gauge(
            "anonchat_retention_overdue", "1 while what should be deleted may still be there.", registry=registry
        )
        self.rooms_purged = Counter("anonchat_rooms_purged", "Rooms purged after their end.", registry=registry)
        self.loop_blocked = Counter(
            "anonchat_loop_blocked",
            "Times the event loop was blocked, by the plugin that did it, or anonchat.",
            ["by"],
            registry=registry,
        )
        labels = ["plugin", "hook"]
        self.plugin_seconds = Stopwatches(
            "anonchat_plugin_seconds", "Time in a plugin's hook, by plugin and hook.", ("plugin", "hook"), _FAST
        )
        registry.register(self.plugin_seconds)
        self.plugin_failures = Counter(
            "anonchat_plugin_failures",
            "Failures of a plugin's hook, event, route or task, by plugin and hook.",
            labels,
            registry=registry,
        )
        self.plugin_dropped = Counter(
            "anonchat_plugin_dropped",
            "Observations and events of a plugin that were dropped, by plugin and hook.",
            labels,
            registry=registry,
        )
        self.plugin_quarantined = Gauge(
            "anonchat_plugin_quarantined",
            "1 while a plugin's observers are no longer called, by plugin.",
            ["plugin"],
            registry=registry,
        )

    def of_plugin(self, plugin: str, declared: Metric) -> Counter | Gauge | Histogram:
        """Make a plugin's declared metric. Raises `StartError` if its name is taken, or is no name of a metric."""
        kinds: dict[str, type[Counter] | type[Gauge] | type[Histogram]] = {
            "counter": Counter,
            "gauge": Gauge,
            "histogram": Histogram,
        }
        name = f"anonchat_{plugin}_{declared.name}"
        try:
            return kinds[declared.kind](name, declared.text, declared.labels, registry=self.registry)
        except (ValueError, KeyError) as error:
            raise StartError(f"The metric {declared.name!r} of the plugin {plugin!r} does not fit: {error}") from error

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


def _tasks() -> float:
    """Of the running event loop; 0 where there is none."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
