"""What is counted, and how a count is told so that nobody can be seen in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

HOUR = 3_600_000
DAY = 24 * HOUR
STEPS = {"hour": HOUR, "day": DAY}  # milliseconds; both begin in UTC

PEAK = "peak_participants"

COUNTED = {
    "rooms_created": "Rooms that were created.",
    "joins": "Sessions that joined a room.",
    "messages": "Messages that became visible to their room.",
    "votes": "People who voted in a poll; those of a secret poll at its close.",
    "failed_authentications": "Tokens and invites that were refused.",
    "limits_hit": "Acts that were refused because of a limit.",
    "retention_runs": "Times that retention found rooms to look through.",
    "retention_messages": "Messages that retention deleted.",
}
"""What is added up: metric -> what it says."""

METRICS = (*COUNTED, PEAK)
OF_A_ROOM = ("joins", "messages", "votes", PEAK)
"""What is counted for each room, too."""


def start_of(step: str, time: int) -> int:
    """When the hour or day of a time began."""
    return time - time % STEPS[step]


def oldest_day(now: int, days: int) -> int:
    """When the first of so many days began, of which today is the last."""
    return start_of("day", now) - (days - 1) * DAY


def rounded(count: int, blur: int) -> int:
    """The multiple of `blur` at or below a count."""
    return count - count % blur


def told(count: int, blur: int) -> Mapping[str, int]:
    """A count as people are told it: at least `value`, and less than `below`.

    The two are multiples of `blur`, which follow each other: 0 to 4 people look alike, and so do 5 to 9. Everything is
    rounded, not only what is small: if 17 were told, and 18 a moment later, the eighteenth could be seen. None is not
    told apart from few either, for somebody who was there alone would be seen in the difference.

    This is k-anonymity with k = `blur` (L. Sweeney, "k-anonymity: a model for protecting privacy", 2002), reached by
    rounding to a base, as statistical offices do with small tables; five is the base that is most in use.
    """
    lowest = rounded(count, blur)
    return {"value": lowest, "below": lowest + blur}


def told_hours(counts: Sequence[int], blur: int) -> Sequence[Mapping[str, int]]:
    """The counts of the hours of a day, from its first: what was told of the day at their end, less what was before.

    So they add up to what is told of the day, and tell nothing that the day did not tell at some time. Were each rounded by
    itself, five hours told as 0 and their day told as 20 would have only one solution. What is told in an hour may have
    begun in those before it: it can hold up to `blur` - 1 less than `value`.
    """
    sums = [0, *accumulate(counts)]
    values = [rounded(after, blur) - rounded(before, blur) for before, after in pairwise(sums)]
    return [{"value": value, "below": value + blur} for value in values]


def told_days(total: int, days: int, blur: int) -> Mapping[str, int]:
    """The sum over so many days, made of what is told of each of them; each may hide `blur` - 1 more."""
    return {"value": total, "below": total + days * (blur - 1) + 1}
