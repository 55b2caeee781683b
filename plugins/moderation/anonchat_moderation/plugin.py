"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from anonchat import PluginContext, hookimpl


class Moderation:
    """Keeping a crowd of strangers civil: kick, ban, mute, rules, reports, a log."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
