"""Who may do how much, and what stands for a network without being one."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address

from anonchat.clock import Clock
from anonchat.config.settings import LimitSettings
from anonchat.config.values import IPNetwork
from anonchat.errors import ChatError
from anonchat.ids import keyed_hash
from anonchat.plugins.dispatch import Dispatcher
from anonchat.storage.roles import Ephemeral

DAY = 86_400_000
ROOM_DIGITS = 5  # hex digits, 20 bits: 4,096 IPv4 addresses share each mark of a network in a room


@dataclass(frozen=True, slots=True)
class Network:
    """Where somebody comes from, to be counted and kept out, never to be read or stored.

    `today` is a keyed hash that is another one tomorrow.
    """

    today: str
    _prefix: str = field(repr=False)
    _day_key: str = field(default="", repr=False)

    def mark(self, fingerprint: str) -> str:
        """What stands for the sender's fingerprint or device in the keys of limits: tomorrow it is another one."""
        return keyed_hash(self._day_key, "fingerprint", fingerprint)

    def within(self, key: str) -> str:
        """What stands for the network in the room with that secret, for as long as the room lives.

        It is cut short on purpose: whoever holds the database could try all addresses, and finds 4,096 that fit. Two
        networks are taken for the same once in a million.
        """
        return keyed_hash(key, "network", self._prefix)[:ROOM_DIGITS]


class Limits:
    """Rates by name. A rate is that of the setting of the same name in ``[limits]``."""

    def __init__(self, settings: LimitSettings, ephemeral: Ephemeral, dispatcher: Dispatcher) -> None:
        self._settings = settings
        self._ephemeral = ephemeral
        self._dispatcher = dispatcher

    async def hit(self, name: str, key: str) -> None:
        """Count one act of `key` against the setting `name`. Raises `rate_limited`, which says when to try again."""
        rate = getattr(self._settings, name)
        if rate != "off":
            await self.hit_rate(name, rate, key)

    async def hit_rate(self, name: str, rate: str | None, key: str) -> None:
        """Like `hit`, with a rate of one's own ("5/minute"; None and "off" never refuse)."""
        if rate is None or rate == "off":
            return
        wait = await self._ephemeral.hit(rate, f"{name}:{key}")
        if wait:
            self._dispatcher.observe("limit_exceeded", limit=name)
            raise ChatError("rate_limited", retry_after_ms=wait)


class Networks:
    """Keyed hashes of networks. The key is random, changes every day and is never written down.

    On many nodes the key of the day lives in `Ephemeral`, so that all of them count the same.
    """

    def __init__(self, ephemeral: Ephemeral, clock: Clock) -> None:
        self._ephemeral = ephemeral
        self._clock = clock
        self._key = secrets.token_hex(32)
        self._day = -1
        self._renewing = asyncio.Lock()

    async def of(self, address: str) -> Network:
        """The network of an IPv4 address or an IPv6 /64."""
        await self._renew()
        return self.known(address)

    def known(self, address: str) -> Network:
        """The same under the latest key that was asked for, without asking for one."""
        prefix = network_of(address)
        return Network(keyed_hash(self._key, prefix), prefix, self._key)

    async def _renew(self) -> None:
        day = self._clock.now() // DAY
        if day == self._day:
            return
        async with self._renewing:
            if day == self._day:
                return
            name = f"network_key:{day}"
            fresh = secrets.token_hex(32)
            try:
                await self._ephemeral.put(name, fresh.encode(), DAY, only_if_absent=True)
                stored = await self._ephemeral.get(name)
            except ChatError:
                return  # until the others can be asked, this node counts with the key that it has
            self._key = stored.decode() if stored else fresh
            self._day = day


def network_of(address: str) -> str:
    """What counts as one network: an IPv4 address, an IPv6 /64, or the text itself where it is no address."""
    if _is_ipv4(address):
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


def _is_ipv4(text: str) -> bool:
    """Asked for each request, so of the system: half a microsecond instead of the ten that `ip_address` takes."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def sender_of(address: str, forwarded: str | None, trusted: Sequence[IPNetwork]) -> str:
    """The address that a request comes from: the last one in `X-Forwarded-For` that is not a trusted proxy's.

    The header counts only if the request itself comes from a trusted proxy; every address in it was appended by the
    proxy to its right, so it is read from the right for as long as proxies are trusted.
    """
    sender = address
    for candidate in reversed((forwarded or "").split(",")):
        if not candidate.strip() or not is_trusted(sender, trusted):
            break
        sender = _without_port(candidate.strip())
    return sender


def _without_port(address: str) -> str:
    """Some proxies append the port, which is another one for each connection and would lift every limit."""
    bare = address.partition("]")[0].removeprefix("[") if address.startswith("[") else address
    return bare.partition(":")[0] if bare.count(":") == 1 else bare


def is_trusted(address: str, trusted: Sequence[IPNetwork]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
