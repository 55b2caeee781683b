"""The only composition root: settings in, a running server out. Two servers in one process share nothing."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter as Tally
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from socket import socket
from typing import Any

import structlog
from sqlalchemy import Table
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from anonchat.budgets import Budgets
from anonchat.clock import Clock
from anonchat.config import Settings
from anonchat.connection import Desk
from anonchat.context import PluginContext, PluginLimits, PluginRooms, PluginSessions, logger_of
from anonchat.core_events import CoreEvents
from anonchat.declarations import Job, Route, Tables
from anonchat.declared import options_of
from anonchat.dispatch import Dispatcher
from anonchat.drain import drain
from anonchat.errors import StartError
from anonchat.events import CORE, Events
from anonchat.http.api import Counter, NotFound, route_table
from anonchat.http.door import Door
from anonchat.http.export import ExportRoutes
from anonchat.http.openapi import Documents
from anonchat.http.pages import page_rules
from anonchat.http.privacy import Privacy
from anonchat.http.rooms import RoomRoutes
from anonchat.http.server import ServerRoutes
from anonchat.hub import Hub
from anonchat.jobs import Jobs
from anonchat.journal import Journal, Transaction
from anonchat.limits import Limits, Networks
from anonchat.messages import Messages
from anonchat.metrics import Metrics
from anonchat.migrate.revisions import MigrationError, MigrationSet
from anonchat.models import Event
from anonchat.plugins import Plugins, bundled, load
from anonchat.presence import Presence
from anonchat.protocol import JsonWire
from anonchat.relay import Relay
from anonchat.retention import Retention
from anonchat.rooms import Rooms
from anonchat.schemas import Identify
from anonchat.sessions import Sessions
from anonchat.storage import Bus, Database, Ephemeral, Migrations
from anonchat.store import events as event_statements
from anonchat.watchdog import Watchdog
from anonchat.websocket.handler import Sockets, WebSocketEntrance
from anonchat.websocket.transport import SocketLimits, Transports
from anonchat.welcome import Welcome
from anonchat.writer import Writer

log = structlog.get_logger("anonchat.server")

BACKLOG = 2_048
HEADER_BYTES = 16_384
BODY_BYTES = 65_536
PRESENCE_SECONDS = 0.5
LOOPBACK = "127.0.0.1"
METRICS_PATH = "/metrics"


def open_backend(role: str, url: str, clock: Clock) -> Any:
    """The backend of a role ("database", "bus", "ephemeral") that the scheme of a URL names. Raises `StartError`."""
    scheme = url.partition(":")[0]
    found = {point.name: point for point in entry_points(group="anonchat.storage")}
    point = found.get(f"{role}.{scheme}")
    if point is None:
        known = ", ".join(sorted(name.partition(".")[2] for name in found if name.startswith(f"{role}.")))
        raise StartError(f"[storage] {role} names the backend {scheme!r}, which is not installed. Installed: {known}.")
    return point.load()(url, clock)


def migrations_of(plugins: Plugins) -> Migrations:
    """The revisions of the core and of each enabled plugin, and the names of the plugins' tables."""
    sets = [MigrationSet(CORE_OWNER, Path(__file__).parent / "migrations", "anonchat")]
    names: dict[str, Sequence[str]] = {}
    packages = {plugin.name: plugin.package for plugin in plugins.all}
    for plugin, declared in plugins.declared("register_tables"):
        sets.append(MigrationSet(plugin, declared.migrations, packages[plugin]))
        names[plugin] = sorted(declared.metadata.tables)
    return Migrations(sets, names)


def _listen(host: str, port: int, setting: str) -> list[socket]:
    try:
        return bind_sockets(port, host, backlog=BACKLOG)
    except OSError as error:
        raise StartError(
            f"Cannot listen on {host}:{port}: {error.strerror}. "
            f"Is another server running there? [server] {setting} chooses another."
        ) from error


def _http_server(rules: list[Any], listening: list[socket]) -> HTTPServer:
    server = HTTPServer(
        Application(rules, log_function=lambda _: None),
        max_body_size=2 * BODY_BYTES,
        max_header_size=HEADER_BYTES,
        idle_connection_timeout=30,
        body_timeout=10,
    )
    server.add_sockets(listening)
    return server


async def _write_epoch(tx: Transaction) -> str:
    fresh = secrets.token_hex(8)
    await tx.execute(event_statements.UPSERT_META, {"key": "epoch", "value": fresh})
    return fresh


CORE_OWNER = "core"


class Server:
    """One node. `start`, then `stop`; `url` is where it listens."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        plugins: Mapping[str, object] | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        """`plugins` are objects that run beside the enabled ones, by name. Raises `StartError`."""
        self.settings = settings
        self.clock = clock or Clock()
        self.metrics = Metrics()
        self.plugins = load(settings.plugins.enabled, settings.plugins.plugins_dir, plugins)
        self.budgets = budgets or Budgets()
        self.dispatcher = Dispatcher(self.plugins, self.metrics, self.budgets)
        self._options = options_of(
            self.plugins.names, dict(self.plugins.declared("register_config_schema")), settings.plugins.options
        )
        self._contexts: list[PluginContext] = []
        self._told_overdue = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[HTTPServer] = []
        self.metrics_port: int | None = None
        self._open_storage()
        self._build_services()

    # --- building

    def _open_storage(self) -> None:
        storage = self.settings.storage
        self.database: Database = open_backend("database", storage.database, self.clock)
        self.bus: Bus = open_backend("bus", storage.bus, self.clock)
        self.ephemeral: Ephemeral = open_backend("ephemeral", storage.ephemeral, self.clock)
        self.journal = Journal(self.database, self.clock)

    def _build_services(self) -> None:
        settings, limits = self.settings, self.settings.limits
        self.hub = Hub()
        self.relay = Relay(
            self.journal, self.bus, self.hub, self.metrics,
            page=settings.rooms.history_page, replay=settings.rooms.replay_events,
        )  # fmt: skip
        self.journal.publish_to(self.relay.committed)
        self.limits = Limits(limits, self.ephemeral, self.dispatcher)
        self.presence = Presence(self.relay, self.clock, settings.sessions.grace_seconds)
        self.rooms = Rooms(self.journal, self.dispatcher, self.clock, settings.rooms, self.plugins.names)
        self.sessions = Sessions(self.journal, self.dispatcher, self.clock, settings.sessions, self.hub, self.presence)
        self.writer = Writer(self.journal, self.dispatcher, self.metrics, self.clock)
        self.messages = Messages(
            self.journal, self.writer, self.dispatcher, self.limits, self.clock,
            text_length=limits.text_length, edit_window_seconds=settings.rooms.edit_window_seconds,
        )  # fmt: skip
        self.retention = Retention(
            self.journal, self.database, self.dispatcher, self.metrics, self.clock, settings.rooms,
            self.hub, self.presence, self._plugin_tables(),
        )  # fmt: skip
        self.relay.listen(self._delivered)
        self.events = Events(self.limits, bundled(), self.budgets.handler_seconds)
        self.jobs = Jobs(self.clock, self.ephemeral, self.metrics, settings.sessions.lease_seconds)
        self.networks = Networks(self.ephemeral, self.clock)
        self.door = Door(settings.server, self.networks)
        packages = {plugin.package: plugin.name for plugin in self.plugins.all}
        self.watchdog = Watchdog(self.metrics, packages, self.budgets.blocked_seconds)

    def _plugin_tables(self) -> dict[str, Table]:
        declared: Sequence[tuple[str, Tables]] = self.plugins.declared("register_tables")
        return {
            f"{plugin}.{table.name}": table
            for plugin, found in declared
            for table in found.metadata.tables.values()
            if "room_id" in table.c
        }

    def _delivered(self, event: Event) -> None:
        """Called for each event that this node delivers."""
        if event.name == "room_ended":
            self.retention.ended(event)
        elif event.name != "message":
            self.dispatcher.observe("event_saved", event=event)

    # --- starting

    async def start(self) -> None:
        """Open everything and serve. Raises `StartError`; what was opened until then is closed again.

        The ports are taken first: a second server by mistake must not get as far as the database.
        """
        listening = self._bind()
        try:
            await self.open()
            self._serve(*listening)
        except BaseException:
            for taken in itertools.chain(*listening):
                taken.close()
            await self._close_plugins()
            await self._close_storage()
            raise

    def _bind(self) -> tuple[list[socket], list[socket]]:
        """The sockets of the server, and those of its metrics, if they have a port of their own."""
        server = self.settings.server
        public, metrics = _listen(server.host, server.port, "port"), []
        self.port = int(public[0].getsockname()[1])
        if server.metrics_port is not None:
            try:
                metrics = _listen(LOOPBACK, server.metrics_port, "metrics_port")
            except StartError:
                for taken in public:
                    taken.close()
                raise
            self.metrics_port = int(metrics[0].getsockname()[1])
        return public, metrics

    async def open(self) -> None:
        """Open the storage and set up the plugins; nothing is served and no job runs. Raises `StartError`."""
        try:
            await self.database.start(migrations_of(self.plugins))
            await self.bus.start(self.relay.received)
            await self.ephemeral.start()
            await self._start_plugins()
        except BaseException as error:
            await self._close_plugins()
            await self._close_storage()
            if isinstance(error, MigrationError):
                raise StartError(str(error)) from error
            raise

    async def _start_plugins(self) -> None:
        self.epoch = await self._epoch()
        self.welcome = Welcome(
            self.epoch, self.journal, self.dispatcher, self.rooms, self.sessions, self.presence, self.relay, self.hub,
            most_bytes=self.settings.limits.queue_bytes // 2, most_sockets=self.settings.limits.sockets_per_session,
        )  # fmt: skip
        core = CoreEvents(self.messages, self.sessions, self.presence, self.relay, self.welcome, self.clock)
        self.events.declare(CORE, core.client_events(), core.server_events())
        for plugin, event in self.plugins.declared("register_server_events"):
            self.events.declare(plugin, server=[event])
        for plugin, client_event in self.plugins.declared("register_client_events"):
            self.events.declare(plugin, client=[client_event])
        contexts = {name: self._context(name) for name in self.plugins.names}
        self._contexts = list(contexts.values())
        await self.dispatcher.life("setup", lambda plugin: {"ctx": contexts[plugin]})
        self._add_jobs()
        await self.dispatcher.life("startup")

    def _context(self, name: str) -> PluginContext:
        metrics = {
            metric.name: self.metrics.of_plugin(name, metric)
            for plugin, metric in self.plugins.declared("register_metrics")
            if plugin == name
        }
        rooms = PluginRooms(name, self.events, self.rooms, self.relay, self.hub, self.retention)
        return PluginContext(
            name, self._options[name], logger_of(name), self.clock, self.journal.checked_by(rooms.check), rooms,
            PluginSessions(self.sessions, self.presence), self.ephemeral, PluginLimits(name, self.limits), metrics, set(),
        )  # fmt: skip

    async def _epoch(self) -> str:
        """The database's epoch: made once, renewed by `restore`."""

        async def work(tx: Transaction) -> str:
            row = await tx.fetch_one(event_statements.SELECT_META, {"name": "epoch"})
            return str(row["value"]) if row is not None else await _write_epoch(tx)

        return await self.journal.transaction(work)

    async def renew_epoch(self) -> None:
        """Have all clients that come back start over: what they have seen may not be what is stored."""
        self.epoch = await self.journal.transaction(_write_epoch)

    def _add_jobs(self) -> None:
        sessions = self.settings.sessions
        touch = max(1.0, min(sessions.name_hold_seconds, sessions.ttl_seconds) / 3)
        self.jobs.add(Job("presence", PRESENCE_SECONDS, self._tick), everywhere=True)
        self.jobs.add(Job("compare", 1.0, self.relay.compare), everywhere=True)
        self.jobs.add(Job("touch", touch, lambda: self.sessions.touch(everybody=True)), everywhere=True)
        self.jobs.add(Job("rooms", 1.0, self.retention.expire))
        self.jobs.add(Job("purge", 30.0, self.retention.purge))
        self.jobs.add(Job("held", 1.0, self.messages.release_due))
        self.jobs.add(Job("sessions", 60.0, self.sessions.expire))
        self.jobs.add(Job("retention", self.settings.retention.interval_seconds, self.retention.run))
        for plugin, job in self.plugins.declared("register_jobs"):
            self.jobs.add(Job(f"{plugin}.{job.name}", job.seconds, job.run))

    def _is_retention_overdue(self) -> bool:
        """Whether what should be deleted may still be there. Told in the log once, in health and metrics all the while."""
        overdue = self.jobs.is_overdue("retention", self.settings.retention.overdue_seconds)
        if overdue and not self._told_overdue:
            log.error("retention is overdue: messages that should be deleted may still be there")
        self._told_overdue = overdue
        self.metrics.retention_overdue.set(overdue)
        return overdue

    async def _tick(self) -> None:
        self._is_retention_overdue()
        self.presence.tick()
        await self.sessions.touch()

    def _serve(self, public: list[socket], metrics: list[socket]) -> None:
        settings = self.settings
        self.transports = Transports(
            SocketLimits(
                frame_bytes=settings.limits.frame_bytes,
                frame_fragments=settings.limits.frame_fragments,
                unfinished_seconds=settings.limits.unfinished_seconds,
                queue_bytes=settings.limits.queue_bytes,
                ping_seconds=settings.limits.ping_seconds,
                pong_seconds=settings.limits.pong_seconds,
            )
        )
        self.sockets = Sockets(
            self._desk(), self.door, self.transports, JsonWire(), settings.limits.sockets_per_network,
            settings.server.token_in_url, Tally(),
        )  # fmt: skip
        public_rules, metrics_rules = self._rules()
        self._listeners = [_http_server(public_rules, public), _http_server(metrics_rules, metrics)]
        self.jobs.start()
        self.watchdog.start()

    def _desk(self) -> Desk:
        limits = self.settings.limits
        told = {
            "textLength": limits.text_length,
            "frameBytes": limits.frame_bytes,
            "messagesPerSession": limits.messages_per_session,
            "identifySeconds": limits.identify_seconds,
        }
        return Desk(
            self.events, self.welcome, self.metrics, self.clock, told, self.plugins.names, limits.ping_seconds,
            limits.identify_seconds, limits.json_depth, Identify(), self._spawn,
        )  # fmt: skip

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for; the shutdown does."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _rules(self) -> tuple[list[Any], list[Any]]:
        """Tornado's rules for the public port, and for that of the metrics."""
        server = self.settings.server
        counter = Counter(
            self.door, self.sessions, self.limits, self.dispatcher, self.metrics, server.operator_token,
            BODY_BYTES, self.settings.limits.json_depth,
        )  # fmt: skip
        routes = self._routes()
        documents = Documents(routes, self.events)
        routes += [(CORE, route) for route in documents.routes()]
        public = [
            (r"/ws", WebSocketEntrance, {"sockets": self.sockets}),
            *page_rules(self.sockets, self.door, self.rooms, self.limits),
            *route_table(routes, counter),
            (r".*", NotFound),
        ]
        metrics = [(CORE, replace(route, auth="nobody")) for _, route in routes if route.path == METRICS_PATH]
        return public, [*route_table(metrics, counter), (r".*", NotFound)]

    def _routes(self) -> list[tuple[str, Route]]:
        rooms = RoomRoutes(self.rooms, self.sessions, self.welcome, self.limits, self.clock, self.settings.rooms)
        server = ServerRoutes(
            {"database": self.database.check}, self.metrics, self._state, lambda: self.sockets.draining
        )
        privacy = Privacy(self.settings, self.plugins.names)
        export = ExportRoutes(self.journal, self.rooms, self.dispatcher, self.clock)
        own = (*rooms.routes(), *export.routes(), *server.routes(), *privacy.routes())
        return [*((CORE, route) for route in own), *self.plugins.declared("register_routes")]

    def _state(self) -> Mapping[str, Any]:
        plugins = {plugin.name: self.dispatcher.state(plugin.name) for plugin in self.plugins.all}
        state = {
            "plugins": plugins,
            "connections": len(self.transports),
            "retentionOverdue": self._is_retention_overdue(),
        }
        return state | {"unknownProxy": True} if self.door.saw_unknown_proxy else state

    @property
    def url(self) -> str:
        """Where the server can be reached from this machine."""
        host = self.settings.server.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return self.settings.server.public_url or f"http://{shown}:{self.port}"

    # --- stopping

    async def stop(self) -> None:
        """Stop accepting, tell clients when to come back, finish what is in flight, close. Bounded by `drain_seconds`."""
        for listener in self._listeners:
            listener.stop()
        await drain(self.sockets, self.hub, self.writer, self.settings.server.drain_seconds)
        await self.writer.finish()
        self.transports.abort_all()
        for listener in self._listeners:
            await listener.close_all_connections()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.jobs.stop()
        self.watchdog.stop()
        await self.close()

    async def close(self) -> None:
        """The opposite of `open`."""
        await self.dispatcher.settle()
        await self.sessions.touch()
        await self._close_plugins()
        await self._close_storage()

    async def _close_plugins(self) -> None:
        """Shut down those that were set up, and cancel what they have running."""
        contexts, self._contexts = self._contexts, []
        if contexts:
            await self.dispatcher.life("shutdown", reverse=True)
            await asyncio.gather(*(context.stop(self.budgets.shutdown_seconds) for context in contexts))

    async def _close_storage(self) -> None:
        for part in (self.bus, self.ephemeral, self.database):
            await part.close()
