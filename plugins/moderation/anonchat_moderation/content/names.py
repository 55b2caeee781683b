"""Names under which people join: they stand beside every message, so what may not be written may not be a name."""

from __future__ import annotations

from collections.abc import Mapping

from anonchat import Applicant, Denied
from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.room_rules import RoomRules
from anonchat_moderation.content.rules.links import Links
from anonchat_moderation.content.rules.words import Words

REFUSALS: Mapping[type[Words] | type[Links], str] = {
    Words: "This name has a word in it that is not wanted in this room. Choose another one.",
    Links: "This name looks like a link, and links are not let through in this room. Choose another one.",
}


class Names:
    """The guard of names. A name cannot wait, so where a message would be held, a name is refused. Moderators pass."""

    def __init__(self, rooms: RoomRules) -> None:
        self._rooms = rooms

    async def check_join(self, room_id: str, applicant: Applicant) -> Denied | None:
        """Asks the rules for words and links that are in force."""
        if applicant.role == "moderator":
            return None
        state, name = await self._rooms.of(room_id), Text(applicant.username)
        for rule in state.active:
            if isinstance(rule, Words | Links) and rule.is_broken_by(name):
                return Denied("username_invalid", REFUSALS[type(rule)])
        return None
