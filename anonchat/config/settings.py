"""The settings of a server: one frozen dataclass for each table of the configuration.

A setting is written once, here: its name, the marshmallow field that judges it (in ``Annotated``), its default and its
meaning. Schemas, environment variables and the check of ``config.example.toml`` are made from these classes.
Times are seconds, sizes are bytes, unless a name says otherwise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from marshmallow.fields import Field

from anonchat.config.values import (
    IPNetwork,
    OrWord,
    choice,
    folder,
    host_name,
    line,
    network,
    number,
    origin,
    origin_or_any,
    plugin_name,
    rate,
    secret,
    several,
    storage_url,
    switch,
    whole,
)

HOUR = 3600
DAY = 24 * HOUR
MEBIBYTE = 1024 * 1024

Rate = Annotated[str, rate()]

MASK = "***"
SECRET_NAME = re.compile(r"(token|secret|password|passphrase|credential|key)s?$", re.IGNORECASE)
# Greedy up to the last "@": hiding too much of an odd URL is safer than showing the end of a password with "@" in it.
SECRET_IN_URL = re.compile(r"(?<=://)[^\n]*@|(?<=[?&])((?:\w*(?:password|token|secret|key))=)[^&#\s]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """One table of the configuration, which never shows its secrets."""

    def masked(self) -> dict[str, Any]:
        """The settings as plain lists, dicts and texts, fit to be printed or logged."""
        return {entry.name: mask(entry.name, getattr(self, entry.name)) for entry in fields(self)}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.masked().items())
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, slots=True, repr=False)
class ServerSettings(Table):
    """``[server]``: where the server listens, under which names, and whom it believes."""

    host: Annotated[str, host_name()] = "127.0.0.1"
    """Address or name to listen on; ``0.0.0.0`` and ``::`` are every interface."""

    port: Annotated[int, whole(0, 65535)] = 5000
    """TCP port to listen on; 0 lets the system choose a free one."""

    public_url: Annotated[str | None, OrWord(origin())] = None
    """Origin under which people reach the server; used in links, and its host and origin are accepted.
    ``None``: taken from the request."""

    contact: Annotated[str | None, OrWord(line())] = None
    """Who runs the server and how to reach them, such as ``Ada Smith, mail@example.org``; stands first on ``/privacy``."""

    allowed_origins: Annotated[tuple[str, ...], several(origin_or_any(), '["https://www.example.org"]')] = ()
    """Origins of other sites whose pages may use this server and embed it; ``["*"]`` is every site."""

    allowed_hosts: Annotated[tuple[str, ...], several(host_name(), '["chat.example.org"]')] = ()
    """Values of the ``Host`` header that are answered, beside loopback and the host of ``public_url``; no ports."""

    trusted_proxies: Annotated[tuple[IPNetwork, ...], several(network(), '["127.0.0.1", "10.0.0.0/8"]')] = ()
    """Networks of the reverse proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""

    token_in_url: Annotated[bool, switch()] = True
    """Whether a WebSocket may bring its session token as ``?t=``, for clients that know no other way."""

    operator_token: Annotated[str | None, OrWord(secret())] = None
    """Secret of the operator, for what only they may do; ``None`` closes all of that. At least 16 characters."""

    metrics_port: Annotated[int | None, OrWord(whole(0, 65535))] = None
    """Port on loopback that serves ``/metrics`` without a token; 0 lets the system choose, ``None`` opens none."""

    drain_seconds: Annotated[float, number(0, 300)] = 10.0
    """Longest time a shutdown takes to tell clients, finish what is in flight and exit."""


@dataclass(frozen=True, slots=True, repr=False)
class StorageSettings(Table):
    """``[storage]``: a URL for each role; its scheme names the backend. URLs may hold passwords."""

    database: Annotated[str, storage_url("sqlite:///anonchat.db", "postgresql://user:password@host/name")] = (
        "sqlite:///anonchat.db"
    )
    """Durable truth. A relative SQLite path (three slashes) starts at the working folder. ``?connections=20`` lets a node open
    so many to Postgres, instead of 10."""

    bus: Annotated[str, storage_url("memory://", "redis://host:6379/0")] = "memory://"
    """Carries room events between nodes; ``memory://`` is a single node. ``rediss://`` is TLS, ``redis+sentinel://`` asks
    Sentinels for the master; ``?prefix=mine:`` begins all keys, instead of ``anonchat:``."""

    ephemeral: Annotated[str, storage_url("memory://", "redis://host:6379/0")] = "memory://"
    """Who is there, rate limits, leases of jobs: what expires and may be lost. ``memory://`` is a single node."""


@dataclass(frozen=True, slots=True, repr=False)
class SessionSettings(Table):
    """``[sessions]``: how long a participant exists without doing anything."""

    ttl_seconds: Annotated[int, whole(1, 30 * DAY)] = DAY
    """Life of a session since it was last used."""

    name_hold_seconds: Annotated[int, whole(0, DAY)] = 900
    """How long name and place stay reserved after the last socket is gone."""

    grace_seconds: Annotated[int, whole(0, 600)] = 10
    """How long a participant stays in presence after the last socket is gone."""

    lease_seconds: Annotated[int, whole(4, 600)] = 60
    """How long a node's lease of a job lasts at most; it is renewed while the job runs. The people of a node that died are told
    to have gone within this time."""

    connect_seconds: Annotated[int, whole(1, HOUR)] = 60
    """A session that never connects loses name and place after this."""


@dataclass(frozen=True, slots=True, repr=False)
class RoomSettings(Table):
    """``[rooms]``: what a room is by default and what its creator may ask for at most."""

    create: Annotated[str, choice("anyone", "operator")] = "anyone"
    """Who may create rooms; ``operator`` needs ``server.operator_token``."""

    public_rooms: Annotated[bool, switch()] = True
    """Whether rooms may be made public, that is, be listed for everybody."""

    default_duration_seconds: Annotated[int, whole(1, 365 * DAY)] = DAY
    """How long an ephemeral room lives if its creator did not say."""

    max_duration_seconds: Annotated[int, whole(1, 365 * DAY)] = 30 * DAY
    """Longest life that may be asked for."""

    endless: Annotated[bool, switch()] = True
    """Whether a room that keeps its messages may have no end; false: who makes one has to say when it ends."""

    default_retention_seconds: Annotated[int, whole(1, 365 * DAY)] = DAY
    """How long a message of an ephemeral room lives if its creator did not say."""

    max_retention_seconds: Annotated[int, whole(1, 365 * DAY)] = 30 * DAY
    """Longest retention that may be asked for."""

    default_participants: Annotated[int, whole(1, 100_000)] = 100
    """Places in a room that was created without a number."""

    max_participants: Annotated[int, whole(1, 100_000)] = 5000
    """Most places that may be asked for."""

    title_length: Annotated[int, whole(1, 500)] = 120
    """Longest title, in characters."""

    description_length: Annotated[int, whole(0, 10_000)] = 1000
    """Longest description, in characters."""

    edit_window_seconds: Annotated[int, whole(0, 30 * DAY)] = 900
    """How long authors may edit a message; 0 is never."""

    purge_grace_seconds: Annotated[int, whole(0, DAY)] = 0
    """How long an ended room is kept before everything of it is purged; shown in the room's metadata."""

    history_page: Annotated[int, whole(1, 200)] = 50
    """Messages sent to a newcomer, and in a page of history that asks for no number."""

    replay_events: Annotated[int, whole(0, 10_000)] = 300
    """Most missed events that are replayed to one who comes back; above it they get a fresh history."""


@dataclass(frozen=True, slots=True, repr=False)
class RetentionSettings(Table):
    """``[retention]``: the job that deletes what has lived long enough."""

    interval_seconds: Annotated[int, whole(1, DAY)] = 60
    """Time from one run to the next."""

    overdue_seconds: Annotated[int, whole(1, 7 * DAY)] = 900
    """Without a finished run for so long, health and log raise an alarm."""

    batch: Annotated[int, whole(1, 100_000)] = 1000
    """Rows deleted in one transaction; smaller disturbs senders less, larger is sooner done."""

    backups_seconds: Annotated[int | None, OrWord(whole(0, 3650 * DAY), "unsaid")] = None
    """How long you keep backups: ``/privacy`` and the report of each deletion tell it, deleting them is up to you.
    0: there are none."""

    reports_seconds: Annotated[int, whole(DAY, 3650 * DAY)] = 365 * DAY
    """How long the link of a room that has ended says when and why it did, and how much was deleted with it."""


@dataclass(frozen=True, slots=True, repr=False)
class LogSettings(Table):
    """``[log]``: what is written to standard error."""

    level: Annotated[str, choice("debug", "info", "warning", "error")] = "info"
    """Least important level that is written."""

    format: Annotated[str, choice("auto", "console", "json")] = "auto"
    """``console`` for people, ``json`` for machines, ``auto``: people on a terminal, machines elsewhere."""


@dataclass(frozen=True, slots=True, repr=False)
class LimitSettings(Table):
    """``[limits]``: rates (notation of the package ``limits``, or ``"off"``), sizes and times.

    A network is an IPv4 address or an IPv6 /64.
    """

    requests_per_network: Rate = "300/minute"
    """REST requests, but for health and metrics, and identifies with a token that nobody has."""

    rooms_per_fingerprint: Rate = "5/hour"
    """Rooms created by one device."""

    rooms_per_network: Rate = "30/hour"
    """Rooms created from one network."""

    joins_per_fingerprint: Rate = "5/5 minutes"
    """Joins by one device."""

    joins_per_network: Rate = "100/5 minutes"
    """Joins from one network; a classroom sits behind one address."""

    messages_per_session: Rate = "10/10 seconds"
    """Messages sent by one participant."""

    typing_per_session: Rate = "5/5 seconds"
    """Typing events of one participant."""

    events_per_session: Rate = "30/10 seconds"
    """Client events of one participant other than messages and typing, and messages that were refused."""

    frame_bytes: Annotated[int, whole(1024, 16 * MEBIBYTE)] = 65536
    """Largest WebSocket message from a client, all its fragments together."""

    frame_fragments: Annotated[int, whole(1, 1024)] = 64
    """Most fragments of one message."""

    unfinished_seconds: Annotated[float, number(0.1, 300)] = 10
    """Longest time from the first fragment of a message to its last."""

    json_depth: Annotated[int, whole(2, 128)] = 32
    """Deepest nesting of arrays and objects in JSON from a client."""

    text_length: Annotated[int, whole(1, 100_000)] = 4000
    """Longest text of a message, in characters; longer ones are refused, never cut."""

    queue_bytes: Annotated[int, whole(1024, 64 * MEBIBYTE)] = MEBIBYTE
    """Most that may wait for one slow connection before it is closed with 4413."""

    ping_seconds: Annotated[float, number(0.1, 300)] = 25
    """Time between pings; below the idle timeout of every proxy in between, often 60."""

    pong_seconds: Annotated[float, number(0.1, 300)] = 8
    """A connection whose pong takes longer is closed with 4408."""

    identify_seconds: Annotated[float, number(0.1, 300)] = 10
    """A connection that does not identify in this time is closed with 4401."""

    sockets_per_session: Annotated[int, whole(1, 1000)] = 20
    """Open sockets of one participant (tabs), on each node."""

    sockets_per_network: Annotated[int, whole(1, 1_000_000)] = 200
    """Open sockets from one network, on each node."""

    violations_per_network: Rate = "60/minute"
    """Sockets of one network that a node may have to close for what they send, before it keeps off new connections for a minute."""


@dataclass(frozen=True, slots=True, repr=False)
class PluginSettings(Table):
    """``[plugins]``: which plugins run, and the raw ``[plugins.<name>]`` table of each."""

    enabled: Annotated[tuple[str, ...] | None, OrWord(several(plugin_name(), '["dice"]'), "all")] = None
    """Plugins to run; their hooks are called in this order. ``"all"`` stands for those that come with anonchat, also in a list."""

    plugins_dir: Annotated[Path | None, OrWord(folder())] = None
    """Folder with plugins of one's own, single files or packages."""

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    """Plugin name -> its table, not validated yet: the plugin does that with its own schema."""

    def masked(self) -> dict[str, Any]:
        """As in the file: the table of each plugin stands beside ``enabled`` and ``plugins_dir``."""
        own = {name: mask(name, getattr(self, name)) for name in setting_fields(PluginSettings)}
        return own | {name: mask("", options) for name, options in self.options.items()}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server. ``warnings`` are sentences for the operator about a valid but doubtful choice."""

    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    sessions: SessionSettings = SessionSettings()
    rooms: RoomSettings = RoomSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    limits: LimitSettings = LimitSettings()
    plugins: PluginSettings = field(default_factory=PluginSettings)
    warnings: tuple[str, ...] = ()

    def masked(self) -> dict[str, Any]:
        """Table -> setting -> value, without secrets and without warnings."""
        return {name: getattr(self, name).masked() for name in TABLES}


def setting_fields(table: type[Table]) -> dict[str, Field[Any]]:
    """Name of each setting of a table and the field that judges it, in order."""
    judged = ((entry.name, getattr(entry.type, "__metadata__", None)) for entry in fields(table))
    return {name: metadata[0] for name, metadata in judged if metadata}


def mask(name: str, value: Any) -> Any:
    """``value`` in plain types, with ``***`` for what a name like ``api_key`` or a URL gives away as a secret."""
    if value is None or isinstance(value, bool):
        return value
    if SECRET_NAME.search(name):
        return MASK
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {key: mask(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(name, inner) for inner in value]
    return SECRET_IN_URL.sub(lambda found: found[1] + MASK if found[1] else MASK + "@", str(value))


TABLES: Mapping[str, type[Table]] = MappingProxyType(
    {
        entry.name: entry.type
        for entry in fields(Settings)
        if isinstance(entry.type, type) and issubclass(entry.type, Table)
    }
)
"""Name of each table and its class, in the order of the file."""
