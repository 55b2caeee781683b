"""Words that are not wanted, however they are written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import regex

from anonchat_moderation.content.folding import Text, plain, words_of
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

# Scripts that put no spaces between words: there a word is looked for anywhere.
_UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}"
    r"\p{Script=Myanmar}]"
)
# "w a r", "w.a.r", "w,a,r": single letters with the same between them.
_SPELT = regex.compile(r"(?<![\p{L}\p{N}])[\p{L}\p{N}](?=([ .,_*/|\-]{1,3}))(?:\1[\p{L}\p{N}](?![\p{L}\p{N}])){2,}+")
FEWEST_SPELT = 3
_SEPARATOR = regex.compile(r"[ .,_*/|\-]+")
_INSIDE = re.compile(r"(?<=[^\W_])[._*\-]+(?=[^\W_])")  # "wa.r"
_STRETCHED = re.compile(r"([^\W\d_])\1\1+")  # "waaar"
_DISGUISED = re.compile(r"[0-9@$!|+]")
# A word with a letter and one of them; numbers stay numbers.
_DISGUISED_WORD = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}@$!|+])\p{M}*+"
    r"(?:\p{L}[\p{L}\p{M}]*+[\p{N}@$!|+]|[\p{N}@$!|+][\p{M}\p{N}@$!|+]*+\p{L})[\p{L}\p{M}\p{N}@$!|+]*+"
)
_AS_I = str.maketrans("013456789@$!|+", "oieasgtbgasiit")
_AS_L = str.maketrans("013456789@$!|+", "oleasgtbgasllt")


@dataclass(frozen=True, slots=True)
class WordList:
    """Words, phrases and prefixes, taken apart for looking them up. Cost of a search: linear in the text."""

    words: frozenset[str]
    prefixes: frozenset[str]
    lengths: tuple[int, ...]
    phrases: frozenset[tuple[str, ...]]
    beginnings: Mapping[str, Collection[int]]
    """First word of phrases -> how many words they have."""
    anywhere: tuple[str, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> WordList:
        """Of entries as people write them: ``war``, ``holy war``, ``warmong*``. One without a letter or digit does nothing."""
        words, prefixes, phrases, anywhere = set(), set(), set(), set()
        for entry in entries:
            folded = plain(entry)
            found = words_of(folded)
            if _UNSPACED.search(folded):
                anywhere.add(folded.strip("* "))
            elif len(found) > 1:
                phrases.add(tuple(found))
            elif found and folded.endswith("*"):
                prefixes.add(found[0])
            else:
                words.update(found)
        lengths = tuple(sorted({len(prefix) for prefix in prefixes}))
        beginnings: dict[str, set[int]] = {}
        for phrase in phrases:
            beginnings.setdefault(phrase[0], set()).add(len(phrase))
        return cls(frozenset(words), frozenset(prefixes), lengths, frozenset(phrases), beginnings, tuple(anywhere))

    def is_in(self, text: Text) -> bool:
        """Whether one of the entries stands in `text`, as it is written."""
        return any(part in text.plain for part in self.anywhere) or self.matches(text.words, frozenset(text.words))

    def matches(self, found: Sequence[str], fresh: Collection[str]) -> bool:
        """Whether one of the entries is among the words `found`; those that are not `fresh` are known to be no entries."""
        if not self.words.isdisjoint(fresh):
            return True
        if any("'" in word and word.endswith("'s") and word.partition("'")[0] in self.words for word in fresh):
            return True
        if any(not self.prefixes.isdisjoint({word[:length] for word in fresh}) for length in self.lengths):
            return True
        return not self.beginnings.keys().isdisjoint(found) and self._has_phrase(found)

    def _has_phrase(self, found: Sequence[str]) -> bool:
        for at, word in enumerate(found):
            for length in self.beginnings.get(word, ()):
                if tuple(found[at : at + length]) in self.phrases:
                    return True
        return False


def _undone(written: Text) -> Iterator[str]:
    """The text with tricks of writing undone, in at most eighteen forms; forms in which nothing changes are left out."""
    text = joined = written.plain
    if sum(len(word) == 1 for word in written.words) >= FEWEST_SPELT:
        joined = _SPELT.sub(lambda spelt: _SEPARATOR.sub("", spelt[0]), text)
    joined = _INSIDE.sub("", joined)
    for form in dict.fromkeys((text, joined)):
        forms = dict.fromkeys((form, _read(form, _AS_I), _read(form, _AS_L)))
        for read in forms:
            if read is not text:
                yield read
            if _STRETCHED.search(read):
                yield _STRETCHED.sub(r"\1", read)
                yield _STRETCHED.sub(r"\1\1", read)


def _read(text: str, table: Mapping[int, int]) -> str:
    """Digits and signs in words that have a letter, read as letters; numbers stay numbers."""
    if not _DISGUISED.search(text):
        return text
    return _DISGUISED_WORD.sub(lambda word: word[0].translate(table), text)


@dataclass(frozen=True, slots=True)
class Words:
    """Holds or refuses what has a word of one of the lists in it: on word boundaries, so that "war" is not in "software"."""

    action: Action
    words: tuple[str, ...] = ()
    lists: tuple[WordList, ...] = ()

    @property
    def is_on(self) -> bool:
        return self.action != "allow" and bool(self.lists)

    def is_broken_by(self, text: Text) -> bool:
        """Whether `text` has one of the words in it."""
        if any(words.is_in(text) for words in self.lists):
            return True
        seen = set(text.words)
        for form in _undone(text):
            found = words_of(form)
            fresh = set(found) - seen
            if any(words.matches(found, fresh) for words in self.lists):
                return True
            seen |= fresh
        return False

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        return Verdict("words", self.action) if self.is_broken_by(text) else None
