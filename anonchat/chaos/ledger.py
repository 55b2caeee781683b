"""What was sent, acknowledged, stored and shown, and whether these agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Entry = tuple[int, str, str]
"""A message: its seq, its id, its text."""


@dataclass(slots=True)
class Account:
    """What one participant has sent, and all that it was told. Its texts are ``<name>-<number>``, one as often as sent."""

    name: str
    sent: int = 0
    waiting: dict[str, float] = field(default_factory=dict)  # text without an ack -> when it was first sent, in seconds
    acked: dict[str, str] = field(default_factory=dict)  # text -> message id
    answers: list[tuple[float, float]] = field(default_factory=list)  # when sent, and seconds until the ack
    seen: list[Entry] = field(default_factory=list)
    skipped: list[range] = field(default_factory=list)  # seqs that explicit fresh starts have left out
    gone: list[int] = field(default_factory=list)  # seqs of which it was told that what they stood for is deleted
    put_off: set[str] = field(default_factory=set)  # texts that the server could not take at first
    refusals: Counter[str] = field(default_factory=Counter)  # by code

    def is_excused(self, seq: int) -> bool:
        """Whether the server has said that this one might be missing."""
        return any(seq in gap for gap in self.skipped)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The sums over all participants."""

    sent: int
    acked: int
    lost: int
    """Acknowledged or shown and not stored, or stored and never shown to somebody who was not told of a gap."""
    duplicated: int
    """Stored twice, shown twice to somebody, or acknowledged under the id of another."""
    disordered: int
    """Shown in another order than that of the room, or stored in another than their author's."""
    unanswered: int
    """Sent and never acknowledged, though there was time."""
    fresh_starts: int
    """How often somebody was told openly to begin anew; that is no loss."""
    refusals: Counter[str]
    """How often a send was put off, by code; each was repeated until it was acknowledged."""
    unseen: Mapping[str, Sequence[int]]
    """The seqs of what is stored and was never shown, for each participant whom that has happened to."""

    @property
    def is_whole(self) -> bool:
        """Whether everything that was promised was kept."""
        return not (self.lost or self.duplicated or self.disordered or self.unanswered)


def reckon(accounts: Sequence[Account], stored: Sequence[Entry]) -> Ledger:
    """Compare what participants were told with what is `stored`, which is all messages in the order of the room."""
    return Ledger(
        sent=sum(account.sent for account in accounts),
        acked=sum(len(account.acked) for account in accounts),
        lost=len(set[str]().union(*(_lost(account, stored) for account in accounts))),
        duplicated=len(_repeated(stored).union(*(_duplicated(account, stored) for account in accounts))),
        disordered=sum(_disordered(account, stored) for account in accounts),
        unanswered=sum(len(account.waiting) for account in accounts),
        fresh_starts=sum(len(account.skipped) for account in accounts),
        refusals=sum((account.refusals for account in accounts), Counter[str]()),
        unseen={account.name: found for account in accounts if (found := _unseen(account, stored))},
    )


def _repeated(entries: Sequence[Entry]) -> set[str]:
    return {text for text, count in Counter(text for _, _, text in entries).items() if count > 1}


def _lost(account: Account, stored: Sequence[Entry]) -> set[str]:
    there, texts = {message_id for _, message_id, _ in stored}, {text for _, _, text in stored}
    unseen = set(_unseen(account, stored))
    gone = account.acked.keys() - texts
    gone |= {text for _, message_id, text in account.seen if message_id not in there}
    return gone | {text for seq, _, text in stored if seq in unseen}


def _unseen(account: Account, stored: Sequence[Entry]) -> Sequence[int]:
    shown = {message_id for _, message_id, _ in account.seen}
    return [seq for seq, key, _ in stored if key not in shown and not account.is_excused(seq)]


def _duplicated(account: Account, stored: Sequence[Entry]) -> set[str]:
    """Shown twice, or acknowledged as another message than the one that is there."""
    ids = {text: message_id for _, message_id, text in stored}
    return _repeated(account.seen) | {text for text, key in account.acked.items() if ids.get(text, key) != key}


def _disordered(account: Account, stored: Sequence[Entry]) -> int:
    """A send that was put off may stand behind those that its author sent later."""
    places = {message_id: place for place, (_, message_id, _) in enumerate(stored)}
    shown = [places[message_id] for _, message_id, _ in account.seen if message_id in places]
    own = [text for _, _, text in stored if text.startswith(f"{account.name}-") and text not in account.put_off]
    return _descents(shown) + _descents([int(text.rpartition("-")[2]) for text in own])


def _descents(numbers: Sequence[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))
