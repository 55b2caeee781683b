"""What the plugins of a server mean to people in the terminal: commands, cards, sentences. Real servers, line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anonchat.app import Server as RunningServer
from anonchat.client import Chat, ChatEvent, ChatRefused, CreatedRoom, Pace, Received, Server, join, plain
from anonchat.client.commands import COMMANDS, notifications
from anonchat.client.commands.basics import PAGE
from anonchat.client.plain import PlainChat
from anonchat.plugins.registry import bundled
from anonchat.testing import running_server, settings_in

SECONDS = 60
OPTIONS = {"polls": {"create": "everyone"}, "moderation": {"newcomer_seconds": 3_600}}
QUICK = Pace(shortest_wait=0.02, longest_wait=0.1)

pytestmark = pytest.mark.gen_test


class Reader:
    """Somebody at a plain terminal: what they type, and the lines that they read."""

    def __init__(self, chat: Chat, pipe: int) -> None:
        self.chat = chat
        self.lines: list[str] = []
        self._pipe = pipe
        self._read = 0
        self._more = asyncio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    def type(self, line: str) -> None:
        os.write(self._pipe, f"{line}\n".encode())

    async def until(self, part: str) -> str:
        """The next line, after those that were waited for before, with this in it."""
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    for number, line in enumerate(self.lines[self._read :], self._read):
                        if part in line:
                            self._read = number + 1
                            return line
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            pytest.fail(f"{part!r} is not in {self.lines[self._read :]}")

    async def says(self, line: str, part: str) -> str:
        """Type a line, and wait for what it does."""
        self.type(line)
        return await self.until(part)


@asynccontextmanager
async def reader(link: str, name: str) -> AsyncIterator[Reader]:
    """Join by a link and sit down at a terminal."""
    end, pipe = os.pipe()
    try:
        async with await join(link, name, pace=QUICK) as chat:
            someone = Reader(chat, pipe)
            running = asyncio.create_task(PlainChat(chat, someone.write).run(end))
            try:
                await someone.until("You are in")
                yield someone
            finally:
                os.close(pipe)
                pipe = -1
                await running
    finally:
        os.close(end)
        if pipe >= 0:
            os.close(pipe)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    plugins = {"enabled": bundled(), "options": OPTIONS}
    async with running_server(settings_in(tmp_path, plugins=plugins)) as running:
        yield running


@pytest.fixture
async def room(server: RunningServer) -> CreatedRoom:
    return await Server(server.url).create_room("Lunch", settings={"moderation": {"preset": "relaxed"}})


@pytest.fixture
async def people(room: CreatedRoom) -> AsyncIterator[tuple[Reader, Reader]]:
    """Maud, who is the moderator, and Anna Maria."""
    async with AsyncExitStack() as stack:
        maud = await stack.enter_async_context(reader(room.moderator_url, "Maud"))
        anna = await stack.enter_async_context(reader(room.join_url, "Anna Maria"))
        await maud.until("Anna Maria joined.")
        yield maud, anna


async def test_a_poll_is_asked_answered_and_closed(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    maud.type("/poll --hidden Tea or coffee? | Tea | Coffee")
    card = await anna.until("[moderator] Maud: Poll #")
    number = card.partition("#")[2].partition(":")[0]
    assert card.endswith(f"Poll #{number}: Tea or coffee?")
    assert await anna.until("  1. Tea") == "  1. Tea"
    assert (await anna.until("Hidden: nobody in the room sees who voted what")).endswith("as nobody's.")
    await anna.until(f"0 people voted. Vote with /vote #{number} and a number.")
    await anna.says("/vote", "Write /vote [#poll] N…: ")
    await anna.says("/vote 3", f"This poll has no such option. This was for poll #{number}; another is named first")
    await anna.says("/vote 2 1", f"This poll takes one option. This was for poll #{number}; another is named first")
    await anna.says("/vote 1", "Your vote for 1 is counted.")
    await anna.says(f"/vote #{number} 2", "Your vote for 2 is counted.")
    await maud.says("/vote 2", "Your vote for 2 is counted.")
    await anna.says("/closepoll", "Only moderators may do that.")
    await anna.says("/unvote", "Your vote is taken back.")
    maud.type("/closepoll")
    for someone in people:
        await someone.until("The poll “Tea or coffee?” is closed: Tea 0, Coffee 1.")
    await anna.says("/vote 1", "There is no such poll here.")
    await anna.says(f"/vote #{number} 1", "This poll is closed.")


async def test_open_polls_that_are_not_loaded_are_found_further_up(room: CreatedRoom) -> None:
    async with reader(room.moderator_url, "Maud") as maud:
        for question in ("Tea?", "Coffee?"):
            await maud.says(f"/poll {question} | Yes | No", f": {question}")
        for number in range(PAGE - 1):
            await maud.chat.send(f"line {number}")
        async with reader(room.join_url, "Bob") as bob:
            await knows_open_polls(bob)
            await bob.says("/polls", ": Coffee?")
            await bob.until("1 open poll is further up: /older shows it.")
            await bob.says("/vote #1 1", "1 open poll is further up: /older shows it.")
        await maud.chat.send("one more")
        async with reader(room.join_url, "Anna") as anna:
            await knows_open_polls(anna)
            for line in ("/polls", "/vote 1", "/unvote", "/vote #1 1"):
                await anna.says(line, "2 open polls are further up: /older shows them.")
            await anna.says("/older", ": Tea?")
            await anna.says("/vote #1 1", "Your vote for 1 is counted.")
            await anna.says("/vote #9 1", "There is no such poll here.")
            for question in ("Coffee?", "Tea?"):
                maud.type("/closepoll")
                await anna.until(f"The poll “{question}” is closed")
            await anna.says("/polls", "No poll is open.")


async def knows_open_polls(someone: Reader) -> None:
    """They are told soon after one has come in."""
    async with asyncio.timeout(SECONDS):
        while not any("further up" in line for line in someone.lines):
            await someone.says("/polls", "Open polls:")
            await asyncio.sleep(0.1)


async def test_pins_mentions_and_notifications(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    maud.type("Read this first")
    await anna.until("Read this first")
    await maud.says("/pin 1", "Pinned: Maud: Read this first")
    await anna.until("Pinned: Maud: Read this first")
    await maud.says("/pin 1", "This message is pinned already.")
    await anna.says("/pin 1", "Only moderators may /pin.")
    await anna.says("/pins", "1. Maud: Read this first")
    maud.type("@anna maria, are you there? @Maud too")
    assert (await anna.until("are you there?")).endswith(" (mentions you)")
    anna.type("/reply 1 Yes")
    assert not (await maud.until(", to <you> (@anna maria")).endswith("(mentions you)")
    await maud.says("/notifications", "Anna Maria answered you: Yes")
    await maud.says("/notifications", "There is nothing new for you.")
    await anna.says("/notifications", "Maud mentioned you: @anna maria, are you there?")
    await maud.says("/unpin 1", "Not pinned any more: Maud: Read this first")
    await anna.says("/pins", "Nothing is pinned.")
    await maud.says("/unpin 2", "There is none.")


async def test_many_notifications_are_all_shown_before_they_are_read(
    people: tuple[Reader, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "PAGE", 25, raising=False)
    maud, anna = people
    for number in range(60):
        await maud.chat.send(f"@Anna Maria, note {number}.")
    await anna.until("note 59.")
    before = len(anna.lines)
    await anna.says("/notifications", "note 59.")
    await anna.until("note 0.")
    assert [line.partition("note ")[2] for line in anna.lines[before + 1 :]] == [
        f"{number}." for number in range(59, -1, -1)
    ]
    await anna.says("/notifications", "There is nothing new for you.")


async def test_who_comes_sees_polls_pins_and_what_concerns_them(room: CreatedRoom) -> None:
    async with reader(room.moderator_url, "Maud") as maud:
        async with reader(room.join_url, "Bob") as bob:
            await bob.says("/poll Where? | Here | There", "<you>: Poll #")
            await bob.says("/vote 2", "Your vote for 2 is counted.")
            await maud.until("Poll #")
            await maud.says("/pin 1", "Pinned: Bob: [poll] Where?")
            await bob.until("Pinned: ")
        async with reader(room.join_url, "Zoe") as zoe:
            await zoe.says("/who", "<you> Zoe")
            assert any(line.endswith("Where? (pinned)") or "Where?" in line for line in zoe.lines)
            assert "  2. There · 1 vote" in zoe.lines
            await zoe.says("/pins", "1. Bob: [poll] Where?")


async def test_moderators_act_on_people_whose_names_have_spaces(
    people: tuple[Reader, Reader], room: CreatedRoom
) -> None:
    maud, anna = people
    async with reader(room.join_url, "Anna") as short:
        await maud.until("Anna joined.")
        await maud.says("/mute", "Write /mute NAME [minutes]: ")
        await maud.says("/mute Nobody", "Nobody here is called like this.")
        await maud.says("/mute anna maria 5", "Anna Maria is muted until ")
        await anna.until("You are muted until ")
        await short.until("A moderator muted somebody.")
        anna.type("Hello?")
        assert " Try again in " in await anna.until("Not sent: Hello?. ")
        short.type("I am not")
        await maud.until("Anna: I am not")
        await maud.says("/unmute Anna Maria", "Anna Maria may write again.")
        await anna.until("You may write again.")
        await maud.says("/kick Anna too short a name", "Anna is out, and may come back at ")
        await short.until("A moderator removed you from the room: too short a name. You may come back in 5 min.")
        await short.until("You were removed from this room for now.")
    await maud.says("/unban", "Anna, kick until ")
    await maud.says("/unban anna", "Anna may come back.")
    await maud.says("/ban Anna Maria", "Anna Maria is banned until ")
    await anna.until("A moderator banned you from the room.")
    await maud.says("/log", "Maud muted Anna Maria until ")
    await maud.until("Maud removed Anna for a while until ")
    await maud.until("Maud banned Anna Maria until ")


async def test_what_somebody_wrote_who_has_left_is_deleted(people: tuple[Reader, Reader], room: CreatedRoom) -> None:
    maud, anna = people
    async with reader(room.join_url, "Bob B.") as bob:
        for text in ("spam one", "spam two"):
            bob.type(text)
            await maud.until(f"Bob B.: {text}")
        bob.type("/leave")
        await maud.until("Bob B. left.")
    anna.type("He is gone")
    await maud.until("Anna Maria: He is gone")
    gone = "Bob B. is not in the room any more. /purge 2 Bob B. deletes all that they wrote."
    for command in ("/ban Bob B.", "/kick bob b.", "/mute Bob B. 5"):
        await maud.says(command, gone)
    await anna.says("/purge 2 Bob B.", "Only moderators may /purge.")
    await maud.says("/purge 2", "/purge 2 Bob B. deletes all that Bob B. wrote, for good.")
    await maud.says("/purge 1 Bob B.", "/purge 1 Anna Maria deletes all that Anna Maria wrote, for good.")
    await maud.says("/purge 2 bob b.", "Messages of Bob B. that were deleted: 2.")
    await anna.until("2 messages")
    await maud.says("/purge Bob B.", "Write /purge N NAME: ")
    await maud.says("/purge 1 Anna Maria", "Messages of Anna Maria that were deleted: 1.")


async def test_long_lists_are_read_to_their_end(people: tuple[Reader, Reader], room: CreatedRoom) -> None:
    maud, _ = people
    for number in range(101):
        raider = await join(room.join_url, f"Raider {number}")
        await raider.close()
        await maud.chat.request("ban", {"targetSessionId": raider.membership.session_id})
    await maud.says("/unban", "Raider 100, ban until ")
    await maud.until("Raider 0, ban until ")
    await maud.says("/unban raider 0", "Raider 0 may come back.")
    await maud.says("/unban raider 0", "Nobody of that name is kept out.")
    await maud.says("/log", "older entries: /log all")
    await maud.says("/log all", "Maud banned Raider 0 until ")


async def test_a_role_brings_its_commands(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/slow 5", "Only moderators may /slow.")
    await maud.says("/promote Anna Maria", "Anna Maria is a moderator now.")
    await anna.until("You are a moderator now.")
    await anna.says("/slow 5", "Slow mode: one message in 5 s.")
    await maud.until("Slow mode: one message in 5 s.")
    await maud.says("/preset strict", "The rules of the room are strict now.")
    await maud.says("/preset odd", "Must be one of: careful, relaxed, strict.")
    await maud.says("/demote Anna Maria", "Anna Maria is a participant again.")
    await anna.until("You are a participant again.")
    await anna.says("/slow 0", "Only moderators may /slow.")


async def test_slow_mode_says_when(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await maud.says("/slow 300", "Slow mode: one message in 5 min.")
    anna.type("one")
    await maud.until("Anna Maria: one")
    anna.type("two")
    assert (await anna.until("Not sent: two. Slow mode is on")).endswith("Try again in 4 min 59 s.")


async def test_what_waits_is_shown_released_and_dropped(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await maud.says("/panic", "Panic: what newcomers write is held back.")
    await anna.until("Panic: what newcomers write is held back.")
    for text in ("first", "second", "third"):
        anna.type(text)
        await maud.until(f"A message of Anna Maria: {text} waits (")
        await anna.until("Your message waits to be released: The moderators look at")
    await maud.says("/held", "2. Anna Maria: second (The moderators look at")
    await maud.says("/release 1", "Shown to everybody: Anna Maria: first")
    await anna.until("] <you>: first")
    await maud.says("/drop 2", "Dropped: Anna Maria: second")
    await anna.until("Your message “second” is not shown: ")
    await maud.says("/drop 4", "/held shows the numbers, from 1 to 3.")
    await maud.says("/calm", "1 message waits: /calm release shows what the panic has held, /calm drop drops it.")
    await maud.says("/calm drop", "Messages in the panic: 3 held, 2 dropped, 1 shown.")
    await anna.until("Your message “third” is not shown: ")
    assert list(anna.chat.plugins) == list(bundled())


async def test_the_last_message_is_the_one_that_waits(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    anna.type("An old message")
    await maud.until("Anna Maria: An old message")
    await maud.says("/panic", "Panic: what newcomers write is held back.")
    await anna.says("My password", "Your message waits to be released: ")
    await maud.until("A message of Anna Maria: My password waits (")
    await anna.says("/delete", "Your message “My password” is not shown: Its author has deleted it.")
    await maud.says("/held", "No message waits.")
    assert (await maud.chat.history())["messages"][0]["content"]["text"] == "An old message"
    await anna.says("/delete", "was deleted by its author.")
    await anna.says("/delete", "There is no message of yours here.")


async def test_a_number_says_which_message_is_deleted(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    for text in ("one", "two", "three", "four"):
        anna.type(text)
        await maud.until(text)
    await anna.says("/delete 3", "was deleted by its author.")
    await maud.says("/delete 2", "was deleted by a moderator.")
    await anna.says("/delete five", "Write /delete [N]: ")
    await anna.says("/delete 5", "N counts from 1, the last message, to 4.")
    maud.type("Mine")
    await anna.until("Mine")
    await anna.says("/delete 1", "Only its author or a moderator may")
    left = [wire["content"]["text"] for wire in (await maud.chat.history())["messages"] if "deletedAt" not in wire]
    assert left == ["one", "four", "Mine"]


async def test_a_command_is_about_the_message_that_was_typed_just_before(
    people: tuple[Reader, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is told late that this one waits."""
    take = Chat.__anext__

    async def take_late(chat: Chat) -> ChatEvent:
        event = await take(chat)
        if isinstance(event, Received) and event.event == "held_message":
            await asyncio.sleep(0.3)
        return event

    monkeypatch.setattr(Chat, "__anext__", take_late)
    maud, anna = people
    anna.type("An old message")
    await maud.until("Anna Maria: An old message")
    await maud.says("/panic", "Panic: what newcomers write is held back.")
    await anna.until("Panic: what newcomers write is held back.")
    anna.type("My password\n/delete")
    await anna.until("Your message “My password” is not shown: Its author has deleted it.")
    assert (await maud.chat.history())["messages"][0]["content"]["text"] == "An old message"


async def test_a_command_waits_no_longer_than_one_has_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "PATIENCE", 0.3, raising=False)
    async with AsyncExitStack() as stack:
        async with running_server(settings_in(tmp_path)) as server:
            room = await Server(server.url).create_room("Lunch")
            anna = await stack.enter_async_context(reader(room.join_url, "Anna"))
            anna.type("An old message")
            await anna.says("/who", "1 here: ")
        await anna.until("Connection lost")
        anna.type("are you still there?")
        for line in ("/delete", "/edit x"):
            await anna.says(line, "Your last message is still being sent.")
        await anna.says("/who", "1 here: ")
        await anna.says("/quit", "2 messages were not sent.")


async def test_a_released_message_may_be_newer_than_one_that_waits(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await maud.says("/panic", "Panic: what newcomers write is held back.")
    for text in ("first", "second"):
        anna.type(text)
        await maud.until(f"A message of Anna Maria: {text} waits (")
    await maud.says("/release 1", "Shown to everybody: Anna Maria: first")
    await anna.until("] <you>: first")
    await anna.says("/delete", "Your message of ")
    await maud.says("/held", "1. Anna Maria: second")


async def test_what_cannot_be_changed_is_left_alone(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    anna.type("An old message")
    await anna.says("/poll Tea or coffee? | Tea | Coffee", "<you>: Poll #")
    await anna.says("/edit Tea", "Your last message is no text and cannot be changed: [poll] Tea or coffee?")
    await maud.says("/panic", "Panic: what newcomers write is held back.")
    await anna.says("My password", "Your message waits to be released: ")
    await maud.until("A message of Anna Maria: My password waits (")
    await anna.says(
        "/edit My word", "Your last message waits to be released and cannot be changed; /delete takes it back."
    )
    assert (await maud.chat.history())["messages"][0]["content"]["text"] == "An old message"


async def test_words_are_listed_added_and_removed(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/words", "Only moderators may /words.")
    await maud.says("/words", "This room has no words of its own.")
    await maud.says("/words add holy cow", "“holy cow” is not wanted in this room.")
    await maud.says("/words add weasel", "“weasel” is not wanted in this room.")
    await maud.says("/words", "holy cow")
    await maud.until("weasel")
    anna.type("You weasel")
    await anna.until("It has a word in it that is not wanted in this room.")
    await maud.says("/words remove badger", "This is not one of the room's words")
    await maud.says("/words remove weasel", "“weasel” may be written again.")
    anna.type("You weasel")
    await maud.until("Anna Maria: You weasel")
    await maud.says("/words forget weasel", "Write /words [add|remove WORD]: ")


async def test_words_that_two_add_at_once_are_both_there(people: tuple[Reader, Reader], room: CreatedRoom) -> None:
    maud, _ = people
    async with reader(room.moderator_url, "Moe") as moe:
        maud.type("/words add weasel")
        moe.type("/words add badger")
        await maud.until("“weasel” is not wanted in this room.")
        await moe.until("“badger” is not wanted in this room.")
        await maud.says("/words", "Words that are not wanted")
        assert set(maud.lines[-2:]) == {"weasel", "badger"}


async def test_moderators_give_the_room_another_title(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/title Supper", "Only moderators may /title.")
    await maud.says("/title Supper", "The room is now called Supper.")
    await anna.until("The room is now called Supper.")
    await maud.says("/title", "Write /title text")


async def test_links_are_made_listed_and_refused(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/invites", "Only moderators may /invites.")
    link = await maud.says("/invite 2", "/r/")
    async with reader(link.strip(), "Zoe") as zoe:
        await zoe.says("/who", "<you> Zoe")
    await maud.says("/invites", "uses: 1, until ")
    number = maud.lines[-1].partition(".")[0]
    await maud.says(f"/uninvite {number}", "This link lets nobody in any more.")
    with pytest.raises(ChatRefused, match="link"):
        await join(link.strip(), "Yara")
    await maud.says("/invite moderator", "/r/")
    await maud.says("/invites", "for moderators, of ")
    await maud.says("/invite tomorrow", "Write /invite [moderator] [HOURS]: ")


async def test_people_say_of_what_they_are_notified(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/preferences", "mention: on")
    await anna.says("/preferences mention off", "mention: off")
    await anna.says("/preferences rain off", "There are: ")
    await anna.says("/preferences mention", "Write /preferences [KIND on|off]: ")
    maud.type("@Anna Maria, are you there?")
    await anna.until("are you there?")
    await anna.says("/notifications", "There is nothing new for you.")
    await anna.says("/preferences mention on", "mention: on")
    await anna.says("/ignore Maud", "You are not notified of what Maud does.")
    await anna.says("/preferences", "nothing that Maud does")
    maud.type("@Anna Maria, again?")
    await anna.until("again?")
    await anna.says("/notifications", "There is nothing new for you.")
    await anna.says("/heed Maud", "You are notified of what Maud does.")
    maud.type("@Anna Maria, at last?")
    await anna.until("at last?")
    await anna.says("/notifications", "Maud mentioned you: @Anna Maria, at last?")


async def test_a_report_reaches_the_moderators(people: tuple[Reader, Reader], room: CreatedRoom) -> None:
    maud, anna = people
    async with reader(room.join_url, "Bob") as bob:
        bob.type("Buy my book")
        await anna.until("Buy my book")
    await anna.says("/report 1", "Write /report N reason: ")
    await anna.says("/report 1 an advertisement", "The moderators are told of Bob: Buy my book")
    await maud.until("Reported: Bob: Buy my book (an advertisement)")
    await anna.says("/reports", "Only moderators may /reports.")
    await maud.says("/resolve 2", "/reports shows the numbers, from 1 to 1.")
    await maud.says("/reports", "1. Bob: Buy my book (an advertisement)")
    await maud.says("/resolve 1", "Dealt with. Reports that wait: 0.")
    await maud.says("/reports", "No report waits.")


async def test_how_many_reports_wait_is_told_when_it_changes(people: tuple[Reader, Reader], room: CreatedRoom) -> None:
    maud, anna = people
    async with reader(room.join_url, "Bob") as bob:
        for text in ("one apple", "two pears", "three plums"):
            bob.type(text)
            await anna.until(text)
            await anna.says("/report 1 rude", f"The moderators are told of Bob: {text}")
            await maud.until("Reported: ")
        anna.type("a typo")
        await maud.until("a typo")
        anna.type("/delete")
        await maud.until("was deleted by its author.")
        await bob.says("/delete", "was deleted by its author.")
    assert await maud.until("reports wait: ") == "2 reports wait: /reports shows what they are."
    await maud.says("/resolve 1", "Dealt with. Reports that wait: 1.")
    anna.type("another typo")
    await maud.until("another typo")
    anna.type("/delete")
    await maud.until("was deleted by its author.")
    async with reader(room.moderator_url, "Mo") as other:
        await other.until("1 report waits: /reports shows what it is.")
    assert [line for line in maud.lines if "/reports shows what" in line] == [
        "2 reports wait: /reports shows what they are."
    ]


async def test_a_room_is_closed_reopened_and_ended_with_a_word(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    for line in ("/close #3", "/reopen now", "/panic please"):
        await maud.says(line, f"Write {line.partition(' ')[0]}: ")
    await maud.says("/who", "2 here: ")
    assert not any("is closed" in line or "Panic" in line for line in maud.lines)
    await maud.says("/close", "The room is closed")
    await maud.says("/reopen", "The room is open again.")
    await maud.says("/end", "This deletes the room and all that is in it, for good.")
    anna.type("still here")
    await maud.until("still here")
    maud.type("/end room")
    for someone in people:
        await someone.until("The room has ended.")


async def test_a_poll_can_be_looked_at_again_and_a_flag_be_wrong(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    await anna.says("/polls", "No poll is open.")
    await anna.says("/poll --public A? | B | C", "There is no --public.")
    await anna.says("/poll A? | B", "Write /poll [--several]")
    await anna.says("/poll --several --secret A? | B | C", "<you>: Poll #")
    await maud.until("] Anna Maria: Poll #")
    await maud.says("/polls", "A? (several answers)")
    await anna.says("/vote 1 2", "Your vote for 1, 2 is counted. It is final.")
    await anna.says("/unvote", "A vote in a secret poll is final.")
    await anna.says("/polls", "You have voted. Closes at ")
    await anna.says("/closepoll", "is closed. Too few voted, so the result is discarded.")


async def test_a_secret_vote_that_the_server_has_forgotten_is_sent_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": ("polls",), "options": OPTIONS})
    async with AsyncExitStack() as stack:
        async with running_server(settings) as server:
            settings = replace(settings, server=replace(settings.server, port=server.port))
            room = await Server(server.url).create_room("Lunch")
            maud = await stack.enter_async_context(reader(room.moderator_url, "Maud"))
            anna = await stack.enter_async_context(reader(room.join_url, "Anna"))
            await maud.says("/poll --secret Who? | I | You", "Poll #")
            await anna.until("Vote with ")
            await anna.says("/vote 2", "Your vote for 2 is counted. It is final.")
            await anna.says("/vote 1", "already")
        await anna.until("Connection lost")
        async with running_server(settings):
            await anna.until("Back, ")
            await maud.until("Back, ")
            (poll,) = (await anna.chat.history())["messages"]
            poll_id = poll["content"]["pollId"]
            async with asyncio.timeout(SECONDS):
                while not (await anna.chat.request("get_poll_results", {"pollId": poll_id})).data["voted"]:
                    await asyncio.sleep(0.4)  # a question costs one of sixty a minute
            # The control: who has not voted is not known to have, before and after.
            assert (await maud.chat.request("get_poll_results", {"pollId": poll_id})).data["voted"] is False
            await stack.aclose()


async def test_without_plugins_there_are_no_such_commands(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await Server(server.url).create_room("Lunch")
        async with reader(room.moderator_url, "Maud") as maud:
            await maud.says("/help", "/quit")
            told = {line.split()[0].removeprefix("/") for line in maud.lines if line.startswith("/")}
            links = {"title", "invites", "invite", "uninvite"}
            assert told == {"help", "who", "reply", "edit", "delete", "older", "leave", "quit"} | links
            for name in sorted(COMMANDS.keys() - told):
                await maud.says(f"/{name} x", f"//{name} sends it as text.")
            assert (await maud.chat.history())["messages"] == []
