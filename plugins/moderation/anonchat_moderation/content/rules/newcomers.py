"""The first messages of those who have just come."""

from __future__ import annotations

from dataclasses import dataclass

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.verdicts import Action, Facts, Verdict


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Holds the first `messages` of a person whose session is younger than `seconds`, each for `hold_seconds`; or refuses them.

    Who is a newcomer cannot edit: what was shown harmless would become something else unseen.
    """

    action: Action
    seconds: int
    messages: int
    hold_seconds: int

    @property
    def is_on(self) -> bool:
        return self.action != "allow" and self.seconds > 0

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        left = facts.joined_at + self.seconds * 1_000 - facts.now
        if left <= 0 or (facts.sender.sent >= self.messages and facts.edited is None):
            return None
        if self.action == "hold":
            return Verdict("newcomers", "hold", facts.now + self.hold_seconds * 1_000, retry_after_ms=left)
        return Verdict("newcomers", "refuse", retry_after_ms=left)
