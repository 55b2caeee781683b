"""A text in forms in which tricks of writing do not count. Every form costs time linear in the text."""

from __future__ import annotations

import re
import string
import unicodedata

import regex

# What cannot be seen, and marks that are put on any letter (accents). Marks of a script of their own are letters there.
_UNSEEN = regex.compile(r"(?V1)[\p{Default_Ignorable_Code_Point}\p{Cf}[\p{M}&&\p{Script=Inherited}]]")
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['\u2019][\p{L}\p{M}\p{N}]+)*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_KEPT = (string.ascii_letters + string.digits).encode()
_WORDS_ONLY = bytes(sign if sign in _KEPT else ord(" ") for sign in range(256)).lower()
_LOWER = bytes(range(256)).lower()
_SIGNS = bytes(sign for sign in range(128) if sign not in _KEPT)
_STRETCHED = re.compile(r"(.)\1+", re.DOTALL)
_MIXED = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LATIN = regex.compile(r"\p{Script=Latin}")
_LOOKALIKE = regex.compile(r"[\p{Script=Cyrillic}\p{Script=Greek}]")
# What folding is to cost is bounded before it: marks in a row are sorted, each passing all before it, so that at most as many
# count as in text that is safe to stream (UAX #15); and of a sign that stands for many letters, as U+FDFA for a sentence,
# the first ones count.
LONGEST = 3
_MARKS = regex.compile(r"(\p{M}{30})\p{M}+")
_CUT = {
    code: folded[:LONGEST]
    for code in (*range(0x2000, 0x3400), *range(0xF900, 0x10000), *range(0x1F000, 0x1FC00))
    if len(folded := unicodedata.normalize("NFKD", chr(code))) > LONGEST
}
# Small letters of Cyrillic and Greek that a reader takes for Latin ones.
_LATIN_LOOKS = str.maketrans("авеһіјкмнорѕтухԁԛԝαβεικνορτυχ", "abehijkmhopstyxdqwabeiknoptux")

SHORT = 24  # letters: many people say "good morning" at once
FEWEST = 5  # words with which texts are compared word by word
SKETCH = 16  # hashes that stand for the words of a text
NO_SKETCH: frozenset[int] = frozenset()


def plain(text: str) -> str:
    """Compatibility forms are one, upper case is lower, accents and what cannot be seen are gone.

    A word that mixes Latin with letters that only look Latin becomes Latin; words of one script stay.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", _bounded(text)).casefold())
    folded = unicodedata.normalize("NFC", _UNSEEN.sub("", folded))
    return _MIXED.sub(_unmixed, folded) if _LOOKALIKE.search(folded) else folded


def _bounded(text: str) -> str:
    return _MARKS.sub(r"\1", text).translate(_CUT)


def _unmixed(word: regex.Match[str]) -> str:
    text: str = word[0]
    return text.translate(_LATIN_LOOKS) if _LATIN.search(text) and _LOOKALIKE.search(text) else text


def compatible(text: str) -> str:
    """Compatibility forms are one, upper case is lower, what cannot be seen is gone: as browsers read an address (UTS #46)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _bounded(_INVISIBLE.sub("", text))).casefold()
    return unicodedata.normalize("NFKC", folded)


def words_of(folded: str) -> list[str]:
    """The words of a text that is `plain`: runs of letters, marks and digits, with apostrophes between them (UAX #29).

    Of one that is ASCII, case does not matter.
    """
    if not folded.isascii():
        return _WORD.findall(folded)
    if "'" in folded:
        return _ASCII_WORD.findall(folded.lower())
    # The same as by the pattern, in a third of the time.
    return folded.encode().translate(_WORDS_ONLY).decode().split()


def _letters(raw: str) -> str:
    """The letters of a text in which all words are spoken ones, as of most; empty where that is to be looked at.

    The same as from the words, in a fifth of the time.
    """
    letters = raw.encode().translate(_LOWER, _SIGNS) if raw.isascii() else b""
    return letters.decode() if letters.isalpha() else ""


class Text:
    """What somebody wrote. Each form is made when a rule first asks for it."""

    __slots__ = ("_compatible", "_plain", "_said", "_sketch", "_spoken", "_words", "raw")

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._plain: str | None = None
        self._compatible: str | None = None
        self._words: list[str] | None = None
        self._spoken: list[str] | None = None
        self._said: str | None = None
        self._sketch: frozenset[int] | None = None

    @property
    def plain(self) -> str:
        if self._plain is None:
            self._plain = plain(self.raw)
        return self._plain

    @property
    def compatible(self) -> str:
        if self._compatible is None:
            self._compatible = compatible(self.raw)
        return self._compatible

    @property
    def words(self) -> list[str]:
        if self._words is None:
            self._words = words_of(self.raw if self.raw.isascii() else self.plain)
        return self._words

    @property
    def spoken(self) -> list[str]:
        """The words, but for numbers and codes."""
        if self._spoken is None:
            words = self.words
            if not "".join(words).isalpha():  # as most are
                words = [word for word in words if not word.isascii() or word.replace("'", "").isalpha()]
            self._spoken = words
        return self._spoken

    @property
    def said(self) -> str:
        """What counts when texts are compared: the words without spaces, apostrophes, numbers and codes.

        In a short one, stretched letters stand once; where there are no words, it is all of the text.
        """
        if self._said is None:
            letters = _letters(self.raw) or "".join(self.spoken).replace("'", "").replace("\u2019", "")
            self._said = letters if len(letters) >= SHORT else _STRETCHED.sub(r"\1", letters) or self.raw.strip()
        return self._said

    @property
    def sketch(self) -> frozenset[int]:
        """The smallest `SKETCH` hashes of the words, which stand for all of them (bottom-k sketch, Broder 1997).

        Of few words none.
        """
        if self._sketch is None:
            hashes = frozenset(map(hash, self.spoken)) if len(self.spoken) >= FEWEST else NO_SKETCH
            self._sketch = hashes if len(hashes) <= SKETCH else frozenset(sorted(hashes)[:SKETCH])
        return self._sketch
