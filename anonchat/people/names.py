"""The names people choose in a room: which of them may be shown (promise: readable, one script, nothing hidden).

Whether a name is too like that of somebody present is `name_key`'s matter, see `anonchat.people.skeletons`.
"""

import unicodedata
from functools import cache

import regex

from anonchat.people.skeletons import name_key

__all__ = ["InvalidName", "clean_name", "name_key"]

MIN_GRAPHEMES = 2
MAX_GRAPHEMES = 32
# Family emoji take 7 code points and Devanagari syllables up to 5, so this is generous for 32 graphemes of a real name.
MAX_CODE_POINTS = 128
# What is looked at before white space is stripped and letters are composed.
MAX_RAW_CODE_POINTS = 512

SPACES = regex.compile(r"\p{Zs}+")
GRAPHEME = regex.compile(r"\X")

# Joiners and variation selectors are invisible, so they may stand only where they draw an emoji. At most four emoji
# join, as in a family; only the three tag flags that fonts know are let through, since tags could spell hidden text.
PICTURE = r"[\p{Emoji}--[\p{Regional_Indicator}\p{Emoji_Modifier}0-9#*]][\uFE0F\p{Emoji_Modifier}]?"
EMOJI = regex.compile(
    r"(?V1)\U0001F3F4\U000E0067\U000E0062(?:\U000E0065\U000E006E\U000E0067|\U000E0073\U000E0063\U000E0074"
    r"|\U000E0077\U000E006C\U000E0073)\U000E007F"
    rf"|[0-9#*]\uFE0F\u20E3|\p{{Regional_Indicator}}{{2}}|{PICTURE}(?:\u200D{PICTURE}){{0,3}}"
)
# U+2800 is the empty Braille pattern, a symbol that looks like a space.
HIDDEN = regex.compile(
    r"(?V1)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Regional_Indicator}\p{Emoji_Modifier}\u2800]"
)
# "@" begins a mention and the others end, quote or nest one, or separate and qualify names in a list ("Zoe (moderator),
# Bob"), which is what a client does with them; "#" and "/" at the start read as a room and a command.
MENTION_MARK = regex.compile(r"[@:<>`\"\\,;()\[\]{}]|^[#/]")
# What clients put beside a name to say something of it: a moderator, a verified person, oneself.
BADGE = regex.compile(r"[★☆✩✪✫✭✮✯⭐🌟✓✔✅☑🗸👑🛡🔰🎖🏅®™©℠]")
ROLES = ("moderator", "moderators", "mod", "mods", "admin", "administrator", "operator", "system", "server", "anonchat")
EVERYBODY = ("you", "me", "all", "everyone", "everybody", "nobody", "room", "here")
WORD = regex.compile(r"[\p{L}\p{N}]+")
STACKED_MARKS = regex.compile(r"(?V1)[\p{Mn}\p{Me}]{3}|\p{M}{5}|(?<![\p{L}\p{N}\p{M}])\p{M}|\p{Me}")
READABLE = regex.compile(r"(?V1)[[\p{L}\p{N}]--\p{Lm}]")

# The recommended and the limited-use scripts of UAX #31; the others are no longer used to write names.
SCRIPTS = (
    "Latin Cyrillic Greek Arabic Hebrew Devanagari Thai Armenian Bengali Ethiopic Georgian Gujarati Gurmukhi "
    "Kannada Khmer Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu Thaana Tibetan Adlam Balinese Bamum Batak "
    "Canadian_Aboriginal Chakma Cham Cherokee Hanifi_Rohingya Javanese Kayah_Li Lepcha Limbu Lisu Mandaic "
    "Meetei_Mayek Miao New_Tai_Lue Newa Nko Nyiakeng_Puachue_Hmong Ol_Chiki Osage Saurashtra Sundanese "
    "Syloti_Nagri Syriac Tai_Le Tai_Tham Tai_Viet Tifinagh Vai Wancho Yi"
)
# UTS #39 counts the scripts that Japanese, Korean and Chinese write side by side as one.
EAST_ASIAN = ("Han Hiragana Katakana", "Hangul Han", "Han Bopomofo")


class InvalidName(ValueError):
    """A name that may not be shown; `str(error)` tells the person who chose it what is wrong and what to do."""


@cache
def keys_of(names: tuple[str, ...]) -> frozenset[str]:
    """What these names, and all that look like them, are compared by."""
    return frozenset(map(name_key, names))


@cache
def one_script() -> regex.Pattern[str]:
    """Matches text of one script (UTS #39 section 5.1); compiled at the first use, since it takes some milliseconds."""
    together = [script.split() for script in (*EAST_ASIAN, *SCRIPTS.split())]
    shared = r"\p{scx=Common}\p{scx=Inherited}"
    choices = ("".join(rf"\p{{scx={script}}}" for script in scripts) for scripts in together)
    return regex.compile("|".join(f"[{shared}{choice}]*+" for choice in choices))


def clean_name(raw: str) -> str:
    """The name to show: NFC, no space around it, single spaces inside. Raises `InvalidName` if a rule is broken.

    A name has 2 to 32 graphemes and at most 128 code points. Its cost is bounded: a huge `raw` is refused unread.
    """
    if len(raw) > MAX_RAW_CODE_POINTS:
        raise InvalidName(f"This name is too long. Please use at most {MAX_GRAPHEMES} characters.")
    name = SPACES.sub(" ", unicodedata.normalize("NFC", raw.strip()))
    _check_length(name)
    _check_characters(name)
    if not one_script().fullmatch(name):
        raise InvalidName("This name mixes alphabets, or uses one no longer in use. Please keep to one alphabet.")
    _check_claims(name)
    return name


def folded(name: str) -> str:
    """How a name is looked for: NFC, without case, with single spaces.

    One for all who look: what people type is not tidied as the names are that they look for, see `clean_name`.
    """
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def _check_claims(name: str) -> None:
    """A name says who somebody is, not what: roles and marks are the server's to give."""
    badge = BADGE.search(name)
    if badge:
        raise InvalidName(f"The sign {badge[0]} could be taken for a mark of the chat. Please leave it out.")
    if any(name_key(word) in keys_of(ROLES) for word in WORD.findall(name)):
        raise InvalidName("This name reads like a role. Please choose one that says who you are.")
    if unicodedata.normalize("NFKC", name).casefold() in EVERYBODY:  # by letter: Ali looks like "all"
        raise InvalidName("This name reads like somebody else or everybody. Please choose another.")


def _check_length(name: str) -> None:
    """Graphemes are what people count as characters; the bound in code points keeps one grapheme from being huge."""
    graphemes = len(GRAPHEME.findall(name)) if len(name) <= MAX_CODE_POINTS else MAX_GRAPHEMES + 1
    if graphemes > MAX_GRAPHEMES:
        raise InvalidName(f"This name is too long. Please use at most {MAX_GRAPHEMES} characters.")
    if graphemes < MIN_GRAPHEMES:
        raise InvalidName(f"This name is too short. Please use at least {MIN_GRAPHEMES} characters.")


def _check_characters(name: str) -> None:
    """Emoji are whole pictures and judged first, so that the rules below meet none of their invisible parts."""
    bare = EMOJI.sub("*", name)
    if HIDDEN.search(bare):
        raise InvalidName("This name has invisible or control characters. Please type it again without them.")
    mention_mark = MENTION_MARK.search(unicodedata.normalize("NFKC", bare))
    if mention_mark:
        raise InvalidName(
            f"The character {mention_mark[0]} is kept for mentions, lists and commands. Please leave it out."
        )
    if STACKED_MARKS.search(unicodedata.normalize("NFD", bare)):
        raise InvalidName("This name has too many accents, or some on no letter. Please use at most 2 on each letter.")
    if not READABLE.search(bare) and not EMOJI.search(name):
        raise InvalidName("This name has only punctuation. Please use at least one letter, number or emoji.")
