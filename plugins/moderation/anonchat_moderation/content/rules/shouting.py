"""Capitals, marks and single characters without end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import eq

import regex

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

FEWEST_CAPITALS = 12  # NASA may be written so
MOST_MARKS = 6  # ! and ? in a row
MOST_ALIKE = 20  # of one letter, sign or emoji in a row; lines drawn with - = _ * ~ . are no shouting

_CAPITAL = regex.compile(r"[\p{Lu}\p{Lt}]")
_ASCII_CAPITAL = re.compile(r"[A-Z]")
_CASED = regex.compile(r"[\p{Lu}\p{Lt}\p{Ll}]")
_MARKS = re.compile(rf"[!?\uff01\uff1f¡¿‽⁇⁈⁉❗❓]{{{MOST_MARKS + 1}}}")
_ALIKE = re.compile(rf"([^\s\-=_*~.─━—\u2013·])\1{{{MOST_ALIKE}}}")


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
        is_marked = ("!" in raw or "?" in raw or not raw.isascii()) and _MARKS.search(raw)
        if is_marked or self._is_loud(raw) or (_may_be_stretched(raw) and _ALIKE.search(raw)):
            return Verdict("shouting", self.action)
        return None

    def _is_loud(self, raw: str) -> bool:
        capitals = len((_ASCII_CAPITAL if raw.isascii() else _CAPITAL).findall(raw))
        return capitals >= FEWEST_CAPITALS and capitals * 100 >= self.percent * len(_CASED.findall(raw))


def _may_be_stretched(raw: str) -> bool:
    """Whether any of the characters at some distance are alike, as they are in a long run: cheaper than looking for it."""
    sample = raw[:: MOST_ALIKE // 2]
    return any(map(eq, sample, sample[1:]))
