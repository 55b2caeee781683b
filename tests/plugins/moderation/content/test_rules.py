"""The other rules, and what all of them cost: each is given a text and facts, and answers a verdict."""

from __future__ import annotations

import re
import string
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat_moderation.content.folding import LONGEST, SHORT, Text, compatible, plain
from anonchat_moderation.content.memory import CROWD_TEXTS, MOST_SESSIONS, Crowd, Recent, Sender
from anonchat_moderation.content.presets import PRESETS
from anonchat_moderation.content.rules.flooding import Flooding
from anonchat_moderation.content.rules.newcomers import Newcomers
from anonchat_moderation.content.rules.repeats import Repeats
from anonchat_moderation.content.rules.shouting import Shouting
from anonchat_moderation.content.rules.words import WordList, Words
from anonchat_moderation.content.verdicts import Facts

NOW = 1_000_000_000
SENTENCE = "I have something very important to tell all of you today"


def facts(now: int = NOW, number: int = 0, sender: Sender | None = None, crowd: Crowd | None = None) -> Facts:
    sender, crowd = sender or Sender(), crowd or Crowd()
    return Facts(now, f"session-{number}", f"message-{number}", NOW - 60_000, sender, crowd)


# --- repeats

REPEATS = Repeats("refuse", times=1, seconds=60, sessions=3, nearly=True)


@pytest.mark.parametrize(
    "again",
    [
        SENTENCE,
        SENTENCE.upper() + "!!!",
        SENTENCE.replace(" ", "  ") + " 42",
        SENTENCE.replace("today", "tonight"),
        SENTENCE + " x7f3",
        SENTENCE.replace("tell", "te'll"),
        SENTENCE.replace("very", "v\u00e9ry"),
    ],
)
def test_nearly_the_same_again(again: str) -> None:
    sender = Sender()
    REPEATS.remember(Text(SENTENCE), facts(sender=sender))
    assert REPEATS.judge(Text(again), facts(number=1, sender=sender)) is not None
    assert REPEATS.judge(Text(again), facts(NOW + 60_001, 1, sender)) is None


@pytest.mark.parametrize(("again", "is_again"), [(SENTENCE.upper() + " 42!", True), (SENTENCE + " tonight", False)])
def test_exactly_the_same_again(again: str, is_again: bool) -> None:
    rule, sender = replace(REPEATS, nearly=False), Sender()
    rule.remember(Text(SENTENCE), facts(sender=sender))
    assert (rule.judge(Text(again), facts(number=1, sender=sender)) is not None) is is_again


@pytest.mark.parametrize(
    ("once", "again"),
    [
        (SENTENCE, "I have something else to say to you"),
        ("ok", "ok"),
        ("+1", "+1"),
        ("haha", "haha"),
        ("I think so too", "I think so"),
    ],
)
def test_no_repetition(once: str, again: str) -> None:
    sender = Sender()
    REPEATS.remember(Text(once), facts(sender=sender))
    assert REPEATS.judge(Text(again), facts(number=1, sender=sender)) is None


def test_a_send_that_is_tried_again_does_not_repeat_itself() -> None:
    sender = Sender()
    REPEATS.remember(Text(SENTENCE), facts(sender=sender))
    assert REPEATS.judge(Text(SENTENCE), facts(sender=sender)) is None


def test_many_sessions_paste_the_same() -> None:
    crowd = Crowd()
    for number in range(3):
        assert REPEATS.judge(Text(SENTENCE), facts(number=number, crowd=crowd)) is None
        REPEATS.remember(Text(SENTENCE), facts(number=number, crowd=crowd))
    assert REPEATS.judge(Text(SENTENCE + " 77"), facts(number=9, crowd=crowd)) is not None
    assert REPEATS.judge(Text("Good morning everyone"), facts(number=9, crowd=crowd)) is None
    assert REPEATS.judge(Text(SENTENCE), facts(NOW + 60_001, 9, crowd=crowd)) is None


def test_what_is_remembered_of_a_room_is_bounded() -> None:
    crowd = Crowd()
    for number in range(1_000):
        crowd.add(number, f"session-{number}", NOW)
        crowd.add(-1, f"session-{number}", NOW)
    assert len(crowd.texts) + len(crowd.earlier) <= 2 * CROWD_TEXTS
    assert [session for session, _ in crowd.sayers(-1)] == [f"session-{number}" for number in range(980, 1_000)]
    assert len(crowd.sayers(-1)) == MOST_SESSIONS
    assert all(crowd.sayers(number) for number in range(1_000 - CROWD_TEXTS + 1, 1_000))
    assert not crowd.sayers(0)


def test_who_says_it_again_is_one_sayer() -> None:
    crowd = Crowd()
    for now, session in enumerate(["a", "b", "a"]):
        crowd.add(1, session, now)
    assert crowd.sayers(1) == (("b", 1), ("a", 2))


@given(st.text(st.sampled_from(string.printable), max_size=60))
def test_words_of_ascii_are_those_of_the_pattern(text: str) -> None:
    assert Text(text).words == re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*", text.lower())


@given(st.text(st.sampled_from(string.ascii_letters + " '_.7"), min_size=SHORT, max_size=90))
def test_what_counts_of_ascii_are_the_letters_of_spoken_words(text: str) -> None:
    """Also where they are found without looking for words."""
    letters = "".join(Text(text).spoken).replace("'", "")
    assert Text(text).said == letters or len(letters) < SHORT


@given(st.lists(st.sampled_from("abcdefg")))
def test_who_was_asked_for_last_is_remembered(keys: list[str]) -> None:
    recent, latest = Recent(Sender, 2), dict[str, Sender]()
    for key in keys:
        value = recent.get(key)
        assert latest.pop(key, value) is value
        latest[key] = value
        for old in list(latest)[:-2]:
            del latest[old]
        assert len(recent) <= 4


# --- shouting


@pytest.mark.parametrize(
    "text",
    [
        "WHY DOES NOBODY LISTEN",
        "ПОЧЕМУ МЕНЯ ПЛОХО СЛЫШИШЬ",
        "what?!?!?!?!",
        "no" + "o" * 25,
        "🔥" * 30,
    ],
)
def test_shouting(text: str) -> None:
    assert Shouting("refuse", 80).judge(Text(text), facts()) is not None


@pytest.mark.parametrize(
    "text",
    [
        "NASA, ESA and UNESCO agree",
        "OK THEN",
        "Das ist ein Satz",
        "これは大声ではありません、普通の文章です",
        "هذا نص عادي وليس صراخا",
        "-" * 60,
        "wait.......................",
        "So?! Really!!",
        "ABCDEFGHIJKL is the first half of the letters",
    ],
)
def test_no_shouting(text: str) -> None:
    assert Shouting("refuse", 80).judge(Text(text), facts()) is None


# --- flooding


def test_flooding_mutes_after_so_many_in_a_minute() -> None:
    flooding, sender = Flooding("refuse", per_minute=3, mute_seconds=30), Sender()
    sender.times.extend([NOW - 59_000, NOW - 2])
    assert flooding.judge(Text("x"), facts(sender=sender)) is None
    sender.times.append(NOW - 1)
    verdict = flooding.judge(Text("x"), facts(sender=sender))
    assert verdict is not None
    assert (verdict.code, verdict.until, verdict.retry_after_ms) == ("muted", NOW + 30_000, 30_000)
    assert flooding.judge(Text("x"), facts(NOW + 1_000, sender=sender)) is None


# --- newcomers


def test_the_first_messages_of_newcomers_are_held_for_a_time() -> None:
    newcomers = Newcomers("hold", seconds=120, messages=2, hold_seconds=20)
    known = facts()
    verdict = newcomers.judge(Text("x"), known)
    assert verdict is not None
    assert (verdict.action, verdict.until) == ("hold", NOW + 20_000)
    known.sender.sent = 2
    assert newcomers.judge(Text("x"), known) is None
    assert newcomers.judge(Text("x"), known._replace(edited=Text("y"))) is not None
    assert newcomers.judge(Text("x"), facts(NOW + 60_000)) is None


# --- cost

NASTY = {
    "letters": "a" * 4_000,
    "spelt": "a " * 2_000,
    "dotted": "a." * 2_000,
    "hyphens": "a-" * 2_000,
    "dots": "." * 4_000,
    "stars": "*" * 4_000,
    "schemes": "http:/" * 600,
    "slashes": "http://" * 500,
    "brackets": "[ . ] " * 600,
    "dot": "a dot " * 600,
    "digits": "1.1.1." * 600,
    "leet": "4@$$!" * 800,
    "pairs": "aab" * 1_300,
    "long labels": ("a" * 70 + ".") * 56,
    "marks": "?!?!?! " * 570,
    "combining": "a" + "\u0301" * 3_999,
    "combining out of order": "\u0591\u05b0" * 2_000,
    "long signs": "\ufdfa" * 4_000,
    "long signs in words": ("\u33c2" * 9 + "a1 ") * 333,
    "cyrillic": "w\u0430" * 2_000,
    "apostrophes": "a'" * 2_000,
    "phrases": "holy " * 800,
    "at": "a@a." * 1_000,
}
STRICT = PRESETS["strict"].rules
ALL = WordList.of(["war", "holy holy cow", "warmong*", "abc*", *(f"holy x{number}" for number in range(190))])


def grows_as_the_text(judge: Callable[[str], object], text: str) -> bool:
    """Whether eight times the text takes about eight times as long, and not 64 times, as a square would."""

    def seconds(part: str) -> float:
        started = time.thread_time()
        judge(part)
        return time.thread_time() - started

    whole, eighth = (min(seconds(text[:length]) for _ in range(7)) for length in (4_000, 500))
    return whole < 24 * eighth + 0.001  # both on the same machine: how fast it is does not matter


@pytest.mark.parametrize("name", NASTY)
def test_no_text_takes_long(name: str) -> None:
    rules = (Words("refuse", (), (ALL,)), STRICT.links, STRICT.shouting, STRICT.repeats)
    assert grows_as_the_text(lambda text: [rule.judge(Text(text), facts()) for rule in rules], NASTY[name])


@pytest.mark.parametrize("fold", [plain, compatible])
def test_no_sign_makes_a_text_much_longer(fold: Callable[[str], str]) -> None:
    """Of all that can be written: rules cost time linear in what it is folded to."""
    signs = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    assert max(map(len, fold("\n".join(signs)).split("\n"))) == LONGEST


def test_marks_in_a_row_are_bounded_where_they_are_sorted() -> None:
    """By their classes, each passing all before it: 4,000 took as long as thousands of messages."""
    for fold in (plain, compatible):
        assert len(fold("\u05d0" + "\u0591\u05b0" * 2_000)) < 64
    assert plain("\u0928\u093f") == "\u0928\u093f"


def test_a_slow_pattern_would_be_noticed() -> None:
    assert not grows_as_the_text(re.compile("(?:a.)*b").search, NASTY["spelt"])
