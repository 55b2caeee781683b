"""How many events that are not kept a plugin may send to one room: more would fill the queues of everybody in it."""

from __future__ import annotations

import structlog

from anonchat.clock import Clock
from anonchat.metrics import Metrics
from anonchat.rates import Rates

log = structlog.get_logger("anonchat.plugins")


class Flow:
    """What one plugin sends."""

    def __init__(self, plugin: str, rate: str, clock: Clock, metrics: Metrics) -> None:
        self._plugin = plugin
        self._rate = rate
        self._rates = Rates(clock)
        self._dropped = metrics.plugin_dropped.labels(plugin, "broadcast")

    def lets_pass(self, room_id: str) -> bool:
        """Whether one more may be sent to a room; one that may not is counted and told."""
        if self._rates.hit(self._rate, room_id) == 0:
            return True
        self._dropped.inc()
        log.error("plugin floods a room: its events are dropped", plugin=self._plugin, rate=self._rate)
        return False
