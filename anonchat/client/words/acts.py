"""What moderators and rules have done, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.text import one_line
from anonchat.client.times import when

ACTS: Mapping[str, str] = {
    "kick": "removed {target} for a while",
    "ban": "banned {target}",
    "unban": "lifted a ban",
    "mute": "muted {target}",
    "unmute": "let {target} write again",
    "promote": "made {target} a moderator",
    "demote": "took the role of a moderator from {target}",
    "rotate": "renewed the link for moderators",
    "close": "closed the room",
    "reopen": "opened the room again",
    "end": "ended the room",
    "resolve": "dealt with a report",
    "rules": "changed the rules",
    "panic": "declared a panic",
    "calm": "ended the panic",
    "removed": "removed {messages}",
    "held": "held {messages} back",
    "released": "released {messages}",
    "dropped": "dropped {messages}",
}


def entry(data: Mapping[str, Any]) -> str:
    """An entry of the log as a sentence; with names, reason and time where one may know them."""
    count = data.get("count") or 1
    act = ACTS.get(data["act"], one_line(data["act"]))
    told = act.format(target=_name(data.get("target")) or "somebody", messages=_messages(count))
    who = _name(data.get("byUser")) or ("A rule" if data.get("by") == "rule" else "A moderator")
    until = f" until {when(data['until'])}" if data.get("until") else ""
    reason = f": {one_line(str(data['reason']))}" if data.get("reason") else ""
    return f"{who} {told}{until}{reason}".rstrip(".") + "."


def panic_report(data: Mapping[str, Any]) -> str:
    """What a panic has done, once it is over."""
    return f"Messages in the panic: {data['held']} held, {data['dropped']} dropped, {data['released']} shown."


def _messages(count: int) -> str:
    return "a message" if count == 1 else f"{count} messages"


def _name(user: object) -> str | None:
    """How somebody was called; None for who is not told or was forgotten."""
    name = user.get("username") if isinstance(user, Mapping) else None
    return one_line(name) if isinstance(name, str) else None
