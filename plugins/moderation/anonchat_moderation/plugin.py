"""The plugin: one class, whose methods are hooks. What they do is in the parts that it puts together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import marshmallow

from anonchat import (
    ClientEvent,
    Draft,
    Edit,
    Held,
    Job,
    PluginContext,
    Rejected,
    Route,
    ServerEvent,
    Tables,
    hookimpl,
)
from anonchat_moderation.acts import Acts
from anonchat_moderation.log import Log
from anonchat_moderation.mutes import Mutes
from anonchat_moderation.settings import Settings
from anonchat_moderation.tables import metadata


class Moderation:
    """Keeping a crowd of strangers civil: kick, ban, mute, rules, reports, a log."""

    def __init__(self) -> None:
        self.acts = Acts()
        self.log = Log(self.acts)
        self.mutes = Mutes(self.acts, self.log)

    # --- what the plugin declares

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return []

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return []

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        return []

    @hookimpl
    def register_jobs(self) -> Sequence[Job]:
        return [Job("log", 1.0, self.log.tell_gathered)]

    # --- what the plugin does

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.acts.open(ctx)

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | Held | None:
        return await self.mutes.check(draft.session)

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        return await self.mutes.check(edit.session)
