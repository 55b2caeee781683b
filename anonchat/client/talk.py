"""What a person can do in a chat by typing a line, the same on every kind of terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.commands import COMMANDS, Command, Floor, Misused, Next, Offer, offered, parse
from anonchat.client.connection.outbox import Outgoing
from anonchat.client.errors import ClientError, NotOurs
from anonchat.client.state import RoomState
from anonchat.client.words.sentences import refusal


class Talk:
    """Does what a line says.

    `say` shows a person a short text, `page` a longer one below a title; `posted` gets each message on its way.
    """

    def __init__(
        self,
        chat: Chat,
        state: RoomState,
        say: Callable[[str], None],
        page: Callable[[str, str], None],
        posted: Callable[[Outgoing], None],
    ) -> None:
        self._floor = Floor(chat, state, say, page, posted)

    async def line(self, line: str) -> Next:
        """Do what a line says. What goes wrong is said."""
        try:
            meant = self.meant(line)
            if isinstance(meant, Command):
                return await self.do(meant)
            self.send(meant)
        except ClientError as error:
            self._floor.say(refusal(error))
        return Next.STAY

    def meant(self, line: str) -> Command | str:
        """A command, or the text to send. Raises `UnknownCommand`."""
        return parse(line, self._floor.chat.plugins, self._floor.state)

    def offers(self) -> Mapping[str, Offer]:
        """The commands that can be used now."""
        return offered(self._floor.chat.plugins, self._floor.state)

    def changeable(self) -> Mapping[str, Any]:
        """One's own last message. Raises `ClientError` if it cannot be changed."""
        return self._floor.changeable()

    def send(self, text: str, reply_to: str | None = None) -> None:
        """Send a text. Raises `ClientError`."""
        self._floor.send(text, reply_to)

    async def do(self, command: Command) -> Next:
        """Do what a command is for. Raises `ClientError`."""
        offer = COMMANDS[command.name]
        try:
            if command.rest and not offer.usage:
                raise Misused
            return await offer.do(self._floor, command.rest) or Next.STAY
        except Misused as error:
            raise Misused(str(error) or f"Write {f'/{command.name} {offer.usage}'.strip()}: {offer.does}.") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise NotOurs(f"the answer to /{command.name} is not as expected") from error
