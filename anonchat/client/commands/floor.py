"""What commands work with, and how they find what a person means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from anonchat.client.chat import Chat
from anonchat.client.connection.outbox import Outgoing
from anonchat.client.errors import ClientError
from anonchat.client.state import RoomState
from anonchat.client.text import one_line, said

QUOTED = 60


class Next(Enum):
    """What follows a line."""

    STAY = "stay"
    QUIT = "quit"


class Misused(ClientError):
    """What follows a command is not as it should be. How it is written is told with it."""

    def __init__(self, problem: str = "") -> None:
        super().__init__(problem)


class Someone(NamedTuple):
    """A person in the room, and what was written after the name."""

    session_id: str
    name: str
    rest: str


@dataclass
class Floor:
    """A chat, and the person's terminal: `say` shows a short text, `page` a longer one, `posted` a message on its way."""

    chat: Chat
    state: RoomState
    say: Callable[[str], None]
    page: Callable[[str, str], None]
    """Called with a title and the text."""
    posted: Callable[[Outgoing], None]
    listed: dict[str, Sequence[str]] = field(default_factory=dict)
    """What of each kind was listed last, by its ids: a number means what the person has seen."""

    def send(self, text: str, reply_to: str | None = None) -> None:
        """Send a text. Raises `ClientError`."""
        if text.strip():
            self.posted(self.chat.post(text, reply_to))

    def message(self, number: str) -> Mapping[str, Any]:
        """A message by its number from the bottom. Raises `Misused`."""
        messages = list(self.state.messages.values())
        return messages[-counted(number, len(messages), "N counts from 1, the last message,")]

    def check_sent(self) -> None:
        """Raises `Misused` while one's own last message is not in the room yet."""
        if self.chat.unsent:
            raise Misused("Your last message is still being sent.")

    def mine(self) -> Mapping[str, Any]:
        """One's own newest message, which may still wait to be released. Raises `Misused`."""
        self.check_sent()
        mine = self.state.mine()
        if not mine:
            raise Misused("There is no message of yours here.")
        return mine[-1]

    def changeable(self) -> Mapping[str, Any]:
        """The same, to be changed. Raises `Misused` if it cannot be."""
        wire = self.mine()
        if wire["id"] not in self.state.messages:
            raise Misused("Your last message waits to be released and cannot be changed; /delete takes it back.")
        if wire["content"].get("type") != "text":
            raise Misused(f"Your last message is no text and cannot be changed: {one_line(said(wire), QUOTED)}")
        return wire

    def chosen(self, kind: str, number: str, now: Iterable[str]) -> str:
        """The id of what had this number in the last list of a kind, or, if none was shown, has it `now`. Raises `Misused`."""
        ids = self.listed.get(kind) or list(now)
        return ids[counted(number, len(ids), f"/{kind} shows the numbers, from 1") - 1]

    def someone(self, rest: str) -> Someone:
        """Who is meant: the longest name that `rest` begins with, of who is here or has written. Raises `Misused`."""
        if not rest:
            raise Misused
        # Compared word by word, since folding the case of a text may change its length.
        written = {rest[: word.end()].casefold(): word.end() for word in re.finditer(r"\S+", rest)}
        found = [one for one in self._people() if one.name.casefold() in written]
        if not found:
            raise Misused("Nobody here is called like this.")
        best = max(found, key=lambda one: len(one.name))
        return best._replace(name=one_line(best.name), rest=rest[written[best.name.casefold()] :].strip())

    def alone(self, name: str) -> Someone:
        """Like `someone`, with nothing after the name."""
        someone = self.someone(name)
        if someone.rest:
            raise Misused("Nobody here is called like this.")
        return someone

    def _people(self) -> list[Someone]:
        """Who is here, and then who has written, the newest first; of the same name the first is meant."""
        here = [Someone(user["sessionId"], user["username"], "") for user in self.state.people.values()]
        messages = reversed(self.state.messages.values())
        return here + [Someone(wire["authorSessionId"], wire["authorUsername"], "") for wire in messages]


def counted(number: str, most: int, about: str) -> int:
    """A number from 1 to `most`. Raises `Misused`, with what it counts."""
    if not number.isdecimal():
        raise Misused
    if not 1 <= int(number) <= most:
        raise Misused(f"{about} to {most}." if most else "There is none.")
    return int(number)
