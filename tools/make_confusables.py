"""Write `anonchat/data/confusables.json`, the look-alike table behind `anonchat.people.skeletons`.

The prototypes are those of Unicode's confusables.txt (UTS #39), read from the copy that ICU carries, so nothing is
downloaded. Run it with any PyICU (`pip install PyICU`, or `pip install pyicu-wheels` without an ICU):

    python tools/make_confusables.py anonchat/data/confusables.json

A new table gives some names new keys, so it belongs in a release whose migration computes the stored keys again.
"""

import json
import re
import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

# PyICU has no type stubs, and only this script needs it.
icu: Any = import_module("icu")

NFKD: Any = icu.Normalizer2.getNFKDInstance()
LETTERS: Any = icu.UnicodeSet("[[:L:][:N:]]")
READABLE: Any = icu.UnicodeSet("[[:L:][:N:][:M:]]")
PUNCTUATION: Any = icu.UnicodeSet("[[:P:][:Sk:]]")
ACCENTS: Any = icu.UnicodeSet("[[:M:]&[:Inherited:]]")
# Dashes and connectors only join words, and some look like a Katakana stroke; marks are judged by their script.
SKIPPED: Any = icu.UnicodeSet("[[:Pd:][:Pc:][:M:][:C:]]")
# Other letters that look like punctuation (Hebrew yod, Arabic zero, Katakana no) are needed to tell real names apart.
ORNAMENTAL: Any = icu.UnicodeSet("[[[:Lm:]-[:Lisu:]][:Latin:]]")

DRAWN_LETTER = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|(?:NEGATIVE )?(?:CIRCLED|SQUARED) LATIN CAPITAL LETTER"
    r"|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])"
)
# No rule gives these: i folds together with I, which looks like l; vv is as near to w as Unicode's rn is to m; sharp s
# is no Greek beta to those who write it.
SUPPLEMENT = {"i": "l", "w": "vv", "ß": "ss"}


def unicode_prototypes() -> dict[str, str]:
    """Every code point that is its own NFKD and has a UTS #39 prototype, with that prototype in NFKD."""
    checker = icu.SpoofChecker()
    every = (chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF)
    found = {char: NFKD.normalize(checker.getSkeleton(0, char)) for char in every if NFKD.normalize(char) == char}
    return {char: prototype for char, prototype in found.items() if prototype != char}


def for_names(char: str, prototype: str) -> str | None:
    """What `char` becomes in the key of a name: letters or numbers, nothing (an ornament), or None: it stays."""
    if SKIPPED.contains(char):
        return None
    if READABLE.containsAll(prototype) and LETTERS.containsSome(prototype):
        return prototype
    return "" if ORNAMENTAL.contains(char) and PUNCTUATION.containsAll(prototype) else None


def plain(text: str) -> str:
    """`text` without the marks that names ignore anyway."""
    return "".join(char for char in text if not ACCENTS.contains(char))


def drawn_letters(prototypes: dict[str, str]) -> dict[str, str]:
    """Letters that show an ASCII letter in a way that Unicode's table leaves alone, with that letter.

    They are small capitals, boxed letters and flag letters, and the small forms of capitals that look like ASCII
    (Cyrillic ZE like 3, Greek CHI like X) where the small form itself has no ASCII look to lose. A character that
    Unicode maps to another one lends its letter to that one too, so that what looked alike still does.
    """
    letters: dict[str, str] = {}
    for point in range(sys.maxunicode + 1):
        shown = prototypes.get(chr(point), chr(point))
        if plain(shown).isascii() or NFKD.normalize(chr(point)) != chr(point):
            continue
        name = DRAWN_LETTER.fullmatch(icu.Char.charName(point))
        capital = chr(icu.Char.toupper(point))
        letter = name[1] if name else plain(prototypes.get(capital, capital))
        if letter.isascii():
            letters[chr(point)] = letter.lower()
            if len(shown) == 1:
                letters[shown] = letter.lower()
    return letters


def main(target: Path) -> None:
    """Write the table to `target`: each prototype with the characters it stands for, in code point order."""
    unicode = unicode_prototypes()
    kept = {char: shown for char, prototype in unicode.items() if (shown := for_names(char, prototype)) is not None}
    table = kept | drawn_letters(kept) | SUPPLEMENT
    grouped = defaultdict(list)
    for char, prototype in sorted(table.items()):
        # What we add can itself be the prototype of others; following it here saves a second look at run time.
        grouped["".join(table.get(part, part) for part in prototype)].append(char)
    prototypes = {prototype: "".join(chars) for prototype, chars in sorted(grouped.items())}
    about = f"UTS #39, Unicode {icu.UNICODE_VERSION}; made by tools/make_confusables.py; licence: UNICODE-LICENSE.txt"
    content = {"about": about, "prototypes": prototypes}
    target.write_text(json.dumps(content, indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
