"""What checks of answers and events are made of: functions that say whether a value is as it should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.times import moment

Check = Callable[[Any], bool]


def record(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A mapping with all that is `needed`; what is `optional` may be missing or null."""
    maybe = optional or {}

    def check(value: Any) -> bool:
        return (
            isinstance(value, Mapping)
            and all(name in value and fit(value[name]) for name, fit in needed.items())
            and all(value.get(name) is None or fit(value[name]) for name, fit in maybe.items())
        )

    return check


def nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def each(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def text(value: Any) -> bool:
    return isinstance(value, str)


def truth(value: Any) -> bool:
    return isinstance(value, bool)


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    """Python's JSON also reads NaN and Infinity, which are nobody's duration."""
    return whole(value) or (isinstance(value, float) and math.isfinite(value))


def time(value: Any) -> bool:
    try:
        return isinstance(value, str) and moment(value) is not None
    except (ValueError, OverflowError):
        return False


mapping = record({})
user = record({"sessionId": text, "username": text, "role": text})
message = record(
    {
        "id": text, "seq": whole, "authorSessionId": text, "authorUsername": text, "createdAt": time,
        "content": mapping,
    },
    {"changedSeq": whole, "replyToId": text, "anonymousId": text, "authorRole": text},
)  # fmt: skip
