"""Values in `Ephemeral` that several tasks and nodes change at once."""

from __future__ import annotations

from collections.abc import Callable

from anonchat import ChatError, PluginContext

ATTEMPTS = 100  # against the changes on other nodes; those of one node should come one at a time


async def swap(ctx: PluginContext, key: str, milliseconds: int, change: Callable[[bytes | None], bytes]) -> bytes:
    """Change a value by compare-and-set; returns what it is now. It then lives for so long.

    `change` may be called several times, and what it raises leaves the value as it is. Raises `overloaded`.
    """
    for _ in range(ATTEMPTS):
        stored = await ctx.ephemeral.get(key)
        changed = change(stored)
        absent = stored is None
        if changed == stored or await ctx.ephemeral.put(
            key, changed, milliseconds, only_if_absent=absent, only_if=stored
        ):
            return changed
    raise ChatError("overloaded", retry_after_ms=1_000)
