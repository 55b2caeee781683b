"""Combinations of settings that cannot work (the start is refused) or seldom should (the operator is warned)."""

import ipaddress
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import urlsplit

from anonchat.config.settings import Settings

# JSON may write a character outside the basic plane as two escapes of six bytes each, and every other in fewer.
JSON_BYTES_PER_CHARACTER = 12
# What surrounds the text in a send_message frame: names, clientMsgId, replyToId.
ENVELOPE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold between settings. The first of ``paths`` is where the error is shown."""

    paths: tuple[str, ...]
    holds: Callable[[Settings], bool]
    refusal: Callable[[Settings], str]


def broken_rules(settings: Settings, unusable: Collection[str]) -> Iterator[tuple[Rule, str]]:
    """Each broken rule and its sentence; a rule about a setting or table that is ``unusable`` itself is left out."""
    for rule in RULES:
        spoilt = any(path in unusable or path.partition(".")[0] in unusable for path in rule.paths)
        if not spoilt and not rule.holds(settings):
            yield rule, rule.refusal(settings)


def doubts(settings: Settings) -> tuple[str, ...]:
    """Sentences about what works but is seldom meant, each with what to do."""
    server = settings.server
    public = urlsplit(server.public_url or "")
    open_host = not is_loopback(server.host)
    everyone = [network for network in server.trusted_proxies if network.prefixlen == 0]
    found = (
        (
            open_host and not server.public_url and not server.allowed_hosts,
            f"server.host is {server.host}, but no name is known under which people reach it: requests to other hosts "
            "than loopback are refused. Set server.public_url or server.allowed_hosts.",
        ),
        (
            public.scheme == "http" and not is_loopback(public.hostname or ""),
            "server.public_url is http: what people write, and their tokens, travel readable for everybody in between. "
            "Put a TLS proxy in front and write https.",
        ),
        (
            public.scheme == "https" and not server.trusted_proxies,
            "server.public_url is https, so a proxy stands in front, but server.trusted_proxies is empty: everybody "
            "would share the limits of one network. Name the proxy's address.",
        ),
        (
            bool(everyone),
            "server.trusted_proxies trusts every address: whoever reaches the port directly can invent a network and "
            "pass all limits. Name the proxy's address, or let nobody but the proxy reach the port.",
        ),
        (
            server.allowed_origins == ("*",),
            'server.allowed_origins is "*": pages of every site may use and embed this server. Name the sites.',
        ),
    )
    return tuple(sentence for doubtful, sentence in found if doubtful)


def is_loopback(host: str) -> bool:
    """Whether a canonical host name or address means this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _at_most(smaller: str, larger: str, why: str) -> Rule:
    value = attrgetter(larger)
    return Rule(
        (smaller, larger),
        lambda settings: bool(attrgetter(smaller)(settings) <= value(settings)),
        lambda settings: f"must be at most {larger}, which is {value(settings)}: {why}",
    )


def _longest_frame(settings: Settings) -> int:
    return settings.limits.text_length * JSON_BYTES_PER_CHARACTER + ENVELOPE_BYTES


def _single_node(url: str) -> bool:
    return url.startswith("memory:")


RULES = (
    Rule(
        ("server.metrics_port", "server.port"),
        lambda settings: (
            settings.server.metrics_port in (None, 0) or settings.server.metrics_port != settings.server.port
        ),
        lambda _: "must differ from server.port: metrics have a port of their own",
    ),
    Rule(
        ("server.allowed_origins",),
        lambda settings: "*" not in settings.server.allowed_origins or len(settings.server.allowed_origins) == 1,
        lambda _: 'must be ["*"] alone, or name origins without "*"',
    ),
    Rule(
        ("storage.bus", "storage.database"),
        lambda settings: _single_node(settings.storage.bus) or not settings.storage.database.startswith("sqlite:"),
        lambda _: "joins several nodes, and SQLite is one node: keep memory://, or choose a database server",
    ),
    Rule(
        ("storage.ephemeral", "storage.bus"),
        lambda settings: _single_node(settings.storage.bus) or not _single_node(settings.storage.ephemeral),
        lambda _: "must be shared as well when storage.bus joins several nodes, or each node counts limits for itself",
    ),
    _at_most("sessions.grace_seconds", "sessions.name_hold_seconds", "a name outlives presence"),
    _at_most("sessions.grace_seconds", "sessions.lease_seconds", "who merely reconnects would be taken for dead"),
    _at_most("sessions.name_hold_seconds", "sessions.ttl_seconds", "no name outlives its session"),
    _at_most("sessions.connect_seconds", "sessions.ttl_seconds", "a session would end before it may connect"),
    _at_most("limits.identify_seconds", "sessions.connect_seconds", "a place would be lost while it is being taken"),
    Rule(
        ("rooms.create", "server.operator_token"),
        lambda settings: settings.rooms.create == "anyone" or settings.server.operator_token is not None,
        lambda _: 'is "operator", but without server.operator_token nobody is: set one, or write "anyone"',
    ),
    _at_most(
        "rooms.default_duration_seconds", "rooms.max_duration_seconds", "it would be refused if somebody asked for it"
    ),
    _at_most(
        "rooms.default_retention_seconds", "rooms.max_retention_seconds", "it would be refused if somebody asked for it"
    ),
    _at_most("rooms.default_participants", "rooms.max_participants", "it would be refused if somebody asked for it"),
    Rule(
        ("retention.backups_seconds", "retention.reports_seconds"),
        lambda settings: (settings.retention.backups_seconds or 0) <= settings.retention.reports_seconds,
        lambda settings: (
            f"must be at most retention.reports_seconds, which is {settings.retention.reports_seconds}: a backup would bring "
            "back rooms of which nothing says any more that they have ended"
        ),
    ),
    _at_most("retention.interval_seconds", "retention.overdue_seconds", "the alarm would sound between any two runs"),
    Rule(
        ("limits.pong_seconds", "limits.ping_seconds"),
        lambda settings: settings.limits.pong_seconds < settings.limits.ping_seconds,
        lambda settings: (
            f"must be below limits.ping_seconds, which is {settings.limits.ping_seconds:g}: "
            "the next ping would leave before the last is given up"
        ),
    ),
    _at_most("limits.frame_bytes", "limits.queue_bytes", "one message could fill a queue and close its receivers"),
    Rule(
        ("limits.text_length", "limits.frame_bytes"),
        lambda settings: _longest_frame(settings) <= settings.limits.frame_bytes,
        lambda settings: (
            "is too long for limits.frame_bytes: the longest text, escaped as JSON, needs "
            f"{_longest_frame(settings)} bytes"
        ),
    ),
)
