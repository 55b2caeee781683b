"""All commands of this client: how each is written, what it does, and where it is offered. Said here and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from anonchat.client.commands import basics, held, notifications, people, pins, polls, reports, room
from anonchat.client.commands.floor import Floor, Next


class Offer(NamedTuple):
    """A command: what follows its name, what it does, and the function that does it with what followed.

    It is offered where `plugin` is switched on, to `moderators` only or to everybody.
    """

    usage: str
    does: str
    do: Callable[[Floor, str], Awaitable[Next | None]]
    plugin: str | None = None
    moderators: bool = False


def offered(plugins: Collection[str], is_moderator: bool) -> Mapping[str, Offer]:
    """The commands that can be used on a server with these plugins."""
    return {
        name: offer
        for name, offer in COMMANDS.items()
        if (offer.plugin is None or offer.plugin in plugins) and (is_moderator or not offer.moderators)
    }


def help_text(offers: Mapping[str, Offer]) -> str:
    """Commands, one a line."""
    width = max(len(f"/{name} {offer.usage}") for name, offer in offers.items() if len(offer.usage) <= WIDE)
    return "\n".join(f"{f'/{name} {offer.usage}':<{width}}  {offer.does}" for name, offer in offers.items())


async def _help(floor: Floor, _: str) -> None:
    floor.page("Commands", help_text(offered(floor.chat.plugins, floor.state.is_moderator)))


WIDE = 24
_ON_A_POLL = "the newest open one, or #number of a card"

COMMANDS: Mapping[str, Offer] = {
    "help": Offer("", "show the commands", _help),
    "who": Offer("", "who is here", basics.who),
    "reply": Offer("N text", "answer the N-th message from the bottom (1 is the last)", basics.reply),
    "edit": Offer("text", "change your last message", basics.edit),
    "delete": Offer("", "delete your last message", basics.delete),
    "older": Offer("", "load older messages", basics.older),
    "leave": Offer("[forget]", "leave for good; with forget, delete what you wrote", basics.leave),
    "quit": Offer("", "close the chat; your name stays reserved for a while", basics.leave_open),
    "polls": Offer("", "open polls, as they stand", polls.show, "polls"),
    "poll": Offer(
        "[--several] [--hidden] [--secret] question | option | option",
        "ask the room; several answers, hidden or secret votes",
        polls.ask,
        "polls",
    ),
    "vote": Offer("[#poll] N…", f"vote for options, instead of before ({_ON_A_POLL})", polls.vote, "polls"),
    "unvote": Offer("[#poll]", "take your vote back", polls.unvote, "polls"),
    "closepoll": Offer("[#poll]", "close a poll of yours; as a moderator, any", polls.close, "polls"),
    "pins": Offer("", "pinned messages", pins.show, "pins"),
    "pin": Offer("N", "pin the N-th message from the bottom", pins.pin, "pins", True),
    "unpin": Offer("N", "unpin the N-th of /pins", pins.unpin, "pins", True),
    "notifications": Offer("", "what concerns you and is not read yet", notifications.show, "notifications"),
    "report": Offer(
        "N reason", "tell the moderators of the N-th message from the bottom", reports.report, "moderation"
    ),
    "log": Offer("", "what moderators and rules have done", room.log, "moderation"),
    "kick": Offer("NAME [reason]", "send somebody out for a while", people.kick, "moderation", True),
    "ban": Offer("NAME [reason]", "keep somebody out for long", people.ban, "moderation", True),
    "unban": Offer(
        "[NAME]", "let somebody come back; without a name, who is kept out", people.unban, "moderation", True
    ),
    "mute": Offer("NAME [minutes]", "let somebody read and not write", people.mute, "moderation", True),
    "unmute": Offer("NAME", "let somebody write again", people.unmute, "moderation", True),
    "promote": Offer("NAME", "make somebody a moderator", people.promote, "moderation", True),
    "demote": Offer("NAME", "make a promoted moderator a participant again", people.demote, "moderation", True),
    "slow": Offer("SECONDS", "least time between two messages of one person; 0 is none", room.slow, "moderation", True),
    "preset": Offer("NAME", "the rules of the room: relaxed, careful or strict", room.preset, "moderation", True),
    "panic": Offer("", "a raid: hold what newcomers write, and links; slow mode", room.panic, "moderation", True),
    "calm": Offer("[release]", "end the panic; drop what it has held, or release it", room.calm, "moderation", True),
    "held": Offer("", "messages that wait", held.show, "moderation", True),
    "release": Offer("N", "show the N-th of /held to everybody", held.release, "moderation", True),
    "drop": Offer("N", "drop the N-th of /held", held.drop, "moderation", True),
    "reports": Offer("", "messages that were reported", reports.show, "moderation", True),
    "resolve": Offer("N", "the N-th of /reports is dealt with", reports.resolve, "moderation", True),
    "close": Offer("", "let nobody new in", room.close, "moderation", True),
    "reopen": Offer("", "let people in again", room.reopen, "moderation", True),
    "end": Offer("room", "end the room for everybody and delete all of it, for good", room.end, "moderation", True),
}
