"""What a person can do in a chat by typing a line, the same on every kind of terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anonchat.client.chat import Chat
from anonchat.client.commands import COMMANDS, Command, Floor, Misused, Next, Offer, UnknownCommand, offered, parse
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
                return await self._do(meant)
            self.send(meant)
        except (Misused, UnknownCommand) as error:
            self._floor.say(str(error))
        except ClientError as error:
            self._floor.say(refusal(error))
        return Next.STAY

    def meant(self, line: str) -> Command | str:
        """A command, or the text to send. Raises `UnknownCommand`."""
        return parse(line, self._floor.chat.plugins, self._floor.state)

    def offers(self) -> Mapping[str, Offer]:
        """The commands that can be used now."""
        return offered(self._floor.chat.plugins, self._floor.state)

    def send(self, text: str, reply_to: str | None = None) -> None:
        """Send a text. Raises `ClientError`."""
        self._floor.send(text, reply_to)

    async def _do(self, command: Command) -> Next:
        offer = COMMANDS[command.name]
        try:
            return await offer.do(self._floor, command.rest) or Next.STAY
        except Misused as error:
            raise Misused(str(error) or f"Write /{command.name} {offer.usage}: {offer.does}.") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise NotOurs(f"the answer to /{command.name} is not as expected") from error
