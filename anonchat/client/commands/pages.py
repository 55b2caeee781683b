"""Lists that the server tells page by page, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor

PAGE = 100
PAGES = 20
"""More than any server keeps of one kind; one that always has more is not asked for ever."""


async def every(floor: Floor, event: str, kind: str, key: str) -> list[Mapping[str, Any]]:
    """All rows that `event` answers with as `kind`; a page goes on before the row that has this `key`."""
    found: list[Mapping[str, Any]] = []
    for _ in range(PAGES):
        before = {"before": found[-1][key]} if found else {}
        page = (await floor.chat.request(event, {"limit": PAGE, **before})).data
        found += page[kind]
        if not page.get("hasMore") or not page[kind]:
            break
    return found
