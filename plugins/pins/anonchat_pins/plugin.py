"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from anonchat import PluginContext, hookimpl


class Pins:
    """Pinned messages."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
