"""What the bundled plugins tell, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.checks.plugins import POLL_CONTENT
from anonchat.client.state import RoomState
from anonchat.client.text import one_line, said
from anonchat.client.times import duration, when
from anonchat.client.words.acts import entry, panic_report
from anonchat.client.words.notices import notice

QUOTED = 60

TOLD_OTHERWISE = frozenset({"close", "reopen", "end", "promote", "demote", "rules", "panic", "calm"})
"""Acts of which everybody hears by another event, too."""

SEEN_ANYWAY = frozenset({"mention", "reply", "room", "poll_opened", "poll_closed", "moderation"})
"""Notifications of what is seen as it happens: the message is marked, or another event tells it."""


def _poll_closed(data: Mapping[str, Any], state: RoomState) -> str | None:
    known = state.polls.all.get(data["pollId"])
    if known is None:
        return None
    wire = state.messages.get(known["messageId"], {"content": {}})
    content = wire["content"] if POLL_CONTENT(wire["content"]) else {}
    question = f" “{one_line(content['question'], QUOTED)}”" if content else ""
    if data.get("discarded"):
        return f"The poll{question} is closed. Too few voted, so the result is discarded."
    return f"The poll{question} is closed{_result(data.get('totals') or {}, content)}."


def _result(totals: Mapping[str, int], content: Mapping[str, Any]) -> str:
    """``: Tea 3, Coffee 1``"""
    if not totals or not content:
        return ""
    return ": " + ", ".join(f"{one_line(one['text'])} {totals.get(one['id'], 0)}" for one in content["options"])


def _pinned(data: Mapping[str, Any], state: RoomState) -> str | None:
    wire = state.messages.get(data["messageId"])
    if data["messageId"] in state.pins.all:
        return None
    return f"Pinned: {_quoted(wire)}" if wire is not None else "An older message was pinned; /pins shows it."


def _unpinned(data: Mapping[str, Any], state: RoomState) -> str | None:
    if data["messageId"] not in state.pins.all:
        return None
    wire = state.pins.all[data["messageId"]]
    return f"Not pinned any more: {_quoted(wire)}" if wire is not None else "A message is not pinned any more."


def _notification(data: Mapping[str, Any], state: RoomState) -> str | None:
    """What no other event tells; of votes in a poll, only that there are some."""
    is_known = data["id"] in state.notifications.all
    return None if is_known or data["type"] in SEEN_ANYWAY else notice(data)


def _notifications(data: Mapping[str, Any], state: RoomState) -> str | None:
    """What waits for somebody who comes; that one has read it oneself is no news."""
    if data["unread"] <= state.notifications.unread:
        return None
    return f"{data['unread']} unread: /notifications shows what concerns you."


def _muted(data: Mapping[str, Any], state: RoomState) -> str | None:
    if state.moderation.muted is not None and state.moderation.muted["until"] == data["until"]:
        return None
    reason = f": {one_line(data['reason'])}" if data.get("reason") else ""
    return f"You are muted until {when(data['until'])}{reason}".rstrip(".") + "."


def _log(data: Mapping[str, Any], _: RoomState) -> str | None:
    return None if data["act"] in TOLD_OTHERWISE else entry(data)


def _rules(data: Mapping[str, Any], state: RoomState) -> str | None:
    """What has changed; at the beginning what differs from a room without moderation."""
    before = state.moderation.rules
    told = []
    if bool(data.get("panic")) != bool(before.get("panic")):
        told.append("Panic: what newcomers write is held back." if data.get("panic") else "The panic is over.")
    seconds = data.get("slowModeSeconds") or 0
    if seconds != (before.get("slowModeSeconds") or 0):
        told.append(f"Slow mode: one message in {duration(seconds)}." if seconds else "Slow mode is off.")
    if before and data.get("preset") != before.get("preset"):
        told.append(f"The rules of the room are {one_line(str(data.get('preset')))} now.")
    return " ".join(told) or None


def _held(data: Mapping[str, Any], state: RoomState) -> str | None:
    """To moderators; who wrote it hears of it by the answer."""
    if data["message"]["authorSessionId"] == state.me.get("sessionId"):
        return None
    return f"A message of {_quoted(data['message'])} waits ({one_line(data['reason'])} /held shows all)"


def _held_all(data: Mapping[str, Any], state: RoomState) -> str | None:
    count = len(data["messages"])
    if not count or count <= len(state.moderation.held):
        return None
    return f"{count} message{'s wait' if count > 1 else ' waits'} to be released."


def _dropped(data: Mapping[str, Any], state: RoomState) -> str | None:
    held = state.moderation.held.get(data["messageId"])
    if held is None or held["message"]["authorSessionId"] != state.me.get("sessionId"):
        return None
    reason = one_line(data.get("reason") or "A moderator has dropped it.")
    return f"Your message “{one_line(said(held['message']), QUOTED)}” is not shown: {reason}"


def reported(data: Mapping[str, Any]) -> str:
    """``Bob: the message (the reason)``"""
    author = data.get("author") or {}
    name = one_line(str(author.get("username") or "somebody"))
    return f"{name}: {one_line(data.get('text') or '', QUOTED)} ({one_line(data['reason'])})"


def _reports(data: Mapping[str, Any], state: RoomState) -> str | None:
    """It comes with every message that is deleted, since a report may be gone with it; mostly none is."""
    count = data["open"]
    if count <= 0 or count == state.moderation.reports:
        return None
    reports_wait, they_are = ("report waits", "it is") if count == 1 else ("reports wait", "they are")
    return f"{count} {reports_wait}: /reports shows what {they_are}."


def _quoted(wire: Mapping[str, Any]) -> str:
    return f"{one_line(wire['authorUsername'])}: {one_line(said(wire), QUOTED)}"


PLUGIN_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], RoomState], str | None]] = {
    "poll_closed": _poll_closed,
    "message_pinned": _pinned,
    "message_unpinned": _unpinned,
    "notification": _notification,
    "notifications": _notifications,
    "muted": _muted,
    "unmuted": lambda data, state: "You may write again.",
    "moderation_log": _log,
    "moderation": _rules,
    "moderation_changed": _rules,
    "held_message": _held,
    "held_messages": _held_all,
    "message_dropped": _dropped,
    "message_reported": lambda data, state: f"Reported: {reported(data)} /reports shows all",
    "report_count": _reports,
    "panic_report": lambda data, state: panic_report(data),
}
