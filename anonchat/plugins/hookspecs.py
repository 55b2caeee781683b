"""Every hook of anonchat, grouped by kind. The name of a hook tells its kind, and the kind everything else.

declare   ``register_*``   once at start; returns values, does nothing; if it raises, the start is refused
guard     ``check_*``      before the act; None or `Denied`; the first denial wins; fails closed
filter    ``filter_*``     before the act, each plugin sees what the one before made; fails closed
write     ``write_*``      inside the core's transaction, awaiting only `tx`; if it raises, the act is refused
observer  past tense       after the commit, in order for each plugin; an error is logged and counted
enrich    ``extend_*``     when state is sent or exported, for a whole batch; if it fails its part is missing
purge     ``purge_room``   when a room is purged; if it fails it is asked again until it succeeds
life      setup, startup, shutdown

Guards and filters have 1 second, observers and enrichers 5. Hooks run in the order of ``[plugins] enabled``.
"""

# mypy: disable-error-code="empty-body"
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click
    from marshmallow import Schema

    from anonchat.context import PluginContext
    from anonchat.delivery.journal import Transaction
    from anonchat.models import Denied, Draft, Edit, Event, Held, Message, Rejected, Room, Session
    from anonchat.people.seats import Applicant
    from anonchat.plugins.declarations import ClientEvent, Job, Metric, Route, ServerEvent, Tables, WebAssets

PROJECT = "anonchat"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Declare:
    """Called once at start, before `setup`. They return values and do nothing.

    `config` is the plugin's own settings, as `ctx.config` has them.
    """

    @hookspec
    def register_config_schema(self) -> type[Schema]:
        """The marshmallow schema class of ``[plugins.<name>]``; its `load_default`s are the defaults."""

    @hookspec
    def register_tables(self) -> Tables:
        """The plugin's tables and migrations."""

    @hookspec
    def register_routes(self, config: Mapping[str, Any]) -> Sequence[Route]:
        """REST routes below ``/api``."""

    @hookspec
    def register_client_events(self, config: Mapping[str, Any]) -> Sequence[ClientEvent]:
        """Events that clients may send; a third party's are named ``<plugin>.<event>``."""

    @hookspec
    def register_server_events(self) -> Sequence[ServerEvent]:
        """Events that the plugin sends; one that was not declared cannot be sent."""

    @hookspec
    def register_web_assets(self) -> WebAssets:
        """Static files, served at ``/static/<plugin>/``, and the module among them that a web client loads."""

    @hookspec
    def register_metrics(self) -> Sequence[Metric]:
        """Prometheus metrics, found again as ``ctx.metrics[name]``."""

    @hookspec
    def register_commands(self) -> Sequence[click.Command]:
        """Commands of the command line: ``anonchat <plugin> <command>``."""

    @hookspec
    def register_jobs(self, config: Mapping[str, Any]) -> Sequence[Job]:
        """Work that runs now and then, on one node at a time."""

    @hookspec
    def register_hookspecs(self) -> Sequence[object]:
        """Classes with hookspecs of the plugin's own, which other plugins may implement."""


class Life:
    """In the order of ``[plugins] enabled``; `shutdown` in reverse."""

    @hookspec
    async def setup(self, ctx: PluginContext) -> None:
        """Keep `ctx`. The database is migrated, nothing is served yet."""

    @hookspec
    async def startup(self) -> None:
        """The server is about to accept connections."""

    @hookspec
    async def shutdown(self) -> None:
        """The server has stopped; close what is open."""


class Guard:
    """Return None or `Denied(code, text)`."""

    @hookspec
    async def check_connect(self, room: Room, session: Session, network: str) -> Denied | None:
        """A socket identifies as `session`. `network` stands for where it comes from, in this room and in no other."""

    @hookspec
    async def check_join(self, room: Room, applicant: Applicant) -> Denied | None:
        """Somebody with a good invite wants to join; the name is valid, but not yet taken."""

    @hookspec
    async def check_delete(self, message: Message, session: Session) -> Denied | None:
        """`session` may delete `message` (own, or as a moderator) unless this says no."""

    @hookspec
    async def check_typing(self, session: Session) -> Denied | None:
        """`session` types; the others are not told if this says no. That it has stopped typing is always told."""


class Filter:
    """Return a changed copy (`dataclasses.replace`), None for "as it is", or `Rejected(code, text)`."""

    @hookspec
    async def filter_message(self, draft: Draft) -> Draft | Rejected | Held | None:
        """A message before it is stored. `Held` stores it for later. One session's drafts come one at a time, in order.

        A repetition may come once more after long; its sender gets the first answer, whatever this says.
        """

    @hookspec
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        """A changed text before it is stored."""


class Write:
    """Called inside the core's transaction, so that nothing gets lost. They await only `tx`; if one raises, the act fails."""

    @hookspec
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        """Messages become visible to all: sent, or released. A batch, of several rooms. Must be quick."""

    @hookspec
    async def write_deleted(self, tx: Transaction, message: Message, session: Session) -> None:
        """`session` deletes `message`, its own or as a moderator. What hangs on the message goes by itself."""

    @hookspec
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        """`session` leaves and wants to be forgotten: delete what you keep of it. What it wrote is deleted already."""


class Observer:
    """Called after the commit; one plugin's observers run one at a time, in the order of what happened."""

    @hookspec
    async def room_created(self, room: Room) -> None:
        """A room was created."""

    @hookspec
    async def room_closed(self, room: Room) -> None:
        """Nobody new can join any more."""

    @hookspec
    async def room_ended(self, room_id: str, reason: str, deleted: Mapping[str, int]) -> None:
        """The room is over; `deleted` counts what was removed by category. Empty while a grace runs, or the purge takes long."""

    @hookspec
    async def session_joined(self, session: Session) -> None:
        """Somebody joined the room (not yet connected)."""

    @hookspec
    async def role_changed(self, session: Session) -> None:
        """Somebody was made a moderator, or a participant again; `session` is as it is now."""

    @hookspec
    async def session_left(self, session: Session, reason: str) -> None:
        """A session is over: ``left``, ``expired``, or a moderator's act."""

    @hookspec
    async def connection_opened(self, session: Session) -> None:
        """The first socket of a session is identified."""

    @hookspec
    async def participants_changed(self, room_id: str, present: int, here: int) -> None:
        """Somebody has come or gone; `present` people are in the room now, and `here` of them on this node."""

    @hookspec
    async def message_saved(self, message: Message) -> None:
        """A message is stored and visible to all."""

    @hookspec
    async def message_held(self, message: Message, held: Held) -> None:
        """A message is stored and shown to nobody yet."""

    @hookspec
    async def message_edited(self, message: Message) -> None:
        """A message was changed."""

    @hookspec
    async def message_deleted(self, message_id: str, room_id: str, by: str) -> None:
        """A message was deleted, by "author" or "moderator"."""

    @hookspec
    async def event_saved(self, event: Event) -> None:
        """A durable event other than a new message is stored."""

    @hookspec
    async def authentication_failed(self, where: str, code: str) -> None:
        """A token or an invite was refused, "rest" or "socket"."""

    @hookspec
    async def limit_exceeded(self, limit: str) -> None:
        """Somebody ran into the limit of that name."""

    @hookspec
    async def retention_finished(self, rooms: int, messages: int) -> None:
        """The retention job deleted that many messages in that many rooms."""


class Enrich:
    """Called with a whole batch when state is sent."""

    @hookspec
    async def extend_messages(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Message id -> what stands as ``ext.<plugin>`` in it. One query for the batch, not one a message.

        `messages`, all of one room, are as they go over the wire: ``id``, ``roomId``, ``content``, ``authorSessionId``. They
        must not be changed.
        """

    @hookspec
    async def extend_welcome(self, room: Room, session: Session) -> Mapping[str, Any]:
        """What stands as ``ext.<plugin>`` in `identified`."""

    @hookspec
    async def extend_state(self, room: Room, session: Session) -> Mapping[str, Mapping[str, Any]]:
        """Event name -> data: what a connection is sent after history or replay, before anything live."""

    @hookspec
    async def extend_privacy(self) -> Mapping[str, str]:
        """What the plugin keeps -> one sentence for people, on the page ``/privacy``."""

    @hookspec
    async def export_room(self, room: Room) -> Mapping[str, Any]:
        """The plugin's part of an export of the room: JSON."""


class Purge:
    """The end of a room."""

    @hookspec
    async def purge_room(self, room_id: str) -> Mapping[str, int]:
        """Delete what of the room lies outside of the database; category -> count for the report of the deletion.

        A plugin that fails is asked again until it succeeds, so this must be safe to run twice.
        """


SPECS = (Declare, Life, Guard, Filter, Write, Observer, Enrich, Purge)
