"""The ledger in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anonchat.chaos.ledger import Account
from anonchat.chaos.storm import Happening
from anonchat.chaos.trial import Outcome

ROWS = (
    ("sent", "sent"),
    ("acknowledged", "acked"),
    ("lost", "lost"),
    ("duplicated", "duplicated"),
    ("out of order", "disordered"),
    ("unanswered", "unanswered"),
    ("fresh starts", "fresh_starts"),
)

SEQS = 30  # of each participant that are named


def lines_of(outcome: Outcome) -> Iterator[str]:
    """A line for each sum, then how long acknowledgements took, and how long at worst around each kind of fault."""
    if outcome.failure is not None:
        yield outcome.failure
    if outcome.ledger is not None:
        for title, name in ROWS:
            yield f"{title:14}{getattr(outcome.ledger, name):>10,}"
        for account in outcome.accounts:
            if seqs := outcome.ledger.unseen.get(account.name):
                yield f"never shown to {account.name}: {', '.join(_named(seqs, account))}"
        for code, count in sorted(outcome.ledger.refusals.items()):
            yield f"put off{count:>17,}  {code}"
    answers = sorted((answer for account in outcome.accounts for answer in account.answers), key=_seconds)
    if answers:
        yield from _latencies(answers, outcome.happenings)


def _named(seqs: Sequence[int], account: Account) -> Iterator[str]:
    for seq in seqs[:SEQS]:
        yield f"{seq} (told as deleted)" if seq in account.gone else str(seq)
    if len(seqs) > SEQS:
        yield f"and {len(seqs) - SEQS} more"


def _latencies(answers: Sequence[tuple[float, float]], happenings: Sequence[Happening]) -> Iterator[str]:
    half, most, worst = (_duration(answers[int((len(answers) - 1) * share)][1]) for share in (0.5, 0.99, 1))
    yield f"acknowledged after {half} (half of them), {most} (99 of 100), {worst} (worst)"
    for name in sorted({happening.name for happening in happenings}):
        kind = [happening for happening in happenings if happening.name == name]
        healed = max(happening.ended - happening.began for happening in kind)
        slowest = max((seconds for began, seconds in answers if _is_during(began, seconds, kind)), default=0.0)
        yield f"{len(kind):4} x {name:8} worst {_duration(slowest):>8}; everybody went on within {_duration(healed)}"


def _seconds(answer: tuple[float, float]) -> float:
    return answer[1]


def _is_during(began: float, seconds: float, happenings: Sequence[Happening]) -> bool:
    return any(began < happening.ended and began + seconds > happening.began for happening in happenings)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1_000:.1f} ms"
