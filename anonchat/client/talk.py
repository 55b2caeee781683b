"""What a person can do in a chat by typing a line, the same on every kind of terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.commands import Command, help_text, parse
from anonchat.client.errors import ClientError
from anonchat.client.outbox import Outgoing
from anonchat.client.sentences import YOU, person
from anonchat.client.state import RoomState
from anonchat.client.text import one_line, said

QUOTED = 60
PAGE = 50


class Next(Enum):
    """What follows a line."""

    STAY = "stay"
    QUIT = "quit"


class Talk:
    """Does what a line says. `say` shows a person a short text; `posted` gets each message on its way."""

    def __init__(
        self, chat: Chat, state: RoomState, say: Callable[[str], None], posted: Callable[[Outgoing], None]
    ) -> None:
        self._chat = chat
        self._state = state
        self._say = say
        self._posted = posted
        self._commands: Mapping[str, Callable[[str], Awaitable[Next]]] = {
            "help": self._help,
            "who": self._who,
            "reply": self._reply,
            "edit": self._edit,
            "delete": self._delete,
            "older": self._older,
            "leave": self._leave,
            "quit": self._quit,
        }

    async def line(self, line: str) -> Next:
        """Do what a line says. What goes wrong is said."""
        try:
            meant = self.meant(line)
            if isinstance(meant, Command):
                return await self._commands[meant.name](meant.rest)
            self.send(meant)
        except ClientError as error:
            self._say(str(error))
        return Next.STAY

    def meant(self, line: str) -> Command | str:
        """A command, or the text to send. Raises `UnknownCommand`."""
        return parse(line, has_plugins=bool(self._chat.plugins))

    def send(self, text: str, reply_to: str | None = None) -> None:
        """Send a text. Raises `ClientError`."""
        if text.strip():
            self._posted(self._chat.post(text, reply_to))

    async def _help(self, _: str) -> Next:
        self._say(help_text())
        return Next.STAY

    async def _who(self, _: str) -> Next:
        self._say(who(self._state))
        return Next.STAY

    async def _reply(self, rest: str) -> Next:
        number, _, text = rest.partition(" ")
        messages = list(self._state.messages.values())
        if not number.isdecimal() or not 1 <= int(number) <= len(messages) or not text.strip():
            self._say(f"Write /reply N text, with N from 1 (the last message) to {len(messages)}.")
            return Next.STAY
        quoted = messages[-int(number)]
        self._say(f"In reply to {one_line(quoted['authorUsername'])}: {one_line(said(quoted), QUOTED)}")
        self.send(text, quoted["id"])
        return Next.STAY

    async def _edit(self, text: str) -> Next:
        mine = self._mine()
        if mine is not None and text:
            await self._chat.edit(mine["id"], text)
        elif mine is not None:
            self._say("Write /edit and the new text.")
        return Next.STAY

    async def _delete(self, _: str) -> Next:
        mine = self._mine()
        if mine is not None:
            await self._chat.delete(mine["id"])
        return Next.STAY

    def _mine(self) -> Mapping[str, Any] | None:
        mine = self._state.mine()
        if not mine:
            self._say("There is no message of yours here.")
        return mine[-1] if mine else None

    async def _older(self, _: str) -> Next:
        if not self._state.has_more:
            self._say("There is nothing older.")
            return Next.STAY
        oldest = next(iter(self._state.messages.values()), None)
        await self._chat.history(oldest["seq"] if oldest else None, PAGE)
        return Next.STAY

    async def _leave(self, rest: str) -> Next:
        if rest not in ("", "forget"):
            self._say("Write /leave, or /leave forget to delete also what you wrote.")
            return Next.STAY
        await self._chat.leave(forget=rest == "forget")
        return Next.QUIT

    async def _quit(self, _: str) -> Next:
        return Next.QUIT


def who(state: RoomState) -> str:
    """Who is there, in one line."""
    me = state.me.get("sessionId")
    names = [
        (f"{YOU} " if user["sessionId"] == me else "") + person(user["username"], user["role"])
        for user in state.people.values()
    ]
    more = state.total - len(names)
    return f"{state.total} here: {', '.join(names)}" + (f" and {more} more" if more > 0 else "")
