"""What a rule is given and what it answers; and what the author is told, all in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.memory import Crowd, Sender

Action = Literal["allow", "hold", "refuse"]

REASONS: Mapping[str, str] = {
    "words": "It has a word in it that is not wanted in this room.",
    "links": "Links are not let through in this room without a moderator.",
    "repeats": "The same has just been said. Say it once.",
    "shouting": "It looks like shouting: use fewer capitals, marks and repeated letters.",
    "flooding": "Too many messages in a minute. Wait a little before you write again.",
    "newcomers": "The first messages of newcomers are shown after a short while.",
    "panic": "The moderators look at the messages of newcomers before they are shown.",
    "panic_links": "The moderators look at links before they are shown.",
    "waiting": "Too many messages wait for the moderators already. Try again later.",
}
"""What the author is told, for each kind of verdict."""

PANIC_REASONS = frozenset({REASONS["panic"], REASONS["panic_links"]})


class Facts(NamedTuple):
    """What a rule may know beside the text. Times are in milliseconds; `edited` is the text before an edit.

    `person` is what they are known by in whichever session, `send` what a send has in common with its repetitions only.
    """

    now: int
    person: str
    send: str
    joined_at: int
    sender: Sender
    crowd: Crowd
    edited: Text | None = None


class Verdict(NamedTuple):
    """A rule's "not so". `until` is the end of a hold, or None for "until a moderator decides"."""

    kind: str
    action: Action
    until: int | None = None
    code: str = "message_refused"
    retry_after_ms: int | None = None

    @property
    def reason(self) -> str:
        return REASONS[self.kind]


class Rule(Protocol):
    """One automatic rule with its settings. `judge` changes nothing and costs time linear in the text."""

    @property
    def is_on(self) -> bool:
        """Whether it can ever answer anything."""

    def judge(self, text: Text, facts: Facts) -> Verdict | None: ...
