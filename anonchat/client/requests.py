"""What can be asked of a room, as plain methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from anonchat.client.connection.line import Frame


class Requests(ABC):
    """Each raises `ChatRefused` with the server's code, or `NotReachable`; then it is not known whether it was done."""

    @abstractmethod
    async def request(self, event: str, data: Mapping[str, Any]) -> Frame:
        """Send any event, for instance a plugin's, and wait for its answer; waits for the connection first."""

    async def edit(self, message_id: str, text: str) -> None:
        """Change one's own message."""
        await self.request("edit_message", {"messageId": message_id, "text": text})

    async def delete(self, message_id: str) -> None:
        """Delete one's own message, or as a moderator somebody else's."""
        await self.request("delete_message", {"messageId": message_id})

    async def history(self, before: int | None = None, limit: int = 50) -> Mapping[str, Any]:
        """Messages before a seq, oldest first: ``{messages, hasMore, epoch, seq}``. Comes as an event, too."""
        bounds = {"limit": limit} if before is None else {"before": before, "limit": limit}
        return (await self.request("get_history", bounds)).data

    async def presence(self) -> Mapping[str, Any]:
        """Who is there: ``{users, total, version}``. Comes as an event, too."""
        return (await self.request("get_presence", {})).data
