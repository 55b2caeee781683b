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
_STRETCHED = re.compile(r"(.)\1+", re.DOTALL)
_MIXED = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LATIN = regex.compile(r"\p{Script=Latin}")
_LOOKALIKE = regex.compile(r"[\p{Script=Cyrillic}\p{Script=Greek}]")
# Small letters of Cyrillic and Greek that a reader takes for Latin ones.
_LATIN_LOOKS = str.maketrans("авеһіјкмнорѕтухԁԛԝαβεικνορτυχ", "abehijkmhopstyxdqwabeiknoptux")

FEW = 5  # words with which texts are compared word by word
SKETCH = 16  # hashes that stand for the words of a text
NO_SKETCH: frozenset[int] = frozenset()


def plain(text: str) -> str:
    """Compatibility forms are one, upper case is lower, accents and what cannot be seen are gone.

    A word that mixes Latin with letters that only look Latin becomes Latin; words of one script stay.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    folded = unicodedata.normalize("NFC", _UNSEEN.sub("", folded))
    return _MIXED.sub(_unmixed, folded) if _LOOKALIKE.search(folded) else folded


def _unmixed(word: regex.Match[str]) -> str:
    text: str = word[0]
    return text.translate(_LATIN_LOOKS) if _LATIN.search(text) and _LOOKALIKE.search(text) else text


def compatible(text: str) -> str:
    """Compatibility forms are one, upper case is lower, what cannot be seen is gone: as browsers read an address (UTS #46)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
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


class Text:
    """What somebody wrote. Each form is made when a rule first asks for it."""

    __slots__ = ("_compatible", "_plain", "_said", "_words", "raw")

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._plain: str | None = None
        self._compatible: str | None = None
        self._words: list[str] | None = None
        self._said: tuple[str, frozenset[int]] | None = None

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
    def said(self) -> tuple[str, frozenset[int]]:
        """What counts when texts are compared: the words without spaces, numbers and codes, and a sketch of them.

        Of few words, stretched letters stand once; where there are no words, it is all of the text. The sketch are the
        smallest `SKETCH` hashes of the words, which stand for all of them (bottom-k sketch, Broder 1997); of few words none.
        """
        if self._said is None:
            self._said = self._without_numbers()
        return self._said

    def _without_numbers(self) -> tuple[str, frozenset[int]]:
        words = self.words
        joined = "".join(words)
        if not joined.isalpha():
            words = [word for word in words if word.isalpha() or not word.isascii()]
            joined = "".join(words)
        if len(words) < FEW:
            return _STRETCHED.sub(r"\1", joined) or self.raw.strip(), NO_SKETCH
        hashes = frozenset(map(hash, words))
        return joined, hashes if len(hashes) <= SKETCH else frozenset(sorted(hashes)[:SKETCH])
