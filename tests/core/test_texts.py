"""What of a text can be seen."""

from __future__ import annotations

import pytest

from anonchat.people.names import InvalidName, clean_name
from anonchat.protocol.texts import is_visible, one_line


@pytest.mark.parametrize("text", ["a", " . ", "\u200ba", "字", "🍎", "e\u0301", "?"])
def test_something_is_seen(text: str) -> None:
    assert is_visible(text)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b\u200b", "\ufeff", "\u200f", "\U000e0041", "\u3164", "\u2800", "\u0301"]
)
def test_nothing_is_seen(text: str) -> None:
    assert not is_visible(text)


def test_one_line_keeps_the_words() -> None:
    assert one_line("  first\nYou are\u202e in \x1b[1mBank ") == "first You are in [1mBank"


@pytest.mark.parametrize(
    "name",
    [
        "Zoe (moderator)",
        "Zoe [you]",
        "You",
        "Zoe ✔️",
        "Zoe ★",
        "Zoe 👑",
        "Moderator",
        "M0DERATOR",
        "Adm1n",
        "Zoe Mod",
        "Zoe, Bob",
    ],
)
def test_a_name_claims_nothing(name: str) -> None:
    with pytest.raises(InvalidName):
        clean_name(name)


@pytest.mark.parametrize(
    "name", ["Ali", "Mé", "Modesty", "Only You", "Roomba", "Zoe & Bob", "Admiral Ben", "Serverina"]
)
def test_a_name_that_only_begins_like_a_claim_is_fine(name: str) -> None:
    assert clean_name(name) == name
