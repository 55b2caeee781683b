"""Too many messages in a minute."""

from __future__ import annotations

from dataclasses import dataclass

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Flooding:
    """Lets a person write `per_minute` times in any minute; who writes more is muted for `mute_seconds`, or held."""

    action: Action
    per_minute: int
    mute_seconds: int

    @property
    def is_on(self) -> bool:
        return self.action != "allow"

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        times = facts.sender.times
        if len(times) < self.per_minute or times[-self.per_minute] <= facts.now - MINUTE:
            return None
        if self.action == "hold":
            return Verdict("flooding", "hold")
        wait = self.mute_seconds * 1_000
        return Verdict("flooding", "refuse", facts.now + wait, "muted", wait)
