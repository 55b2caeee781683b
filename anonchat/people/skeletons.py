"""When two names look alike: the key that a name shares with everything a reader could take for it."""

import json
import unicodedata
from functools import cache
from pathlib import Path

import regex

# Marks of no script of their own (accents, enclosing circles) and Hebrew points are easily missed by a reader, but the
# two Japanese voicing marks make another sound: KA is not GA. U+0640 only stretches an Arabic word.
IGNORED = regex.compile(
    r"(?V1)[\p{Z}\p{C}\p{P}\p{Sk}\p{Sm}\p{Default_Ignorable_Code_Point}\u0640[\p{So}--\p{Emoji}]"
    r"[[\p{M}&&[\p{Script=Inherited}\p{Script=Hebrew}]]--[\u3099\u309A]]]"
)
NOT_ASCII_LETTER = regex.compile(r"(?V1)[\p{L}--[A-Za-z]]")
# Two passes settle nearly every name; the longest chain in Unicode takes four.
MAX_PASSES = 6


@cache
def prototypes() -> dict[int, str]:
    """The look-alike table as `str.translate` wants it: about 2000 entries, read at the first use and kept."""
    table = json.loads((Path(__file__).parent.parent / "data" / "confusables.json").read_text(encoding="ascii"))
    return {ord(char): prototype for prototype, chars in table["prototypes"].items() for char in chars}


def skeleton(text: str) -> str:
    """The UTS #39 skeleton of `text`, without what `IGNORED` names: what is left for the eye, in upper and lower case.

    Compatibility decomposition instead of the canonical one also catches styled, boxed and full-width letters.
    """
    return IGNORED.sub("", unicodedata.normalize("NFKD", text).translate(prototypes()))


def name_key(name: str) -> str:
    """The key of a clean name: two names may not be together in a room if their keys are equal. Never show it.

    Case, accents, spaces, punctuation and decoration do not count; letters, numbers and emoji do. Cost is linear.
    Look and case can contradict each other: Greek capital Nu looks like N, but small nu looks like v. If a name can be
    read as plain Latin, its look decides (Anna in Greek capitals is Anna); if not, its case is folded first, so that a
    Greek or Cyrillic name is one name in both cases. Keys depend on the Unicode version of the table: stored ones must
    be computed again when it changes.
    """
    look = skeleton(name)
    text = name.casefold() if NOT_ASCII_LETTER.search(look) else look
    for _ in range(MAX_PASSES):
        before, text = text, skeleton(text).casefold()
        if text == before:
            break
    return text or name.casefold()
