"""One node that serves nobody: storage, plugins and services, wired to each other. No job runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence

import structlog

from anonchat.clock import Clock
from anonchat.config import Settings
from anonchat.connections.backlog import Backlog
from anonchat.connections.core_events import CoreEvents
from anonchat.connections.events import CORE, Events
from anonchat.connections.welcome import Welcome
from anonchat.context import (
    PluginContext,
    PluginEphemeral,
    PluginHooks,
    PluginLimits,
    PluginMessages,
    PluginRooms,
    PluginSessions,
    logger_of,
)
from anonchat.delivery.active import ActiveRooms
from anonchat.delivery.epoch import stored_epoch
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Journal
from anonchat.delivery.relay import Relay
from anonchat.errors import ChatError, StartError
from anonchat.limits import Limits
from anonchat.messages.held import HeldMessages
from anonchat.messages.intake import Intake
from anonchat.messages.messages import Messages
from anonchat.messages.receipts import Receipts
from anonchat.messages.writer import Writer
from anonchat.migrate.revisions import MigrationError
from anonchat.models import Event
from anonchat.observability.metrics import Metrics
from anonchat.people.directory import Directory
from anonchat.people.open_sockets import OpenSockets
from anonchat.people.presence import Presence
from anonchat.people.seats import Seats
from anonchat.people.sessions import Sessions
from anonchat.plugins.budgets import Budgets
from anonchat.plugins.declarations import Job
from anonchat.plugins.dispatch import Dispatcher
from anonchat.plugins.flow import Flow
from anonchat.plugins.jobs import Jobs
from anonchat.plugins.migrations import migrations_of, tables_of_rooms
from anonchat.plugins.options import options_of
from anonchat.plugins.registry import bundled, load
from anonchat.plugins.tasks import PluginTasks
from anonchat.rooms.invites import Invites
from anonchat.rooms.retention import Retention
from anonchat.rooms.rooms import Rooms
from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Bus, Database, Ephemeral

log = structlog.get_logger("anonchat.server")

PRESENCE_SECONDS = 0.5
VERIFY_ALONE_SECONDS = 5.0
PURGE_SECONDS = 30.0
# The jobs without which something that is over stays, and the seconds before which none of them is overdue.
DELETING = {"retention": 0.0, "rooms": 10.0, "purge": 2 * PURGE_SECONDS}


class Node:
    """`open`, then `close`. Two nodes in one process share nothing."""

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
        self.dispatcher = Dispatcher(
            self.plugins, self.metrics, self.budgets, lambda plugin, event, kept: self.events.check(plugin, event, kept)
        )
        self._options = options_of(self.plugins, settings.plugins)
        self.plugins.configure(self._options)
        self._plugin_tasks: dict[str, PluginTasks] = {}
        self._told_overdue = False
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
        page, replay = settings.rooms.history_page, settings.rooms.replay_events
        self.active = ActiveRooms(self.journal, self.bus, self.metrics, page=page, replay=replay)
        self.relay = Relay(self.journal, self.bus, self.hub, self.active, self.metrics)
        self.journal.publish_to(self._committed)
        self.limits = Limits(limits, self.ephemeral, self.dispatcher)
        self.presence = Presence(self.relay, self.clock, settings.sessions.grace_seconds, self._participants)
        self.open_sockets = OpenSockets(self.hub, self.presence, self.relay, self.journal)
        self.rooms = Rooms(self.journal, self.dispatcher, self.clock, settings.rooms, self.plugins.names)
        self.invites = Invites(self.journal, self.dispatcher, self.clock, self.rooms)
        self.seats = Seats(self.journal, self.dispatcher, self.clock, settings.sessions, self.hub, self.open_sockets)
        self.sessions = Sessions(self.journal, self.dispatcher, self.clock, self.open_sockets, self.presence)
        self.receipts = Receipts(self.journal, self.clock)
        self.writer = Writer(self.journal, self.receipts, self.dispatcher, self.metrics, self.clock)
        self.intake = Intake(self.receipts, self.writer, self.dispatcher, self.limits, text_length=limits.text_length)
        self.messages = Messages(
            self.journal, self.dispatcher, self.clock,
            text_length=limits.text_length, edit_window_seconds=settings.rooms.edit_window_seconds,
        )  # fmt: skip
        self.held = HeldMessages(self.journal, self.dispatcher, self.clock)
        self.retention = Retention(
            self.journal, self.database, self.dispatcher, self.metrics, self.clock, settings.rooms,
            settings.retention, self.hub, self.presence, tables_of_rooms(self.plugins),
        )  # fmt: skip
        self.relay.listen(self._delivered)
        self.events = Events(self.limits, bundled(), self.budgets.handler_seconds, self.metrics)
        self.jobs = Jobs(self.clock, self.ephemeral, self.metrics, settings.sessions.lease_seconds)
        self.directory: Directory | None = None
        if self.bus.shared:
            lease = settings.sessions.lease_seconds
            self.directory = Directory(self.relay, self.ephemeral, self.clock, self.presence, lease)
            self.presence.tell(self.directory)
            self.active.watch(self.directory)

    def _committed(self, published: Sequence[Event]) -> None:
        """Called with the events of each commit of this node."""
        self.relay.committed(published)
        if self.dispatcher.has("event_saved"):
            for event in published:
                if event.seq is not None and event.name != "message":
                    self.dispatcher.observe("event_saved", event=event)

    def _participants(self, room_id: str, present: int, here: int) -> None:
        """Called whenever somebody has come or gone, in the room or on this node."""
        self.dispatcher.observe("participants_changed", room_id=room_id, present=present, here=here)

    def _delivered(self, event: Event) -> None:
        """Called for each event that this node delivers, whichever node it comes from."""
        if event.name == "room_ended":
            self.retention.ended(event)

    # --- opening

    async def open(self) -> None:
        """Open the storage and set up the plugins; nothing is served and no job runs. Raises `StartError`."""
        try:
            await self.database.start(migrations_of(self.plugins))
            await self.bus.start(self.relay.received)
            await self.ephemeral.start()
            if self.directory is not None:
                await self.directory.beat()  # before anybody comes, so that other nodes believe what is told of them
            await self._start_plugins()
        except BaseException as error:
            await self._close_plugins()
            await self._close_storage()
            if isinstance(error, MigrationError):
                raise StartError(str(error)) from error
            raise

    async def _start_plugins(self) -> None:
        self.epoch = await stored_epoch(self.journal)
        queue_bytes = self.settings.limits.queue_bytes
        self.backlog = Backlog(
            self.epoch, self.journal, self.dispatcher, self.rooms, self.active, self.relay.gaps,
            page=self.settings.rooms.history_page, most_bytes=queue_bytes // 2,
        )  # fmt: skip
        self.welcome = Welcome(
            self.epoch, self.journal, self.dispatcher, self.rooms, self.seats, self.sessions, self.presence,
            self.active, self.backlog, self.hub, self.limits, self.events.check,
            # An eighth is left for who is there, and for what happens meanwhile.
            most_bytes=queue_bytes * 7 // 8, most_sockets=self.settings.limits.sockets_per_session,
        )  # fmt: skip
        core = CoreEvents(
            self.intake,
            self.messages,
            self.sessions,
            self.presence,
            self.relay,
            self.backlog,
            self.clock,
            self.dispatcher,
        )
        self.events.declare(CORE, core.client_events(), core.server_events())
        for plugin, event in self.plugins.declared("register_server_events"):
            self.events.declare(plugin, server=[event])
        for plugin, client_event in self.plugins.declared("register_client_events"):
            self.events.declare(plugin, client=[client_event])
        contexts = {name: self._context(name) for name in self.plugins.names}
        await self.dispatcher.life("setup", lambda plugin: {"ctx": contexts[plugin]})
        self._add_jobs()
        await self.dispatcher.life("startup")

    def _context(self, name: str) -> PluginContext:
        metrics = {
            metric.name: self.metrics.of_plugin(name, metric)
            for plugin, metric in self.plugins.declared("register_metrics")
            if plugin == name
        }
        flow = Flow(name, self.budgets.broadcasts, self.clock, self.metrics)
        check = functools.partial(self.events.check, name)
        tasks = self._plugin_tasks[name] = PluginTasks(name, self.metrics)
        return PluginContext(
            name, self._options[name], logger_of(name), self.clock, self.journal.checked_by(check),
            PluginRooms(check, self.rooms, self.invites, self.relay, self.retention, flow),
            PluginSessions(self.sessions, self.presence, check),
            PluginMessages(self.intake, self.messages, self.held, check),
            PluginEphemeral(name, self.ephemeral), PluginLimits(name, self.limits), metrics,
            PluginHooks(name, self.dispatcher, self.plugins.offered_by(name)), tasks.spawn,
        )  # fmt: skip

    def _add_jobs(self) -> None:
        self.jobs.add(Job("presence", PRESENCE_SECONDS, self._tick), everywhere=True)
        self.jobs.add(Job("compare", 1.0, self.relay.gaps.compare), everywhere=True)
        self.jobs.add(Job("touch", self._touch_seconds, lambda: self.seats.touch(everybody=True)), everywhere=True)
        # On one node nothing gets lost but what is cut off in the midst of a commit, as by a disk that stalls.
        verify_seconds = 1.0 if self.directory is not None else VERIFY_ALONE_SECONDS
        self.jobs.add(Job("receipts", 60.0, self.receipts.forget_old), everywhere=True)
        self.jobs.add(Job("verify", verify_seconds, self.open_sockets.verify), everywhere=True)
        if self.directory is not None:
            self.jobs.add(Job("nodes", self.directory.beat_seconds, self.directory.beat), everywhere=True)
        self.jobs.add(Job("rooms", 0.5, self.retention.expire))  # the end is told within a second
        self.jobs.add(Job("purge", PURGE_SECONDS, self.retention.purge))
        self.jobs.add(Job("unpurged", 60.0, self.retention.purge_again))
        self.jobs.add(Job("reports", 60.0, self.retention.forget_ended))
        self.jobs.add(Job("held", 1.0, self.held.release_due))
        self.jobs.add(Job("sessions", 60.0, self._expire_sessions))
        self.jobs.add(Job("retention", self.settings.retention.interval_seconds, self.retention.run))
        for plugin, job in self.plugins.declared("register_jobs"):
            self.jobs.add(Job(f"{plugin}.{job.name}", job.seconds, job.run))

    def is_retention_overdue(self) -> bool:
        """Whether what should be deleted may still be there. Told in the log once, in health and metrics all the while."""
        seconds = self.settings.retention.overdue_seconds
        overdue = any(self.jobs.is_overdue(job, max(seconds, least)) for job, least in DELETING.items())
        if overdue and not self._told_overdue:
            log.error("retention is overdue: what should be deleted may still be there")
        self._told_overdue = overdue
        self.metrics.retention_overdue.set(overdue)
        return overdue

    @property
    def _touch_seconds(self) -> float:
        sessions = self.settings.sessions
        return max(1.0, min(sessions.name_hold_seconds, sessions.ttl_seconds) / 3)

    async def _expire_sessions(self) -> None:
        await self.seats.keep_up()  # after a leap of the clock nobody ends who is connected
        # Nor who is connected to another node: that one touches them meanwhile.
        await self.sessions.expire(2 * self._touch_seconds if self.bus.shared else 0.0)

    async def _tick(self) -> None:
        self.is_retention_overdue()
        self.presence.tick()
        await self.seats.touch()

    # --- closing

    async def close(self) -> None:
        """The opposite of `open`."""
        await self.dispatcher.settle()
        try:
            await self.seats.touch()
        except ChatError as error:
            log.warning("the holds of those who have just gone could not be stored", code=error.code)
        finally:
            try:
                await self._close_plugins()
            finally:
                await self._close_storage()

    async def _close_plugins(self) -> None:
        """Shut down those that were set up, and cancel what they have running."""
        running, self._plugin_tasks = self._plugin_tasks.values(), {}
        if running:
            await self.dispatcher.life("shutdown", reverse=True)
            await asyncio.gather(*(tasks.stop(self.budgets.shutdown_seconds) for tasks in running))

    async def _close_storage(self) -> None:
        await self.retention.close()
        if self.directory is not None:
            await self.directory.close()
        for part in (self.bus, self.ephemeral, self.database):
            await part.close()
