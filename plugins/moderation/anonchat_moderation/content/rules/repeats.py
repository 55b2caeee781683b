"""The same text again: by one session, or by many at once, as raids do."""

from __future__ import annotations

from dataclasses import dataclass

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.memory import Said
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

SHORTEST = 6  # letters: "ok", "yes" and "+1" are said again and again
SHORTEST_OF_CROWD = 24  # letters: many people say "good morning" at once
SKETCH = 12  # hashes that stand for the words of a text
ALIKE = 0.75  # share of words above which two texts are nearly the same
FEWEST_WORDS = 5  # a shorter text is compared as a whole only


def said_of(text: Text, facts: Facts) -> Said:
    """What is remembered of a text. Case, digits, marks and stretched letters do not count."""
    hashes = sorted({hash(word) for word in text.words if not word.isdigit()})
    return Said(hash(text.letters), tuple(hashes[:SKETCH]), facts.now, facts.client_msg_id)


def is_alike(one: Said, other: Said) -> bool:
    """Whether two texts are the same or nearly so: the share of common words, estimated from the smallest hashes.

    The estimate is that of bottom-k sketches (Broder 1997), exact for texts of at most `SKETCH` different words.
    """
    if one.key == other.key:
        return True
    if len(one.sketch) < FEWEST_WORDS or len(other.sketch) < FEWEST_WORDS:
        return False
    ours, theirs = set(one.sketch), set(other.sketch)
    least = sorted(ours | theirs)[:SKETCH]
    return sum(word in ours and word in theirs for word in least) >= ALIKE * len(least)


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
        letters = len(text.letters)
        if letters < SHORTEST:
            return None
        said = said_of(text, facts)
        since = facts.now - self.seconds * 1_000
        before = sum(
            earlier.at > since and earlier.client_msg_id != said.client_msg_id and is_alike(said, earlier)
            for earlier in facts.sender.said
        )
        if before >= self.times + facts.is_edit:
            return Verdict("repeats", self.action)
        if self.sessions and letters >= SHORTEST_OF_CROWD and self._is_crowd(said, facts, since):
            return Verdict("repeats", self.action)
        return None

    def _is_crowd(self, said: Said, facts: Facts, since: int) -> bool:
        sayers = facts.crowd.texts.get(said.key, {})
        others = sum(at > since for session_id, at in sayers.items() if session_id != facts.session_id)
        return others >= self.sessions


def remember(text: Text, facts: Facts) -> None:
    """Keep what was said, for the next judgement."""
    letters = len(text.letters)
    if letters >= SHORTEST:
        said = said_of(text, facts)
        facts.sender.said.append(said)
        if letters >= SHORTEST_OF_CROWD:
            facts.crowd.add(said.key, facts.session_id, facts.now)
