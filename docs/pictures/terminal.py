"""Draw ``terminal.svg``: people in a room of a real server who vote in a poll, seen on the screen of one of them.

Run it from the root of the repository: ``python docs/pictures/terminal.py``.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from anonchat.client import Chat, Server, join
from anonchat.client.terminal import ChatApp
from anonchat.testing import running_server, settings_in

PICTURE = Path(__file__).with_name("terminal.svg")
SIZE = (92, 32)
SECONDS = 20


async def main() -> None:
    """Start a server, let them talk, take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_server(settings_in(Path(folder), plugins={"enabled": ("polls",)})) as server:
            room = await Server(server.url).create_room("Book club", chatDurationSeconds=7_200)
            async with await join(room.moderator_url, "Nadia") as nadia, await join(room.join_url, "Tomás") as tomas:
                me = await join(room.join_url, "Ada")
                app = ChatApp(me.membership)
                async with app.run_test(size=SIZE) as pilot:
                    await until(lambda: app.connection.word == "online", pilot.pause)
                    await talk(nadia, tomas, app)
                    await until(lambda: voters(app) == 3, pilot.pause)
                    tomas.typing()
                    await until(lambda: "typing" in str(app.view.status.visual), pilot.pause)
                    await pilot.press(*"Perfect, see you at 8")
                    await pilot.pause()
                    PICTURE.write_text(without_fonts(app.export_screenshot(title="anonchat chat")), encoding="utf-8")


async def talk(nadia: Chat, tomas: Chat, app: ChatApp) -> None:
    """Some lines, with an answer, a change, a deletion and a poll among them."""
    await nadia.send("Welcome! This room and all that is said in it are gone in two hours.")
    first = await tomas.send("Hi all. Has anybody finished chapter nine?")
    await nadia.send("Not yet… no spoilers please 😊", first.message_id)
    oops = await tomas.send("The gardener did")
    await tomas.delete(oops.message_id)
    await app.chat.send("Too late, I saw it in the trailer anyway")
    changed = await app.chat.send("Shall we talk about it tonite?")
    await app.chat.edit(changed.message_id, "Shall we talk about it tonight?")
    asked = {"question": "When?", "options": ["At seven", "At eight"], "secrecy": "hidden"}
    poll = (await nadia.request("create_poll", asked)).data
    for chat in (nadia, tomas, app.chat):
        await chat.request("vote", {"pollId": poll["pollId"], "optionId": "2"})


def voters(app: ChatApp) -> int:
    """How many votes have come in."""
    return max((poll["voters"] or 0 for poll in app.conversation.state.polls.all.values()), default=0)


def without_fonts(svg: str) -> str:
    """The picture asks nobody for a font; each machine has one of fixed width."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


async def until(is_so: Callable[[], bool], pause: Callable[[], Awaitable[None]]) -> None:
    """Wait, at most `SECONDS`, until something is so."""
    async with asyncio.timeout(SECONDS):
        while not is_so():
            await pause()


if __name__ == "__main__":
    asyncio.run(main())
