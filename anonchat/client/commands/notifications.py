"""The command for what concerns oneself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor
from anonchat.client.times import when
from anonchat.client.words.notices import notice

PAGE = 100
PAGES = 20
"""More than any server keeps for one person; one that always has more is not asked for ever."""


async def show(floor: Floor, _: str) -> None:
    """``/notifications``: the unread ones, which are read then."""
    found, has_more = await _unread(floor)
    lines = [f"{when(one['createdAt'])}  {notice(one)}" for one in found]
    if has_more:
        lines.append("and older ones")
    floor.page("Unread notifications", "\n".join(lines) or "There is nothing new for you.")
    if found and not has_more:
        await floor.chat.request("mark_all_notifications_read", {})


async def _unread(floor: Floor) -> tuple[list[Mapping[str, Any]], bool]:
    """All of them, the newest first, and whether there are still more."""
    found: list[Mapping[str, Any]] = []
    has_more = True
    for _ in range(PAGES):
        before = {"before": found[-1]["id"]} if found else {}
        page = (await floor.chat.request("get_notifications", {"limit": PAGE, **before})).data
        found += page["notifications"]
        has_more = bool(page.get("hasMore")) and bool(page["notifications"])
        if not has_more:
            break
    return found, has_more
