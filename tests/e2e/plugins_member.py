"""A participant who uses polls, pins, notifications and moderation: what they can do follows from what they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from .member import Member
from .plugins_view import Inbox, Moderation, Pins, Polls
from .view import Part

P = TypeVar("P", bound=Part)

MOST_POLLS = 5  # that one person makes: ten a minute are the limit, and each may be asked for twice
GONE = frozenset({"poll_closed", "poll_not_found"})
MODERATED = frozenset({"muted", "message_refused"})  # refused is also who has five messages waiting
RULES = (
    {"links": {"action": "hold"}},
    {"links": {"action": "allow"}},
    {"newcomers": {"action": "hold", "messages": 1_000, "seconds": 3_600, "holdSeconds": 1}},
    {"newcomers": {"action": "allow"}},
)


class PluginsMember(Member):
    """Somebody who also votes. Of a secret poll they keep their vote, since a server that starts anew forgets it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.secret: dict[str, dict[str, Any]] = {}  # poll id -> data of the vote
        self.polls = 0

    def part(self, kind: type[P]) -> P:
        """What is known of one plugin."""
        return next(part for part in self.view.parts if isinstance(part, kind))

    async def settle(self) -> None:
        """As `Member.settle` says, and with the secret votes sent again that the server has forgotten."""
        await super().settle()
        for poll_id in self.part(Polls).forgotten():
            if poll_id in self.secret:
                await self.ask("vote", self.secret[poll_id])

    def _refused(self, data: dict[str, Any]) -> None:
        """Whom moderation refuses does not try again, nor the author of a message that was held and is dropped by now."""
        sent = self.waiting[data["clientMsgId"]]
        if data["code"] in MODERATED or (data["code"] == "message_not_found" and "replyToId" not in sent):
            del self.waiting[data["clientMsgId"]]
        else:
            super()._refused(data)


class Asked(NamedTuple):
    """An event with which a client asks for something, and the codes with which that may be refused."""

    event: str
    data: dict[str, Any]
    refusals: frozenset[str] = frozenset()


def _one_of(things: Sequence[str], number: int) -> Sequence[str]:
    """One of them, or none if there are none."""
    return [things[number % len(things)]] if things else []


# --- what anybody can do. `number` chooses among what there is; nothing is asked where there is nothing


def create_poll(member: PluginsMember, number: int) -> list[Asked]:
    member.polls += 1
    if member.polls > MOST_POLLS:
        return []
    secrecy = ("open", "hidden", "secret")[number % 3]
    asked = {"question": "What?", "options": ["One", "Two", "Three"], "secrecy": secrecy}
    more = {"allowMultipleAnswers": number % 2 == 0, "clientMsgId": f"{member.name}-poll-{member.polls}"}
    return [Asked("create_poll", asked | more, MODERATED | {"conflict"})]


def vote(member: PluginsMember, number: int, **more: Any) -> list[Asked]:
    polls = member.part(Polls)
    asked = []
    for poll_id in _one_of(polls.of(is_open=True), number):
        data = {"pollId": poll_id, "optionId": str(1 + number % 3), **more}
        if polls.polls[poll_id]["secrecy"] == "secret":
            data = member.secret.setdefault(poll_id, data)
        asked.append(Asked("vote", data, GONE | {"already_voted"}))
    return asked


def change_vote(member: PluginsMember, number: int) -> list[Asked]:
    return vote(member, number, change=True)


def unvote(member: PluginsMember, number: int) -> list[Asked]:
    polls = _one_of(member.part(Polls).of(is_open=True), number)
    return [Asked("unvote", {"pollId": poll_id}, GONE | {"polls.vote_final"}) for poll_id in polls]


def read(member: PluginsMember, number: int) -> list[Asked]:
    entries = _one_of(list(member.part(Inbox).entries), number)
    return [Asked("mark_notification_read", {"notificationId": key}, frozenset({"not_found"})) for key in entries]


def read_all(member: PluginsMember, number: int) -> list[Asked]:
    return [Asked("mark_all_notifications_read", {})]


def take_back(member: PluginsMember, number: int) -> list[Asked]:
    """Delete a message of one's own that waits."""
    held = member.part(Moderation).held.items()
    own = [key for key, one in held if one["message"]["authorSessionId"] == member.session_id]
    refusals = frozenset({"message_not_found", "conflict"})
    return [Asked("delete_message", {"messageId": key}, refusals) for key in _one_of(own, number)]


# --- what moderators can do


def pin(member: PluginsMember, number: int) -> list[Asked]:
    visible = [key for key, wire in member.view.messages.items() if "deletedAt" not in wire]
    refusals = frozenset({"message_not_found"})
    return [Asked("pin_message", {"messageId": key}, refusals) for key in _one_of(visible, number)]


def unpin(member: PluginsMember, number: int) -> list[Asked]:
    pinned = _one_of(list(member.part(Pins).pinned), number)
    return [Asked("unpin_message", {"messageId": key}, frozenset({"pins.not_pinned"})) for key in pinned]


def close_poll(member: PluginsMember, number: int) -> list[Asked]:
    polls = _one_of(member.part(Polls).of(is_open=True), number)
    return [Asked("close_poll", {"pollId": poll_id}, GONE) for poll_id in polls]


def decide(member: PluginsMember, number: int) -> list[Asked]:
    """Release or drop what waits."""
    event, refusals = ("release_message", "drop_message")[number % 2], frozenset({"message_not_found", "conflict"})
    held = _one_of(list(member.part(Moderation).held), number)
    return [Asked(event, {"messageId": key}, refusals) for key in held]


def set_rule(member: PluginsMember, number: int) -> list[Asked]:
    """Let messages wait, for a moderator or for a second, or let them through."""
    return [Asked("set_moderation", {"rules": RULES[number % len(RULES)]})]


def panic(member: PluginsMember, number: int) -> list[Asked]:
    """Begin a panic, or end it."""
    event, data = (("panic", {}), ("calm", {"held": "drop"}), ("calm", {"held": "release"}))[number % 3]
    return [Asked(event, data)]


def act(member: PluginsMember, number: int) -> list[Asked]:
    """Act on somebody else."""
    event = ("promote", "demote", "mute", "unmute", "mute", "promote")[number % 6]
    others = [key for key in member.view.users if key != member.session_id]
    refusals = frozenset({"conflict", "rank_too_low", "not_found"})
    return [Asked(event, {"targetSessionId": key}, refusals) for key in _one_of(sorted(others), number // 6)]


Act = Callable[[PluginsMember, int], list[Asked]]
ANYBODY: Mapping[str, Act] = {
    one.__name__: one for one in (create_poll, vote, change_vote, unvote, read, read_all, take_back)
}
MODERATORS: Mapping[str, Act] = {one.__name__: one for one in (pin, unpin, close_poll, decide, set_rule, panic, act)}
