"""Networks whose connections had to be closed again and again for what they sent: for a minute most of theirs wait in vain.

Whoever floods a server with nonsense comes again as often as its connection is closed, and to take a connection costs more
than all the rest. Closed at once it would come again at once; so it waits, unread, and costs a descriptor and a few KiB.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from anonchat.clock import Clock
from anonchat.config.values import IPNetwork
from anonchat.limits import Network, Networks, is_trusted
from anonchat.plugins.dispatch import Dispatcher
from anonchat.rates import Rates

log = structlog.get_logger("anonchat.http")

VIOLATIONS = frozenset({1002, 1003, 1007, 1009, 4400, 4429})
"""Codes of connections that were closed for what came: a broken protocol, too much, or nonsense on and on."""

KEPT_OFF_SECONDS = 60.0

ANSWERED = "10/second"
"""Connections of a network that is kept off which are answered all the same, for others may sit behind its address: their
requests are served, and their sockets refused with the reason."""

SPARED = ("127.0.0.1", "::1")
"""From here come proxies on the same machine; one that `[server] trusted_proxies` does not name stands for all its people."""

WAITING_SECONDS = 15.0
UNREAD_BYTES = 2_048  # that the system keeps of what comes on one of them
MOST_WAITING = 1_000  # connections of all such networks; what is more is closed at once
MOST_NETWORKS = 10_000  # that are kept off at once; of more, those that have been for longest come back


class Tarpit:
    """Who is kept off, on this node and in memory only. Not thread-safe; belongs to one event loop."""

    def __init__(
        self, rate: str, trusted: Sequence[IPNetwork], networks: Networks, dispatcher: Dispatcher, clock: Clock
    ) -> None:
        """`rate` is `[limits] violations_per_network`, and `trusted` are the proxies, whose connections are never kept."""
        self._rate = rate
        self._trusted = trusted
        self._networks = networks
        self._dispatcher = dispatcher
        self._rates = Rates(clock)
        self._until: OrderedDict[str, float] = OrderedDict()
        """By network, in the time of the event loop; the first to end comes first."""
        self._waiting: deque[socket.socket] = deque()

    def blame(self, network: Network, code: int | None) -> None:
        """A connection from there was closed with that code."""
        if code not in VIOLATIONS or self._rate == "off" or self._is_spared(network):
            return
        if not self._rates.hit(self._rate, f"violations:{network.today}"):
            return
        if self.wait(network) == 0:
            self._dispatcher.observe("limit_exceeded", limit="violations_per_network")
            log.warning("a network is kept off for a minute: what it sent broke the protocol again and again")
        self._until[network.today] = asyncio.get_running_loop().time() + KEPT_OFF_SECONDS
        self._until.move_to_end(network.today)
        if len(self._until) > MOST_NETWORKS:
            self._until.popitem(last=False)

    def wait(self, network: Network) -> int:
        """Milliseconds until a network may come again; 0 if it is not kept off."""
        left = self._until.get(network.today, 0.0) - asyncio.get_running_loop().time()
        return max(0, math.ceil(1_000 * left))

    def takes(self, connection: socket.socket, address: str) -> bool:
        """Whether a new connection is not to be answered; then it is closed by and by, unread."""
        if not self._is_anybody_kept_off():
            return False
        network = self._networks.known(address)
        if not self.wait(network) or is_trusted(address, self._trusted):
            return False
        if not self._rates.hit(ANSWERED, f"answered:{network.today}"):
            return False
        if len(self._waiting) < MOST_WAITING:
            with suppress(OSError):  # some systems say so if it is closed by now
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
            self._waiting.append(connection)
            asyncio.get_running_loop().call_later(WAITING_SECONDS, self._close_oldest)
        else:
            connection.close()
        return True

    def _is_spared(self, network: Network) -> bool:
        return any(network.today == self._networks.known(address).today for address in SPARED)

    def _is_anybody_kept_off(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        return bool(self._until)

    def close(self) -> None:
        """Close all that wait, when descriptors are needed or the server stops."""
        while self._waiting:
            self._waiting.popleft().close()

    def _close_oldest(self) -> None:
        if self._waiting:
            self._waiting.popleft().close()
