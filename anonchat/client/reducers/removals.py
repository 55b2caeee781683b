"""Which messages an event takes away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def removal(event: str, data: Mapping[str, Any]) -> Callable[[str, int | None], bool]:
    """Of `message_deleted` or `messages_removed`: whether a message with this id and seq is gone; no seq is not known."""
    ids = {data["messageId"]} if event == "message_deleted" else set(data.get("messageIds") or ())
    through = 0 if event == "message_deleted" else data.get("throughSeq") or 0
    return lambda message_id, seq: message_id in ids or (seq is not None and seq <= through)
