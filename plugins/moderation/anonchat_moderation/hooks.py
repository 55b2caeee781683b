"""What this plugin offers to others: implement it as ``@hookimpl(optionalhook=True)``, since moderation may be off."""

# mypy: disable-error-code="empty-body"
from __future__ import annotations

from anonchat import Transaction, hookspec


class ModerationHooks:
    """Called inside the transaction of the act, awaiting only `tx`; if one raises, the act is refused."""

    @hookspec
    async def write_moderated(
        self, tx: Transaction, room_id: str, act: str, session_id: str, reason: str | None, until: int | None
    ) -> None:
        """Somebody was acted upon.

        `act` is "kick", "ban", "mute", "unmute", "promote", "demote", or what happened to messages of theirs:
        "dropped" (by a moderator, one by one), "removed". `until` is in milliseconds.
        """
