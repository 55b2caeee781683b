"""What the plugin declares, and the parts that it is put together from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import marshmallow

from anonchat import ClientEvent, Job, Route, ServerEvent, Tables, WebAssets, hookimpl
from anonchat_moderation import routes
from anonchat_moderation.acts import Acts
from anonchat_moderation.bans import Bans
from anonchat_moderation.content.part import Content
from anonchat_moderation.hooks import ModerationHooks
from anonchat_moderation.log import Log
from anonchat_moderation.mutes import Mutes
from anonchat_moderation.networks import Networks
from anonchat_moderation.purges import Purges
from anonchat_moderation.reports import Reports
from anonchat_moderation.roles import Roles
from anonchat_moderation.rooms import RoomActs
from anonchat_moderation.settings import Settings
from anonchat_moderation.tables import metadata
from anonchat_moderation.upkeep import delete_expired

LOG_SECONDS = 1.0
SENT_AWAY_SECONDS = 1.0
PANIC_SECONDS = 1.0
UPKEEP_SECONDS = 60.0


class Declared:
    """The hooks that declare."""

    def __init__(self) -> None:
        self.acts = Acts()
        self.log = Log(self.acts)
        self.networks = Networks(self.acts)
        self.mutes = Mutes(self.acts, self.log, self.networks)
        self.content = Content(self.acts, self.log, self.mutes)
        self.purges = Purges(self.acts, self.log, self.content.sent_away)
        self.bans = Bans(self.acts, self.log, self.networks, self.purges, self.content.sent_away)
        self.reports = Reports(self.acts, self.log)
        self.possible = routes.acts_of(
            self.bans,
            self.mutes,
            Roles(self.acts, self.log),
            RoomActs(self.acts, self.log),
            self.purges,
            self.reports,
            self.log,
        )

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        """The moderators' tools in the web client."""
        return WebAssets(Path(__file__).parent / "static", "moderation.mjs")

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
            Job("sent_away", SENT_AWAY_SECONDS, self.content.sent_away.drop_left),
            Job("panic", PANIC_SECONDS, self.content.controls.keep_late),
            Job("upkeep", UPKEEP_SECONDS, lambda: delete_expired(self.acts)),
        ]
