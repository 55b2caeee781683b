"""How many events that are not kept a plugin may send to one room, or to one person: more would fill their queues."""

from __future__ import annotations

import structlog

from anonchat.clock import Clock
from anonchat.observability.metrics import Metrics
from anonchat.rates import Rates

log = structlog.get_logger("anonchat.plugins")


class Flow:
    """How much one plugin may send."""

    def __init__(self, plugin: str, rate: str, clock: Clock, metrics: Metrics) -> None:
        self._plugin = plugin
        self._rate = rate
        self._rates = Rates(clock)
        self._dropped = metrics.plugin_dropped.labels(plugin, "broadcast")

    def lets_pass(self, addressed: str) -> bool:
        """Whether one more may be sent to a room, or to one session; one that may not is counted and told."""
        if self._rates.hit(self._rate, addressed) == 0:
            return True
        self._dropped.inc()
        log.error("plugin floods a room: its events are dropped", plugin=self._plugin, rate=self._rate)
        return False
