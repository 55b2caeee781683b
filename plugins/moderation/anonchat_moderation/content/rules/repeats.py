"""The same text again: by one person, or by many at once, as raids do."""

from __future__ import annotations

from dataclasses import dataclass

from anonchat_moderation.content.folding import FEWEST, NO_SKETCH, SHORT, SKETCH, Text
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

SHORTEST = 6  # letters: "ok", "yes" and "+1" are said again and again
ALIKE = 0.75  # share of words above which two texts are nearly the same


def is_near(one: frozenset[int], other: frozenset[int]) -> bool:
    """Whether two sketches have nearly the same words: exact up to `SKETCH` different ones."""
    common = one & other
    if len(common) < FEWEST or len(common) < ALIKE * len(one) or len(common) < ALIKE * len(other):
        return False
    least = sorted(one | other)[:SKETCH]
    return len(common.intersection(least)) >= ALIKE * len(least)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Lets one person say the same `times` in `seconds`, and `sessions` people together once each (0: any number).

    Case, numbers, marks and spaces do not count; with `nearly`, a few words of many may be others, too.
    """

    action: Action
    times: int
    seconds: int
    sessions: int
    nearly: bool

    @property
    def is_on(self) -> bool:
        return self.action != "allow"

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        said = text.said
        if len(said) < SHORTEST:
            return None
        key, times = hash(said), self.times
        sketch = self._sketch(text)
        if facts.edited is not None and self._is_same(facts.edited, text):
            times += 1  # that one is to be replaced
        if len(facts.sender.said) >= times and self._is_again(key, sketch, facts, times):
            return Verdict("repeats", self.action)
        if self.sessions and len(said) >= SHORT and self._is_crowd(key, facts):
            return Verdict("repeats", self.action)
        return None

    def remember(self, text: Text, facts: Facts) -> None:
        """Keep what was said, for the next judgement."""
        said = text.said
        if len(said) < SHORTEST:
            return
        key = hash(said)
        facts.sender.said.append((key, self._sketch(text), facts.now, facts.send))
        if len(said) >= SHORT:
            facts.crowd.add(key, facts.person, facts.now)

    def _sketch(self, text: Text) -> frozenset[int]:
        return text.sketch if self.nearly else NO_SKETCH

    def _is_same(self, one: Text, other: Text) -> bool:
        return one.said == other.said or is_near(self._sketch(one), self._sketch(other))

    def _is_again(self, key: int, sketch: frozenset[int], facts: Facts, times: int) -> bool:
        """Whether the person has said it so many times; stops where that cannot be any more."""
        since, left = facts.now - self.seconds * 1_000, len(facts.sender.said)
        for earlier, words, at, send in facts.sender.said:
            if times > left:
                return False
            left -= 1
            if earlier != key and sketch.isdisjoint(words):
                continue  # as most are: seen without another call
            if at > since and send != facts.send:
                times -= earlier == key or is_near(sketch, words)
            if times == 0:
                return True
        return False

    def _is_crowd(self, key: int, facts: Facts) -> bool:
        sayers = facts.crowd.sayers(key)
        if len(sayers) < self.sessions:
            return False
        since = facts.now - self.seconds * 1_000
        return sum(at > since for person, at in sayers if person != facts.person) >= self.sessions
