"""All commands of this client: how each is written, what it does, and where it is offered. Said here and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from anonchat.client.commands import (
    basics,
    held,
    invites,
    notifications,
    people,
    pins,
    polls,
    preferences,
    reports,
    room,
    words,
)
from anonchat.client.commands.floor import Floor, Next
from anonchat.client.state import RoomState


def everybody(_: RoomState) -> bool:
    return True


def moderators(state: RoomState) -> bool:
    return state.is_moderator


def who_makes_polls(state: RoomState) -> bool:
    return state.is_moderator or state.told_by("polls").get("create") == "everyone"


class Offer(NamedTuple):
    """A command: what follows its name, what it does, and the function that does it with what followed.

    Nothing may follow one without `usage`: it may be meant for another command, such as /closepoll for /close.
    It is offered where `plugin` is switched on, to those for whom `whose` says so.
    """

    usage: str
    does: str
    do: Callable[[Floor, str], Awaitable[Next | None]]
    plugin: str | None = None
    whose: Callable[[RoomState], bool] = everybody


def offered(plugins: Collection[str], state: RoomState) -> Mapping[str, Offer]:
    """The commands that one can use on a server with these plugins."""
    return {
        name: offer
        for name, offer in COMMANDS.items()
        if (offer.plugin is None or offer.plugin in plugins) and offer.whose(state)
    }


def help_text(offers: Mapping[str, Offer]) -> str:
    """Commands, one a line."""
    width = max(len(f"/{name} {offer.usage}") for name, offer in offers.items() if len(offer.usage) <= WIDE)
    return "\n".join(f"{f'/{name} {offer.usage}':<{width}}  {offer.does}" for name, offer in offers.items())


async def _help(floor: Floor, _: str) -> None:
    floor.page("Commands", help_text(offered(floor.chat.plugins, floor.state)))


WIDE = 24
_ON_A_POLL = "the newest open one, or #number of a card"

COMMANDS: Mapping[str, Offer] = {
    "help": Offer("", "show the commands", _help),
    "who": Offer("", "who is here", basics.who),
    "reply": Offer("N text", "answer the N-th message from the bottom (1 is the last)", basics.reply),
    "edit": Offer("text", "change your last message", basics.edit),
    "delete": Offer("[N]", "delete your last message, or the N-th message from the bottom", basics.delete),
    "older": Offer("", "load older messages", basics.older),
    "title": Offer("text", "give the room another title", basics.title, whose=moderators),
    "invites": Offer("", "links that let people in", invites.show, whose=moderators),
    "invite": Offer("[moderator] [HOURS]", "a new link, shown once", invites.make, whose=moderators),
    "uninvite": Offer("N", "refuse the N-th of /invites from now on", invites.revoke, whose=moderators),
    "leave": Offer("[forget]", "leave for good; with forget, delete what you wrote", basics.leave),
    "quit": Offer("", "close the chat; your name stays reserved for a while", basics.leave_open),
    "polls": Offer("", "open polls, as they stand", polls.show, "polls"),
    "poll": Offer(
        "[--several] [--hidden] [--secret] question | option | option",
        "ask the room; several answers, hidden or secret votes",
        polls.ask,
        "polls",
        who_makes_polls,
    ),
    "vote": Offer("[#poll] N…", f"vote for options, instead of before ({_ON_A_POLL})", polls.vote, "polls"),
    "unvote": Offer("[#poll]", "take your vote back", polls.unvote, "polls"),
    "closepoll": Offer("[#poll]", "close a poll of yours; as a moderator, any", polls.close, "polls"),
    "pins": Offer("", "pinned messages", pins.show, "pins"),
    "pin": Offer("N", "pin the N-th message from the bottom", pins.pin, "pins", moderators),
    "unpin": Offer("N", "unpin the N-th of /pins", pins.unpin, "pins", moderators),
    "notifications": Offer("", "what concerns you and is not read yet", notifications.show, "notifications"),
    "preferences": Offer("[KIND on|off]", "of what you are notified", preferences.preferences, "notifications"),
    "ignore": Offer("NAME", "no notifications of what somebody does", preferences.ignore, "notifications"),
    "heed": Offer("NAME", "notifications of what somebody does, again", preferences.heed, "notifications"),
    "report": Offer(
        "N reason", "tell the moderators of the N-th message from the bottom", reports.report, "moderation"
    ),
    "log": Offer("[all]", "what moderators and rules have done: the last 50, or all", room.log, "moderation"),
    "kick": Offer("NAME [reason]", "send somebody out for a while", people.kick, "moderation", moderators),
    "ban": Offer("NAME [reason]", "keep somebody out for long", people.ban, "moderation", moderators),
    "unban": Offer(
        "[NAME]", "let somebody come back; without a name, who is kept out", people.unban, "moderation", moderators
    ),
    "purge": Offer(
        "N NAME",
        "delete all that the author of the N-th message wrote, also who left",
        people.purge,
        "moderation",
        moderators,
    ),
    "mute": Offer("NAME [minutes]", "let somebody read and not write", people.mute, "moderation", moderators),
    "unmute": Offer("NAME", "let somebody write again", people.unmute, "moderation", moderators),
    "promote": Offer("NAME", "make somebody a moderator", people.promote, "moderation", moderators),
    "demote": Offer("NAME", "make a promoted moderator a participant again", people.demote, "moderation", moderators),
    "slow": Offer(
        "SECONDS", "least time between two messages of one person; 0 is none", room.slow, "moderation", moderators
    ),
    "preset": Offer("NAME", "the rules of the room: relaxed, careful or strict", room.preset, "moderation", moderators),
    "words": Offer("[add|remove WORD]", "words that are not wanted in the room", words.words, "moderation", moderators),
    "panic": Offer("", "a raid: hold what newcomers write, and links; slow mode", room.panic, "moderation", moderators),
    "calm": Offer(
        "[release|drop]", "end the panic; release what it has held, or drop it", room.calm, "moderation", moderators
    ),
    "held": Offer("", "messages that wait", held.show, "moderation", moderators),
    "release": Offer("N", "show the N-th of /held to everybody", held.release, "moderation", moderators),
    "drop": Offer("N", "drop the N-th of /held", held.drop, "moderation", moderators),
    "reports": Offer("", "messages that were reported", reports.show, "moderation", moderators),
    "resolve": Offer("N", "the N-th of /reports is dealt with", reports.resolve, "moderation", moderators),
    "close": Offer("", "let nobody new in", room.close, "moderation", moderators),
    "reopen": Offer("", "let people in again", room.reopen, "moderation", moderators),
    "end": Offer(
        "room", "end the room for everybody and delete all of it, for good", room.end, "moderation", moderators
    ),
}
