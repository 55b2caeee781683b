"""The plugin: one class, whose methods are hooks. What they do is in the parts that it puts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import marshmallow

from anonchat import (
    Applicant,
    ClientEvent,
    Denied,
    Draft,
    Edit,
    Held,
    Job,
    Message,
    PluginContext,
    Rejected,
    Room,
    Route,
    ServerEvent,
    Session,
    Tables,
    Transaction,
    hookimpl,
    iso,
)
from anonchat_moderation import routes
from anonchat_moderation.acts import Acts
from anonchat_moderation.bans import Bans
from anonchat_moderation.content.part import Content
from anonchat_moderation.hooks import ModerationHooks
from anonchat_moderation.log import Log
from anonchat_moderation.mutes import Mutes
from anonchat_moderation.purges import Purges
from anonchat_moderation.reports import Reports
from anonchat_moderation.roles import Roles
from anonchat_moderation.rooms import Doors
from anonchat_moderation.settings import Settings
from anonchat_moderation.tables import metadata
from anonchat_moderation.upkeep import delete_expired, forget, privacy

LOG_SECONDS = 1.0
UPKEEP_SECONDS = 60.0


class Moderation:
    """Keeping a crowd of strangers civil: kick, ban, mute, rules, reports, a log."""

    def __init__(self) -> None:
        self.acts = Acts()
        self.log = Log(self.acts)
        self.mutes = Mutes(self.acts, self.log)
        self.purges = Purges(self.acts, self.log)
        self.bans = Bans(self.acts, self.log, self.purges)
        self.reports = Reports(self.acts, self.log)
        self.possible = routes.acts_of(
            self.bans,
            self.mutes,
            Roles(self.acts, self.log),
            Doors(self.acts, self.log),
            self.purges,
            self.reports,
            self.log,
        )
        self.content = Content(self.acts, self.log, self.mutes)

    # --- what the plugin declares

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_hookspecs(self) -> Sequence[object]:
        return [ModerationHooks]

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return [act.event() for act in (*self.possible, *self.content.acts())]

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [*routes.server_events(self.possible), *self.content.server_events()]

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        return [act.route() for act in (*self.possible, *self.content.acts())]

    @hookimpl
    def register_jobs(self) -> Sequence[Job]:
        return [
            Job("log", LOG_SECONDS, self.log.tell_gathered),
            Job("upkeep", UPKEEP_SECONDS, lambda: delete_expired(self.acts)),
        ]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.acts.open(ctx)
        self.content.rooms.open()

    # --- before something happens

    @hookimpl
    async def check_join(self, room: Room, applicant: Applicant) -> Denied | None:
        return await self.bans.check_join(room.id, applicant)

    @hookimpl
    async def check_connect(self, session: Session, network: str) -> Denied | None:
        return await self.bans.check_connect(session, network)

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | Held | None:
        return await self.mutes.check(draft.session) or await self.content.gate.message(draft)

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        return await self.mutes.check(edit.session) or await self.content.gate.edit(edit)

    # --- when something happens

    @hookimpl
    async def write_deleted(self, tx: Transaction, message: Message, session: Session) -> None:
        await self.purges.deleted(tx, message, session)

    @hookimpl
    async def message_deleted(self, message_id: str, room_id: str) -> None:
        self.content.held.deleted(room_id, message_id)

    @hookimpl
    async def session_left(self, session: Session, reason: str) -> None:
        await self.bans.forget_network(session)
        await self.content.left(session, reason)

    @hookimpl
    async def message_held(self, message: Message, held: Held) -> None:
        self.content.held.arrived(message, held)

    @hookimpl
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        await forget(tx, session)

    @hookimpl
    async def extend_state(self, session: Session) -> Mapping[str, Mapping[str, Any]]:
        """What holds in the room and what waits; for moderators, how many reports; until when one may not speak."""
        state = dict(await self.content.state(session))
        if session.is_moderator:
            state["report_count"] = {"open": await self.reports.waiting(session.room_id)}
        if (mute := await self.mutes.of(session)) is not None:
            state["muted"] = {"until": iso(mute[0]), "reason": mute[1]}
        return state

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        return privacy(self.acts.ctx.config)
