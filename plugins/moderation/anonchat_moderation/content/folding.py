"""A text in forms in which tricks of writing do not count. Every form costs time linear in the text."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property

import regex

# What cannot be seen, and marks that are put on any letter (accents). Marks of a script of their own are letters there.
_UNSEEN = regex.compile(r"(?V1)[\p{Default_Ignorable_Code_Point}\p{Cf}[\p{M}&&\p{Script=Inherited}]]")
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['\u2019][\p{L}\p{M}\p{N}]+)*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_UNIMPORTANT = regex.compile(r"[^\p{L}\p{M}]+")
_STRETCHED = re.compile(r"(.)\1+", re.DOTALL)
_MIXED = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LATIN = regex.compile(r"\p{Script=Latin}")
_LOOKALIKE = regex.compile(r"[\p{Script=Cyrillic}\p{Script=Greek}]")
# Small letters of Cyrillic and Greek that a reader takes for Latin ones.
_LATIN_LOOKS = str.maketrans("авеһіјкмнорѕтухԁԛԝαβεικνορτυχ", "abehijkmhopstyxdqwabeiknoptux")


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
    """The words of a text that is `plain`: runs of letters, marks and digits, with apostrophes between them (UAX #29)."""
    pattern = _ASCII_WORD if folded.isascii() else _WORD
    return pattern.findall(folded)


class Text:
    """What somebody wrote. Its forms are made when a rule first asks for them."""

    def __init__(self, raw: str) -> None:
        self.raw = raw

    @cached_property
    def plain(self) -> str:
        return plain(self.raw)

    @cached_property
    def compatible(self) -> str:
        return compatible(self.raw)

    @cached_property
    def letters(self) -> str:
        """The letters alone, each once where it is stretched; all of a text that has none."""
        return _STRETCHED.sub(r"\1", _UNIMPORTANT.sub("", self.plain)) or self.raw.strip()

    @cached_property
    def words(self) -> list[str]:
        return words_of(self.plain)
