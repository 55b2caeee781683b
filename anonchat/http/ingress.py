"""Which hosts and origins are answered, and from which network a request comes."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from tornado.httputil import HTTPServerRequest

from anonchat.config.settings import ServerSettings
from anonchat.errors import ChatError
from anonchat.limits import Network, Networks, is_trusted, sender_of

log = structlog.get_logger("anonchat.http")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NOT_A_HOST = re.compile(r"[@/?#\\\s]")
FORWARDING = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host")


class Ingress:
    """Checks that come before everything else."""

    def __init__(self, settings: ServerSettings, networks: Networks) -> None:
        self._settings = settings
        self._networks = networks
        self._hosts = {*LOOPBACK, *settings.allowed_hosts, settings.host}
        if settings.public_url:
            self._hosts.add(urlsplit(settings.public_url).hostname or "")
        self._origins = {*settings.allowed_origins, *filter(None, [settings.public_url])}
        self.saw_unknown_proxy = False

    def check_host(self, request: HTTPServerRequest) -> None:
        """Raises `misdirected` for a name that is not ours, which is how DNS rebinding would come in.

        A plain address cannot be rebound and is always answered.
        """
        host = host_of(request.host)
        if host not in self._hosts and not _is_address(host):
            raise ChatError(
                "misdirected",
                f"This server does not answer for the host {host[:100]!r}. If it should, the operator adds it to "
                "[server] allowed_hosts or sets [server] public_url.",
            )

    def check_origin(self, request: HTTPServerRequest) -> None:
        """Raises `forbidden` for a request that another site's page made."""
        origin = request.headers.get("Origin")
        if origin is not None and not self.is_origin_allowed(origin, request):
            raise ChatError(
                "forbidden",
                f"Pages of {origin[:100]!r} may not use this server. If they should, the operator adds that origin to "
                "[server] allowed_origins.",
            )

    def is_origin_allowed(self, origin: str, request: HTTPServerRequest) -> bool:
        """Whether a page of `origin` may talk to this server: its own pages, and those of `allowed_origins`."""
        if "*" in self._origins or origin in self._origins:
            return True
        scheme, _, authority = origin.partition("://")
        return scheme in ("http", "https") and authority.lower() == request.host.lower()

    def cross_origin(self, origin: str) -> str | None:
        """Which origin's pages may read the answers, as the header says it; None if another site's may not."""
        if "*" in self._settings.allowed_origins:
            return "*"  # nothing that a browser adds by itself (cookies) opens anything here
        return origin if origin in self._settings.allowed_origins else None

    def embedders(self) -> str:
        """Whose pages may show a room inside of theirs, as a policy says it: our own, and those of `allowed_origins`."""
        origins = self._settings.allowed_origins
        return "*" if "*" in origins else " ".join(["'self'", *origins])

    async def network_of(self, request: HTTPServerRequest) -> Network:
        """The network that a request comes from."""
        peer = _peer_of(request)
        sender = sender_of(peer, request.headers.get("X-Forwarded-For"), self._settings.trusted_proxies)
        if sender == peer and any(name in request.headers for name in FORWARDING):
            self._report_proxy()
        return await self._networks.of(sender)

    def _report_proxy(self) -> None:
        if not self.saw_unknown_proxy:
            self.saw_unknown_proxy = True
            log.warning(
                "a request brought a forwarding header, but did not come from one of [server] trusted_proxies; "
                "if this is your reverse proxy, add its address there: until then everybody shares one limit"
            )

    def base_url(self, request: HTTPServerRequest) -> str:
        """Where people reach this server: the setting, else what the request or a trusted proxy says."""
        if self._settings.public_url:
            return self._settings.public_url
        forwarded = request.headers.get("X-Forwarded-Proto", "").strip().lower()
        trusted = forwarded in ("http", "https") and is_trusted(_peer_of(request), self._settings.trusted_proxies)
        return f"{forwarded if trusted else request.protocol}://{request.host}"


def _peer_of(request: HTTPServerRequest) -> str:
    """The address at the other end of the connection, whatever headers say."""
    context = getattr(request.connection, "context", None)
    return str(getattr(context, "remote_ip", None) or request.remote_ip or "")


def host_of(header: str) -> str:
    """The name in a Host header, without port and brackets, lower case; empty if it is more than a name and a port."""
    if _NOT_A_HOST.search(header):
        return ""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower().removesuffix(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
