"""What people write: as most of them do, and as those do who want to break something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Corpus:
    """Everything that somebody can write and others see. Names are ones that the server takes."""

    title: str
    description: str
    guest: str
    moderator: str
    others: tuple[str, ...]
    texts: tuple[str, ...]
    question: str
    answers: tuple[str, ...]
    reason: str


ORDINARY = Corpus(
    title="Lunch on Friday",
    description="Where do we go, and when?",
    guest="Ann",
    moderator="Mona",
    others=("Bob", "Cleo Brown"),
    texts=(
        "Hello everybody 👋",
        "Shall we meet at **noon**? The menu is at https://example.com/menu/november",
        "> Shall we meet at noon?\nI am _late_, start without me",
        "```\nsoup   4.50\nbread  1.20\n```\n- soup\n- bread with `butter`",
    ),
    question="Where do we eat?",
    answers=("At the river", "In the garden", "At the new place round the corner"),
    reason="It is rude",
)

_ZALGO = "Z̸̡͎̗͚̹̜̭̐̈́͌̉a̵̪̋̑̂͠l̶̰͔̈́͐̾g̵̡̛̝̫̈́o̷̧̤̎ " * 20
_BIDI = "\u202eevil\u202c \u2066\u2067\u2068nested \u200f\u200e\u061c"  # overrides that nobody closes
_IMAGE = "<img src=x onerror=alert(1)>"

HOSTILE = Corpus(
    title=_IMAGE + "W" * 80,
    description=f"<script>alert(1)</script> {_ZALGO[:100]} {'m' * 300}",
    guest="W" * 32,
    moderator="ﷺ" * 32,
    others=("👨‍👩‍👧‍👦" * 16, "עברית ארוכה מאוד", "_*~~**not bold**~~*_", "'-alert-'", "__proto__", "=1+1*cmd|", "नि" * 32),
    texts=(
        "<script>alert(1)</script>", _IMAGE, "<svg/onload=alert(1)>", "<iframe srcdoc='<script>alert(1)</script>'>",
        "[x](javascript:alert(1))", "javascript:alert(1)", "data:text/html,<script>alert(1)</script>",
        'http://example.com/"onmouseover=alert(1)//', "https://user:password@example.com@evil.example/%00",
        "https://" + "a" * 3_900, "https://example.com/" + "<b>" * 200, "https://\u202emoc.elpmaxe",
        "**" * 1_900, "`" * 3_000, "> " * 1_500, "*a " * 1_000, "_" * 4_000, "```\n" * 900, "- " + "*" * 3_000,
        "\n".join("- " + "*" * 30 for _ in range(80)), "\n" * 200 + "x", "x" * 4_000, "\t" * 500 + "x",
        _BIDI * 40, _ZALGO * 4, "﷽" * 300, "\ufdfa" * 500, "👨‍👩‍👧‍👦" * 400, "🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 100, "\u0301" * 900 + "x",
        "{name} ${alert(1)} {{7*7}} %s %(name)s", "__proto__ constructor toString", "@" * 500, ":" * 500,
        "```html\n" + _IMAGE + "x" * 900 + "\n```", "\u2028\u2029\u00ad\ufeff\u200b visible", "𒐫" * 300 + "\u0488" * 300,
    ),
    question=_IMAGE + "Q" * 200,
    answers=("<b>" + "A" * 97, "תשובה (ארוכה) מאוד " * 5, _ZALGO[:90].strip(), "👨‍👩‍👧‍👦" * 12),
    reason=_IMAGE + "R" * 160,
)  # fmt: skip
