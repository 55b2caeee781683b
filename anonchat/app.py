"""The composition root: settings in, a running server out."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from socket import socket
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from anonchat.clock import Clock
from anonchat.config import Settings
from anonchat.connections.connection import ConnectionServices
from anonchat.connections.events import CORE
from anonchat.errors import StartError
from anonchat.http.api import ApiServices, NotFound, route_table
from anonchat.http.assets import all_assets, asset_rules
from anonchat.http.export import ExportRoutes
from anonchat.http.in_flight import InFlight
from anonchat.http.ingress import Ingress
from anonchat.http.invites import InviteRoutes
from anonchat.http.listening import PatientServer, listen
from anonchat.http.members import MemberRoutes
from anonchat.http.openapi import Documents
from anonchat.http.operator import OperatorRoutes
from anonchat.http.pages import page_rules
from anonchat.http.privacy import Privacy
from anonchat.http.rooms import RoomRoutes
from anonchat.http.server import METRICS_PATH, Check, ServerRoutes
from anonchat.http.tarpit import Tarpit
from anonchat.limits import Networks
from anonchat.node import Node
from anonchat.observability.watchdog import Watchdog
from anonchat.plugins.budgets import Budgets
from anonchat.plugins.declarations import Route
from anonchat.protocol.schemas import Identify
from anonchat.rooms.overview import Overview
from anonchat.websocket.drain import drain
from anonchat.websocket.fanout import SocketWire
from anonchat.websocket.handler import Sockets, socket_rules
from anonchat.websocket.transport import SocketLimits, Transports

HEADER_BYTES = 16_384
BODY_BYTES = 65_536
READ_BYTES = 8_192  # of one read of a request; Tornado's 64 KiB left 50 MB of holes after floods
HEADER_SECONDS, BODY_SECONDS = 15, 10  # to send the whole of it
LOOPBACK = "127.0.0.1"


class Server(Node):
    """A node that serves. `start`, then `stop`; `url` is where it listens."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        plugins: Mapping[str, object] | None = None,
        budgets: Budgets | None = None,
        shares_port: bool = False,
    ) -> None:
        """`plugins` are objects that run beside the enabled ones, by name. Raises `StartError`."""
        self._shares_port = shares_port
        super().__init__(settings, clock, plugins=plugins, budgets=budgets)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[HTTPServer] = []
        self.in_flight = InFlight()
        self.metrics_port: int | None = None
        networks = Networks(self.ephemeral, self.clock)
        self.ingress = Ingress(settings.server, networks)
        self.tarpit = Tarpit(
            settings.limits.violations_per_network,
            settings.server.trusted_proxies,
            networks,
            self.dispatcher,
            self.clock,
        )
        packages = {plugin.package: plugin.name for plugin in self.plugins.all}
        self.watchdog = Watchdog(self.metrics, packages, self.budgets.blocked_seconds)

    # --- starting

    async def start(self) -> None:
        """Open everything and serve. Raises `StartError`; what was opened until then is closed again.

        The ports are taken first: a second server by mistake must not get as far as the database.
        """
        listening = self._bind()
        try:
            await self.open()
            try:
                self._serve(*listening)
            except BaseException:
                await self.close()
                raise
        except BaseException:
            for taken in itertools.chain(*listening):
                taken.close()
            raise

    def _bind(self) -> tuple[list[socket], list[socket]]:
        """The sockets of the server, and those of its metrics, if they have a port of their own."""
        server = self.settings.server
        public, metrics = listen(server.host, server.port, "port", shared=self._shares_port), []
        self.port = int(public[0].getsockname()[1])
        if server.metrics_port is not None:
            try:
                metrics = listen(LOOPBACK, server.metrics_port, "metrics_port")
            except StartError:
                for taken in public:
                    taken.close()
                raise
            self.metrics_port = int(metrics[0].getsockname()[1])
        return public, metrics

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
            self._connection_services(), self.ingress, self.transports, SocketWire(self.transports),
            settings.limits.sockets_per_network, settings.server.token_in_url, self.tarpit, Counter(),
        )  # fmt: skip
        public_rules, metrics_rules = self._rules()
        self._listeners = [self._listener(public_rules, public), self._listener(metrics_rules, metrics)]
        self.jobs.start()
        self.watchdog.start()

    def _listener(self, rules: list[Any], listening: list[socket]) -> HTTPServer:
        server = PatientServer(
            Application(rules, log_function=lambda _: None),
            max_body_size=2 * BODY_BYTES,
            max_header_size=HEADER_BYTES,
            idle_connection_timeout=HEADER_SECONDS,
            body_timeout=BODY_SECONDS,
            chunk_size=READ_BYTES,
            tarpit=self.tarpit,
        )
        server.add_sockets(listening)
        return server

    def _connection_services(self) -> ConnectionServices:
        limits = self.settings.limits
        told = {
            "textLength": limits.text_length,
            "frameBytes": limits.frame_bytes,
            "messagesPerSession": limits.messages_per_session,
            "identifySeconds": limits.identify_seconds,
        }
        return ConnectionServices(
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
        services = ApiServices(
            self.ingress, self.rooms, self.sessions, self.limits, self.dispatcher, self.metrics, server.operator_token,
            BODY_BYTES, self.settings.limits.json_depth, self.in_flight,
        )  # fmt: skip
        routes = self._routes()
        documents = Documents(routes, self.events)
        assets = all_assets(self.plugins.declared("register_web_assets"))
        routes += [(CORE, route) for route in documents.routes()]
        public = [
            *socket_rules(self.sockets),
            *page_rules(self.ingress, self.rooms, self.limits, assets, server.operator_token is not None),
            *asset_rules(assets, self.ingress),
            *route_table(routes, services),
            (r".*", NotFound),
        ]
        metrics = [(CORE, replace(route, auth="nobody")) for _, route in routes if route.path == METRICS_PATH]
        return public, [*route_table(metrics, services), (r".*", NotFound)]

    def _routes(self) -> list[tuple[str, Route]]:
        rooms = RoomRoutes(self.rooms, self.backlog, self.limits, self.clock, self.settings)
        members = MemberRoutes(self.invites, self.seats, self.sessions, self.limits)
        invites = InviteRoutes(self.invites)
        server = ServerRoutes(
            {"database": self.database.check}, self._between_nodes(), self.metrics, self._state,
            lambda: self.sockets.draining,
        )  # fmt: skip
        privacy = Privacy(self.settings, self.plugins.names, self.dispatcher)
        export = ExportRoutes(self.journal, self.rooms, self.dispatcher, self.clock)
        own = (
            *rooms.routes(),
            *members.routes(),
            *invites.routes(),
            *export.routes(),
            *OperatorRoutes(Overview(self.database, self.clock), self.rooms, self.retention).routes(),
            *server.routes(),
            *privacy.routes(),
        )
        return [*((CORE, route) for route in own), *self.plugins.declared("register_routes")]

    def _between_nodes(self) -> Mapping[str, Check]:
        return {"bus": self.bus.check, "ephemeral": self.ephemeral.check} if self.bus.shared else {}

    def _state(self) -> Mapping[str, Any]:
        plugins = {plugin.name: self.dispatcher.state(plugin.name) for plugin in self.plugins.all}
        state = {
            "plugins": plugins,
            "connections": len(self.transports),
            "retentionOverdue": self.is_retention_overdue(),
        }
        return state | {"unknownProxy": True} if self.ingress.saw_unknown_proxy else state

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
        await drain(self.sockets, self.in_flight, self.hub, self.writer, self.settings.server.drain_seconds)
        await self.writer.finish()
        self.transports.abort_all()
        await asyncio.sleep(0)  # whose end is told in the next turn
        for listener in self._listeners:
            await listener.close_all_connections()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.jobs.stop()
        self.watchdog.stop()
        await self.close()
