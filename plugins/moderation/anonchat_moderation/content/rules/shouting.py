"""Capitals, marks and single characters without end."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

FEWEST_CAPITALS = 12  # NASA may be written so
MOST_MARKS = 6  # ! and ? in a row
MOST_ALIKE = 20  # of one letter, sign or emoji in a row; lines drawn with - = _ * ~ . are no shouting

_CAPITAL = regex.compile(r"[\p{Lu}\p{Lt}]")
_CASED = regex.compile(r"[\p{Lu}\p{Lt}\p{Ll}]")
_MARKS = regex.compile(rf"[!?\uff01\uff1f¡¿‽⁇⁈⁉❗❓]{{{MOST_MARKS + 1}}}")
_ALIKE = regex.compile(rf"([^\s\-=_*~.─━—\u2013·])\1{{{MOST_ALIKE}}}")


@dataclass(frozen=True, slots=True)
class Shouting:
    """Holds or refuses a text in which `percent` of the letters are capitals. Scripts without case have none to count."""

    action: Action
    percent: int

    @property
    def is_on(self) -> bool:
        return self.action != "allow"

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        raw = text.raw
        if self._is_loud(raw) or _MARKS.search(raw) or _ALIKE.search(raw):
            return Verdict("shouting", self.action)
        return None

    def _is_loud(self, raw: str) -> bool:
        if raw.islower():
            return False
        capitals = len(_CAPITAL.findall(raw))
        return capitals >= FEWEST_CAPITALS and capitals * 100 >= self.percent * len(_CASED.findall(raw))
