"""Reading and throwing."""

from __future__ import annotations

import pytest
from anonchat_dice.rolls import Roll, parse, throw


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/roll", (1, 8)),
        ("/roll 2d6", (2, 6)),
        ("/roll d20", (1, 20)),
        ("/roll 3D", (3, 8)),
        ("  /roll   20d1000 ", (20, 1000)),
        ("/rolling", None),
        ("let us /roll", None),
        ("2d6", None),
    ],
)
def test_what_is_asked_for(text: str, asked: tuple[int, int] | None) -> None:
    assert parse(text, 8) == asked


@pytest.mark.parametrize("what", ["0d6", "21d6", "2d1", "2d1001", "99999d6", "two", "2d6+1", "-1d6", "2d6\n2d6", "٢d٦"])
def test_what_cannot_be_rolled(what: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(f"/roll {what}", 6)


def test_every_side_falls_and_no_other() -> None:
    # A side is missing from 2000 throws of a fair d6 once in 10^158 runs.
    assert {result for _ in range(100) for result in throw(20, 6).results} == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(("roll", "text"), [(Roll(6, (3, 4)), "🎲 2d6: 3 + 4 = 7"), (Roll(20, (17,)), "🎲 1d20: 17")])
def test_how_a_roll_reads(roll: Roll, text: str) -> None:
    assert str(roll) == text
