"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from anonchat import PluginContext, hookimpl


class Notifications:
    """Mentions, replies and what else concerns one, live and kept."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
