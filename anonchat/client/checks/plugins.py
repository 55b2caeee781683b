"""What the events of the bundled plugins must look like, as far as this client reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.checks.basics import Check, each, mapping, message, number, record, text, time, truth, whole


def _totals(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and whole(count) for key, count in value.items())


_poll = {"pollId": text, "messageId": text}
_shown = {
    "secrecy": text, "closesAt": time, "closedAt": time, "voters": whole, "totals": _totals, "discarded": truth,
    "optionIds": each(text), "voted": truth,
}  # fmt: skip
_own_votes = record({"pollId": text, "optionIds": each(text)})
_held_message = record(
    {
        "message": record(
            {"id": text, "authorSessionId": text, "authorUsername": text, "createdAt": time, "content": mapping},
            {"replyToId": text},
        ),
        "reason": text,
    },
    {"releaseAt": time},
)
_notification = record(
    {"id": text, "type": text, "createdAt": time},
    {
        "message": record({"id": text, "seq": whole, "authorUsername": text}, {"excerpt": text}),
        "voters": whole, "act": text, "until": time,
    },
)  # fmt: skip
_rules = {"preset": text, "slowModeSeconds": number, "panic": truth}
_pin = record({"messageId": text, "pinnedAt": time})

POLL_STATE = record(_poll, _shown)
"""The state of a poll, also as `ext.polls` of its message."""

POLL_CONTENT = record(
    {
        "pollId": text, "question": text, "options": each(record({"id": text, "text": text})),
        "allowMultipleAnswers": truth, "secrecy": text, "secrecyText": text,
    },
    {"closesInSeconds": whole},
)  # fmt: skip
"""The content of the message of a poll."""

PLUGIN_EVENTS: Mapping[str, Check] = {
    "poll_update": record(_poll | {"voters": whole}, {"totals": _totals}),
    "poll_closed": POLL_STATE,
    "poll_results": POLL_STATE,
    "open_polls": record({"polls": each(POLL_STATE)}),
    "votes_lost": record({"pollIds": each(text)}),
    "vote_recorded": _own_votes,
    "vote_removed": _own_votes,
    "vote_pending": record({"pollId": text}),
    "message_pinned": _pin,
    "message_unpinned": record({"messageId": text}),
    "pinned_messages": record({"messages": each(message)}, {"hasMore": truth}),
    "notification": _notification,
    "notifications": record({"notifications": each(_notification), "unread": whole}, {"hasMore": truth}),
    "muted": record({"until": time}, {"reason": text}),
    "moderation": record({}, _rules),
    "moderation_changed": record({}, _rules),
    "moderation_log": record({"act": text, "count": whole, "by": text, "at": time}),
    "held_message": _held_message,
    "held_messages": record({"messages": each(_held_message)}, {"hasMore": truth}),
    "message_released": record({"messageId": text}),
    "message_dropped": record({"messageId": text}, {"reason": text}),
    "message_reported": record({"reason": text, "open": whole}, {"text": text, "author": mapping}),
    "report_resolved": record({"open": whole}),
    "report_count": record({"open": whole}),
    "panic_report": record({"held": whole, "dropped": whole, "released": whole}),
}
