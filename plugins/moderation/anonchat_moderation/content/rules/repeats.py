"""The same text again: by one session, or by many at once, as raids do."""

from __future__ import annotations

from dataclasses import dataclass

from anonchat_moderation.content.folding import FEW, SKETCH, Text
from anonchat_moderation.content.memory import Said
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

SHORTEST = 6  # letters: "ok", "yes" and "+1" are said again and again
SHORTEST_OF_CROWD = 24  # letters: many people say "good morning" at once
ALIKE = 0.75  # share of words above which two texts are nearly the same


def is_near(one: frozenset[int], other: frozenset[int]) -> bool:
    """Whether two sketches have nearly the same words: exact up to `SKETCH` different ones."""
    common = one & other
    if len(common) < FEW or len(common) < ALIKE * len(one) or len(common) < ALIKE * len(other):
        return False
    least = sorted(one | other)[:SKETCH]
    return len(common.intersection(least)) >= ALIKE * len(least)


def is_same(one: tuple[str, frozenset[int]], other: tuple[str, frozenset[int]]) -> bool:
    """Whether two texts, as `Text.said` has them, are the same or nearly so."""
    return one[0] == other[0] or is_near(one[1], other[1])


@dataclass(frozen=True, slots=True)
class Repeats:
    """Lets one session say the same `times` in `seconds`, and `sessions` sessions together once each (0: any number)."""

    action: Action
    times: int
    seconds: int
    sessions: int

    @property
    def is_on(self) -> bool:
        return self.action != "allow"

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        said, sketch = text.said
        if len(said) < SHORTEST:
            return None
        key = hash(said)
        times = self.times
        if facts.edited is not None and is_same(facts.edited.said, text.said):
            times += 1  # that one is to be replaced
        if len(facts.sender.said) >= times and self._is_again(key, sketch, facts, times):
            return Verdict("repeats", self.action)
        if self.sessions and len(said) >= SHORTEST_OF_CROWD and self._is_crowd(key, facts):
            return Verdict("repeats", self.action)
        return None

    def _is_again(self, key: int, sketch: frozenset[int], facts: Facts, times: int) -> bool:
        """Whether the session has said it so many times; stops where that cannot be any more."""
        since, left = facts.now - self.seconds * 1_000, len(facts.sender.said)
        for earlier in facts.sender.said:
            if times > left:
                return False
            left -= 1
            if earlier.key != key and sketch.isdisjoint(earlier.sketch):
                continue  # as most are: seen without another call
            if earlier.at > since and earlier.client_msg_id != facts.client_msg_id:
                times -= earlier.key == key or is_near(sketch, earlier.sketch)
            if times == 0:
                return True
        return False

    def _is_crowd(self, key: int, facts: Facts) -> bool:
        sayers = facts.crowd.sayers(key)
        if len(sayers) < self.sessions:
            return False
        since = facts.now - self.seconds * 1_000
        return sum(at > since for session_id, at in sayers if session_id != facts.session_id) >= self.sessions


def remember(text: Text, facts: Facts) -> None:
    """Keep what was said, for the next judgement. Case, numbers, marks and spaces do not count."""
    said, sketch = text.said
    if len(said) < SHORTEST:
        return
    key = hash(said)
    facts.sender.said.append(Said(key, sketch, facts.now, facts.client_msg_id))
    if len(said) >= SHORTEST_OF_CROWD:
        facts.crowd.add(key, facts.session_id, facts.now)
