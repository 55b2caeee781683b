"""What a crowd has written down, compared with the database and with each other: which promises were broken."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

TROUBLE = frozenset({"storage_unavailable", "overloaded", "going_away"})  # codes for what is nobody's fault
Entry = dict[str, Any]


class Stored(NamedTuple):
    """A message as it stands in the database."""

    seq: int
    id: str
    text: str


def read(path: Path) -> list[Entry]:
    """All entries of a ledger."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def of(entries: Sequence[Entry], *whats: str) -> Iterator[Entry]:
    """The entries of some kinds."""
    return (entry for entry in entries if entry["what"] in whats)


def broken(entries: Sequence[Entry], stored: Sequence[Stored], *, most_seconds: float) -> list[str]:
    """A sentence for each breach, with the promise in front; `most_seconds` is how long an answer may take."""
    return [
        *_acknowledged(entries, stored),
        *_once(entries, stored),
        *_in_order(entries, stored),
        *_answered(entries, most_seconds),
    ]


def _acknowledged(entries: Sequence[Entry], stored: Sequence[Stored]) -> Iterator[str]:
    there = {message.text for message in stored}
    for entry in of(entries, "acked"):
        if entry["text"] not in there:
            yield f"D1: {entry['text']!r} was acknowledged to {entry['who']} and is not stored"


def _once(entries: Sequence[Entry], stored: Sequence[Stored]) -> Iterator[str]:
    counts = Counter(message.text for message in stored)
    yield from (f"D2: {text!r} is stored {count} times" for text, count in counts.items() if count > 1)
    answers = defaultdict(set)
    for message in stored:
        answers[message.text].add((message.id, message.seq))
    for entry in of(entries, "acked"):
        answers[entry["text"]].add((entry["id"], entry["seq"]))
    yield from (f"D2: {text!r} has several numbers: {found}" for text, found in answers.items() if len(found) > 1)


def _in_order(entries: Sequence[Entry], stored: Sequence[Stored]) -> Iterator[str]:
    if [message.seq for message in stored] != list(range(1, len(stored) + 1)):
        yield "D3: the numbers in the database have gaps"
    away = {entry["who"] for entry in of(entries, "away")}
    for who in sorted({entry["who"] for entry in of(entries, "seen", "fresh")}):
        own = [entry for entry in entries if entry["who"] == who]
        seen = [Stored(entry["seq"], entry["id"], entry["text"]) for entry in of(own, "seen")]
        seqs = [message.seq for message in seen]
        if seqs != sorted(set(seqs)):
            yield f"D3: {who} saw something twice or too late"
        if who not in away and (missed := sorted({*stored} - {*seen})):
            yield f"D4: {who} never saw {len(missed)} messages, the first is {missed[0]}"
        if surplus := sorted({*seen} - {*stored}):
            yield f"D1: {who} saw what is not stored, the first is {surplus[0]}"
        if any(entry["since"] is not None for entry in of(own, "fresh")):
            yield f"D4: {who} had to start over, though everything was there"


def _answered(entries: Sequence[Entry], most_seconds: float) -> Iterator[str]:
    away = {entry["who"] for entry in of(entries, "away")}
    acked = {entry["text"] for entry in of(entries, "acked")}
    for entry in of(entries, "sent"):
        if entry["text"] not in acked and entry["who"] not in away:
            yield f"D5: {entry['text']!r} was never acknowledged"
    for entry in of(entries, "silent"):
        yield f"D5: {entry['who']} was not answered: {entry['waiting']}"
    for entry in of(entries, "refused"):
        if entry["code"] not in TROUBLE:
            yield f"D5: {entry['who']} was refused with {entry['code']}"
    for entry in of(entries, "acked", "refused"):
        if entry["took"] > most_seconds:
            yield f"U4: an answer to {entry['who']} took {entry['took']:.1f} s"
