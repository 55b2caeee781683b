"""Unwanted words are found however they are written, and nothing else is."""

from __future__ import annotations

import pytest

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.rules.words import WordList, Words

LIST = WordList.of(["war", "holy cow", "warmong*", "scheiße", "戦争", "дурак", "ass"])


def is_found(text: str, words: WordList) -> bool:
    return Words("refuse", (), (words,)).is_broken_by(Text(text))


@pytest.mark.parametrize(
    "text",
    [
        "war",
        "This is WAR!",
        "post-war, war-torn",
        "the war's end",
        "\uff57\uff41\uff52",
        "w\u200ba\u00adr",
        "wa\u0301\u0336r",
        "w.a.r",
        "say w a r now",
        "w - a - r",
        "w,a,r",
        "w/a/r",
        "w | a | r",
        "wa.r",
        "w_a-r",
        "w4r",
        "a$$",
        "@ss",
        "waaaaar",
        "w\u0430r",
        "\U0001d500\U0001d4ea\U0001d4fb",
        "Holy,\n COW",
        "warmongering",
        "SCHEISSE",
        "大戦争だ",
        "Ты ДУРАК, да",
        "my war's end",
        "my w4r's end",
    ],
)
def test_found(text: str) -> None:
    assert is_found(text, LIST)


@pytest.mark.parametrize(
    "text",
    [
        "software",
        "award wares warm toward",
        "w4rm",
        "wa rm",
        "I w a rm",
        "w, a.r",
        "wwaarr",
        "\u13b3\u13aa\u13a1",
        "holy and cow",
        "a warm on go",
        "class assessment bass",
        "455 and 4:55",
        "wo'war",
        "争戦",
        "дурака",
        "",
        "4 a r",
    ],
)
def test_not_found(text: str) -> None:
    assert not is_found(text, LIST)


def test_a_prefix_needs_its_star() -> None:
    assert not is_found("warmongers", WordList.of(["warmong"]))


def test_many_entries_with_the_same_beginning() -> None:
    words = WordList.of(["holy cow", "holy moly dear", "holy"])
    assert is_found("holy moly", words)
    assert not is_found("holy moly", WordList.of(["holy cow", "holy moly dear"]))
    assert is_found("oh holy moly dear", WordList.of(["holy cow", "holy moly dear"]))
