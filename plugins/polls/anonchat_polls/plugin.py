"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from anonchat import PluginContext, hookimpl


class Polls:
    """Polls: open, hidden and secret ones."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
