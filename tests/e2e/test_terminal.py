"""The full-screen chat, driven by keys, against a real server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from textual.events import AppBlur, AppFocus, Key
from textual.pilot import Pilot
from textual.widgets import Static

from anonchat.app import Server as RunningServer
from anonchat.client import Chat, Pace, RoomState, Server, join
from anonchat.client.commands import offered
from anonchat.client.terminal import ChatApp, farewell
from anonchat.client.terminal.entries import Entry
from anonchat.client.terminal.help import KEYS, ON_A_MESSAGE, HelpScreen
from anonchat.client.terminal.notices import Notices
from anonchat.client.terminal.reading import ReadingScreen
from anonchat.config import Settings
from anonchat.plugins.registry import bundled
from anonchat.testing import running_server, settings_in

SECONDS = 60
OF_THE_PICTURE = "c5c8c6"
"""The colour that an exported picture gives to its frame, whatever is in it."""

QUICK = Pace(shortest_wait=0.02, longest_wait=0.1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, server={"port": 0, "drain_seconds": 1.0})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[RunningServer]:
    async with running_server(settings) as running:
        yield running


@pytest.fixture
async def link(server: RunningServer) -> str:
    return (await Server(server.url).create_room("Lunch", chatDurationSeconds=7_200)).join_url


class Desk(NamedTuple):
    """A person at a terminal, and somebody else in the room."""

    app: ChatApp
    pilot: Pilot[None]
    bob: Chat

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not is_so():
                await self.pilot.pause()

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.screen)

    async def write(self, text: str) -> None:
        """Type a line and press Enter."""
        self.app.view.pane.composer.insert(text)
        await self.pilot.press("enter")

    @property
    def screen(self) -> str:
        """All that stands on the terminal."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def shown(self, selector: str) -> str:
        """What a line says; nothing while it is hidden."""
        widget = self.app.view.query_one(selector, Static)
        return str(widget.visual) if widget.display else ""

    @property
    def draft(self) -> str:
        return self.app.view.pane.composer.text


@asynccontextmanager
async def sit_down(link: str, width: int = 100, height: int = 24, pace: Pace | None = None) -> AsyncIterator[Desk]:
    me = await join(link, "Ann")
    app = ChatApp(me.membership, pace=pace)
    async with await join(link, "Bob") as bob, app.run_test(size=(width, height), notifications=True) as pilot:
        desk = Desk(app, pilot, bob)
        await desk.until(lambda: app.connection.word == "online" and len(app.conversation.state.people) == 2)
        yield desk


@pytest.mark.gen_test
async def test_people_talk(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.pilot.press(*"hello")
        await desk.pilot.press("enter")
        await desk.until_shown("▎ hello")
        await desk.until(lambda: "sending" not in desk.screen)
        await desk.bob.send("hi Ann")
        await desk.until_shown("▎ hi Ann")
        for part in ("Lunch", "2 here", "ends in 1 h 59 min", "● online", "Ann (you)", "Bob"):
            assert part in desk.screen
        assert desk.draft == ""
        desk.bob.typing()
        await desk.until_shown("Bob is typing…")
        await desk.bob.send("done")
        await desk.until(lambda: "typing" not in desk.screen and "▎ done" in desk.screen)


@pytest.mark.gen_test
async def test_keys_that_come_in_one_read_are_two_messages(link: str) -> None:
    async with sit_down(link) as desk:
        for key in [*"one", "enter", *"two", "enter", *"rest"]:
            desk.app.post_message(Key(key, key if len(key) == 1 else None))
        await desk.until(lambda: len(desk.app.conversation.state.mine()) == 2 and desk.draft == "rest")
        assert [wire["content"]["text"] for wire in desk.app.conversation.state.mine()] == ["one", "two"]


@pytest.mark.gen_test
async def test_a_text_that_cannot_wait_comes_back_before_what_was_written_since(link: str) -> None:
    async with sit_down(link, pace=Pace(outbox=0)) as desk:
        for key in [*"one", "enter", *"two"]:
            desk.app.post_message(Key(key, key if len(key) == 1 else None))
        await desk.until_shown("Too many messages wait to be sent")
        assert desk.draft == "one\ntwo"


@pytest.mark.gen_test
async def test_nothing_that_others_write_does_anything(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.bob.send("[bold red]x[/] [@click=app.quit]y[/] \\[z] \u202egnp.exe")
        await desk.until_shown("[bold red]x[/] [@click=app.quit]y[/] \\[z] gnp.exe")
        assert "\x1b" not in desk.screen


@pytest.mark.gen_test
async def test_an_odd_event_is_left_out_and_the_chat_goes_on(server: RunningServer, link: str) -> None:
    async with sit_down(link) as desk:
        room = desk.app.chat.membership.room_id
        for event in ("message", "typing", "presence", "room_ttl_warning", "room_updated", "history_chunk"):
            server.hub.deliver(room, event, {"nonsense": 1, "room": 5})
        await desk.bob.send("still here")
        await desk.until_shown("▎ still here")
        assert (desk.app.chat.skipped, desk.app.connection.word) == (6, "online")


@pytest.mark.gen_test
async def test_answering_changing_and_deleting_by_keys(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.bob.send("tea or coffee?")
        await desk.until_shown("tea or coffee?")
        await desk.pilot.press("shift+tab", "r")
        assert desk.shown("#context").startswith("Answering Bob: tea or coffee?")
        await desk.write("tee")
        await desk.until_shown("╭ Bob: tea or coffee?")
        await desk.until(lambda: len(desk.app.conversation.state.mine()) == 1)
        await desk.pilot.press("up")
        assert desk.draft == "tee"
        await desk.pilot.press("escape")
        assert (desk.draft, desk.shown("#context")) == ("", "")
        await desk.pilot.press("up", "backspace", "a", "enter")
        await desk.until_shown("▎ tea  edited")
        await desk.pilot.press("shift+tab", "down", "d")
        await desk.until_shown("Press d again to delete this message.")
        assert "▎ tea  edited" in desk.screen
        await desk.pilot.press("d")
        await desk.until_shown("This message was deleted.")
        await desk.pilot.press("up", "d")
        await desk.until_shown("Only your own messages can be deleted.")


@pytest.mark.gen_test
async def test_what_the_server_refuses_can_be_tried_again_taken_back_or_dropped(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.write("x" * 4_001)
        await desk.until_shown("not sent: At most 4000 characters")
        await desk.pilot.press("shift+tab", "r")
        await desk.until(lambda: "not sent" in desk.screen)
        await desk.pilot.press("e")
        assert len(desk.draft) == 4_001
        await desk.until(lambda: "not sent" not in desk.screen)
        await desk.pilot.press("backspace", "enter")
        await desk.until(lambda: len(desk.app.conversation.state.mine()) == 1)


@pytest.mark.gen_test
async def test_commands(link: str) -> None:
    async with sit_down(link) as desk:
        for line, told in (("/edti x", "Did you mean /edit?"), ("/roll 2d6", "There is no command /roll; ")):
            await desk.write(line)
            await desk.until_shown(told)
            assert desk.draft == line
            desk.app.view.pane.composer.clear()
        await desk.write("//roll 2d6")
        await desk.until_shown("▎ /roll 2d6")
        await desk.write("/who")
        await desk.until_shown("2 here: ")
        await desk.write("/older")
        await desk.until_shown("There is nothing older.")
        await desk.write("/help")
        await desk.until(lambda: isinstance(desk.app.screen, HelpScreen))
        assert "/leave [forget]" in desk.screen
        await desk.pilot.press("escape")
        await desk.until(lambda: not isinstance(desk.app.screen, HelpScreen))
        await desk.write("/leave forget")
        await desk.until(lambda: not desk.app.is_running)
        assert [user["username"] for user in (await desk.bob.presence())["users"]] == ["Bob"]
        assert (await desk.bob.history())["messages"] == []


@pytest.mark.gen_test
async def test_a_draft_waits_while_a_message_is_changed(link: str) -> None:
    async with sit_down(link) as desk:
        sent = await desk.bob.send("tea?")
        await desk.write("tee")
        await desk.until(lambda: len(desk.app.conversation.state.mine()) == 1)
        desk.app.view.pane.answer(desk.app.conversation.state.messages[sent.message_id])
        desk.app.view.pane.composer.insert("a long thought")
        for last in ("escape", "enter"):
            await desk.pilot.press("shift+tab", "down", "e")
            assert (desk.draft, desk.shown("#context")) == ("tee", "Changing your message  (Esc cancels)")
            await desk.pilot.press("backspace", "a", last)
            assert (desk.draft, desk.shown("#context")) == ("a long thought", "Answering Bob: tea?  (Esc cancels)")
        await desk.until_shown("▎ tea  edited")
        await desk.pilot.press("shift+tab", "down", "e")
        await desk.write("x" * 4_000)
        await desk.until_shown("At most 4000 characters; this has 4003.")
        assert (len(desk.draft), desk.shown("#context")) == (4_003, "Changing your message  (Esc cancels)")
        assert desk.app.view.pane.drafts()[0] == "a long thought"
        await desk.pilot.press("escape")
        assert desk.draft == "a long thought"


@pytest.mark.gen_test
async def test_what_a_refused_command_says_comes_back(link: str) -> None:
    async with sit_down(link) as desk:
        for line, told in (("/reply 99 a long answer", "There is none."), ("/leave now", "Write /leave [forget]: ")):
            await desk.write(line)
            await desk.until_shown(told)
            assert desk.draft == line
            desk.app.view.pane.composer.clear()


@pytest.mark.gen_test
async def test_the_list_stays_where_one_reads(link: str) -> None:
    async with sit_down(link, height=16) as desk:
        for number in range(80):
            await desk.bob.send(f"line {number}")
        await desk.until_shown("▎ line 79")
        assert desk.app.view.messages.at_bottom
        await desk.pilot.press("pageup", "pageup")
        before = desk.app.view.messages.scroll_offset.y
        for number in range(3):
            await desk.bob.send(f"more {number}")
        await desk.until(lambda: desk.shown("#below").startswith("3 new below"))
        assert desk.app.view.messages.scroll_offset.y == before
        assert "more 2" not in desk.screen
        await desk.pilot.press("pagedown", "pagedown", "pagedown")
        await desk.until_shown("▎ more 2")
        assert (desk.shown("#below"), "─ new ─" in desk.screen) == ("", True)
        await desk.pilot.press("escape")
        await desk.until(lambda: "─ new ─" not in desk.screen)


@pytest.mark.gen_test
async def test_older_messages_come_above_without_a_jump(link: str) -> None:
    async with await join(link, "Zoe") as zoe:
        for number in range(70):
            await zoe.send(f"line {number}")
        await zoe.leave()
    async with sit_down(link, height=16) as desk:
        await desk.until_shown("▎ line 69")
        assert len(desk.app.conversation.state.messages) == 50
        messages = desk.app.view.messages
        messages.scroll_to(y=0, animate=False, immediate=True)
        await desk.until(lambda: len(desk.app.conversation.state.messages) == 70)
        await desk.until_shown("▎ line 20")
        assert messages.scroll_offset.y > 0


@pytest.mark.gen_test
async def test_unread_begins_where_one_looked_away(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.bob.send("seen")
        await desk.until_shown("▎ seen")
        desk.app.post_message(AppBlur())
        await desk.until(lambda: desk.app.conversation.attention.is_away)
        await desk.bob.send("unseen")
        await desk.bob.send("unseen too")
        await desk.until_shown("▎ unseen too")
        desk.app.post_message(AppFocus())
        await desk.until(lambda: not desk.app.conversation.attention.is_away)
        rows = desk.screen.split("\n")
        marks = [number for number, row in enumerate(rows) if "─ new ─" in row]
        assert len(marks) == 1
        assert next(number for number, row in enumerate(rows) if "▎ unseen" in row) > marks[0]
        await desk.write("I am back")
        await desk.until(lambda: "─ new ─" not in desk.screen)


@pytest.mark.gen_test
async def test_a_narrow_terminal_has_no_people_list(link: str) -> None:
    async with sit_down(link, width=60) as desk:
        people = desk.app.view.query_one("#people")
        assert not people.display or not people.region.width
        await desk.bob.send("the newest")
        await desk.until_shown("▎ the newest")
        await desk.pilot.press("f2", *"draft")
        await desk.until_shown("2 here: ")
        assert "▎ the newest" in desk.screen
        assert "draft" in desk.screen
        await desk.pilot.resize_terminal(100, 24)
        await desk.until(lambda: people.region.width == 24)
        await desk.pilot.press("f2")
        await desk.until(lambda: not people.region.width)


@pytest.mark.gen_test
async def test_all_of_the_help_can_be_read_on_a_small_terminal(link: str) -> None:
    async with sit_down(link, width=60, height=20) as desk:
        await desk.write("/help")
        await desk.until(lambda: isinstance(desk.app.screen, HelpScreen))
        await desk.until_shown("/help")
        read, box = "", desk.app.screen.query_one("#reading")
        while True:
            read += desk.screen
            if box.scroll_y >= box.max_scroll_y:
                break
            await desk.pilot.press("down")
        offers = offered((), RoomState())
        words = {word for offer in offers.values() for word in (*offer.usage.split(), *offer.does.split())}
        assert words | {f"/{name}" for name in offers} <= set(read.split())
        assert all(key in read for key in [*KEYS, *ON_A_MESSAGE])


@pytest.mark.gen_test
async def test_a_restart_is_told_and_what_was_written_meanwhile_goes_out(settings: Settings) -> None:
    async with running_server(settings) as server:
        port = server.port
        link = (await Server(server.url).create_room("Lunch")).join_url
        app = ChatApp((await join(link, "Ann")).membership, pace=QUICK)
        running = app.run_test(size=(100, 24))
        pilot = await running.__aenter__()
        bob = await join(link, "Bob", pace=QUICK)
        await bob.__aenter__()
        desk = Desk(app, pilot, bob)
        await desk.until(lambda: app.connection.word == "online")
    await desk.until(lambda: "No connection: what you write waits here." in desk.shown("#banner"))
    await desk.write("written meanwhile")
    await desk.until_shown("written meanwhile  sending…")
    for line in ("/delete", "/edit written later"):
        desk.app.view.pane.query_one(Notices).show(float("inf"))
        await desk.write(line)
        await desk.until_shown("Your last message is still being sent.")
        desk.app.view.pane.composer.clear()
    waiting = bob.post("and this, too")
    async with running_server(replace(settings, server=replace(settings.server, port=port))):
        await waiting
        await desk.until_shown("▎ and this, too")
        await desk.until(lambda: "sending" not in desk.screen)
        assert "Back, " in desk.shown("#banner")
        assert [wire["content"]["text"] for wire in (await bob.history())["messages"]].count("written meanwhile") == 1
        await bob.close()
        await running.__aexit__(None, None, None)


@pytest.mark.gen_test
async def test_being_removed_ends_it_and_says_so(server: RunningServer, link: str) -> None:
    async with sit_down(link) as desk:
        server.sessions.disconnect(desk.app.chat.membership.session_id, 4403, "kicked")
        await desk.until(lambda: "You were removed from this room" in desk.shown("#banner"))
        assert desk.app.view.pane.composer.read_only
        assert desk.app.closed is not None
        assert desk.app.closed.code == 4403


@pytest.mark.gen_test
@pytest.mark.parametrize("is_removed", [False, True])
async def test_what_was_not_sent_is_told_before_the_end_and_stands_on_the_terminal_after_it(
    server: RunningServer, link: str, is_removed: bool
) -> None:
    async with sit_down(link) as desk:
        for mark in "xy":
            await desk.write(mark * 4_001)
        await desk.until(lambda: all(outgoing.done for outgoing in desk.app.conversation.unsent()))
        desk.app.view.pane.composer.insert("half a tho")
        if is_removed:
            server.sessions.disconnect(desk.app.chat.membership.session_id, 4403, "kicked")
            await desk.until(lambda: "for now. 2 messages were not sent. Press Ctrl+Q" in desk.shown("#banner"))
        else:
            await desk.pilot.press("f1", "ctrl+c")
            await desk.until_shown("2 messages were not sent. Press again to quit all the same.")
            assert desk.app.is_running
        await desk.pilot.press("ctrl+c")
        await desk.until(lambda: not desk.app.is_running)
    told = list(farewell(desk.app))
    assert told[:3] == [f"Not sent: {text}" for text in ("x" * 4_001, "y" * 4_001, "half a tho")]
    assert told[3:] == (["You were removed from this room for now."] if is_removed else [])


@pytest.mark.gen_test
async def test_leaving_by_a_command_asks_once_if_something_was_not_sent(link: str) -> None:
    async with sit_down(link) as desk:
        await desk.write("x" * 4_001)
        await desk.until_shown("not sent: At most")
        await desk.write("/leave")
        await desk.until_shown("1 message was not sent. Press again to quit all the same.")
        assert desk.draft == "/leave"
        await desk.pilot.press("enter")
        await desk.until(lambda: not desk.app.is_running)
    assert [len(text) for text in desk.app.unsent] == [4_001]


@pytest.mark.gen_test
async def test_what_plugins_add(tmp_path: Path) -> None:
    """Cards that follow the votes, marks, what waits, what is unread, and pages with longer texts."""
    options = {"moderation": {"newcomer_seconds": 3_600}}
    settings = settings_in(tmp_path, plugins={"enabled": bundled(), "options": options})
    async with running_server(settings) as server:
        room = await Server(server.url).create_room("Lunch")
        async with sit_down(room.join_url) as desk, await join(room.moderator_url, "Maud") as maud:
            asked = {"question": "Where?", "options": ["Here", "There"], "secrecy": "open"}
            poll = (await maud.request("create_poll", asked)).data
            await desk.until_shown(f"Poll #{poll['seq']}: Where?")
            await maud.request("vote", {"pollId": poll["pollId"], "optionId": "2"})
            await desk.until_shown("2. There · 1 vote")
            await desk.write("/vote 1")
            await desk.until_shown("1. Here · 1 vote ✓ yours")
            await maud.request("pin_message", {"messageId": poll["messageId"]})
            await desk.until_shown("You have voted.  pinned")
            await maud.send("@Ann, look")
            await desk.until_shown("@Ann, look  mentions you")
            entries = [line for line in desk.app.conversation.lines() if isinstance(line, Entry)]
            assert [entry.is_mention for entry in entries] == [False, True]
            await desk.until_shown("2 unread")
            await desk.write("/notifications")
            await desk.until(lambda: isinstance(desk.app.screen, ReadingScreen))
            await desk.until_shown("Maud mentioned you: @Ann, look")
            await desk.pilot.press("escape")
            await desk.until(lambda: "unread" not in desk.screen)
            await maud.request("panic", {})
            await desk.until_shown("panic")
            await desk.write("is this seen?")
            await desk.until_shown("… waits: The moderators look at")
            (held,) = desk.app.conversation.state.moderation.held
            await maud.request("release_message", {"messageId": held})
            await desk.until(lambda: "waits" not in desk.screen and "▎ is this seen?" in desk.screen)
            await desk.write("and this?")
            await desk.until_shown("… waits: The moderators look at")
            await maud.request("calm", {})
            await desk.until(lambda: "▎ and this?" not in desk.screen)
            await maud.request("close_poll", {"pollId": poll["pollId"]})
            await desk.until_shown("2 people voted.  pinned")


@pytest.mark.gen_test
async def test_the_up_arrow_says_what_cannot_be_changed(tmp_path: Path) -> None:
    options = {"moderation": {"newcomer_seconds": 3_600}, "polls": {"create": "everyone"}}
    settings = settings_in(tmp_path, plugins={"enabled": bundled(), "options": options})
    async with running_server(settings) as server:
        room = await Server(server.url).create_room("Lunch")
        async with sit_down(room.join_url) as desk, await join(room.moderator_url, "Maud") as maud:
            await desk.pilot.press("up")
            await desk.until_shown("There is no message of yours here.")
            await desk.write("an old message")
            await desk.until(lambda: len(desk.app.conversation.state.mine()) == 1)
            await desk.write("/poll Where? | Here | There")
            await desk.until_shown("Where?")
            await desk.pilot.press("up")
            await desk.until_shown("Your last message is no text and cannot be changed: [poll] Where?")
            await maud.request("panic", {})
            await desk.until_shown("panic")
            await desk.write("is this seen?")
            await desk.until_shown("… waits: The moderators look at")
            await desk.pilot.press("up")
            await desk.until_shown("Your last message waits to be released and cannot be changed")
            assert desk.draft == ""
            await desk.write("/delete")
            await desk.until(lambda: "▎ is this seen?" not in desk.screen)
            assert "▎ an old message" in desk.screen


@pytest.mark.gen_test
async def test_a_moderator_pins_by_a_key_and_sees_more_commands(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": bundled()})
    async with running_server(settings) as server:
        room = await Server(server.url).create_room("Lunch")
        async with sit_down(room.moderator_url) as desk, await join(room.join_url, "Zoe") as zoe:
            await zoe.send("the address is 5, Main Street")
            await desk.until_shown("Main Street")
            await desk.pilot.press("shift+tab", "p")
            await desk.until_shown("Main Street  pinned")
            await desk.pilot.press("p")
            await desk.until(lambda: "Main Street  pinned" not in desk.screen)
            await desk.pilot.press("escape")
            await desk.write("/mute Zoe 1")
            await desk.until_shown("Zoe is muted until ")
            await desk.write("/help")
            await desk.until(lambda: isinstance(desk.app.screen, HelpScreen))
            assert "/polls" in desk.screen
            box = desk.app.screen.query_one("#reading")
            while "/end room" not in desk.screen:
                assert box.scroll_y < box.max_scroll_y
                await desk.pilot.press("down")


@pytest.mark.gen_test
async def test_no_color_is_honoured(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with sit_down(link) as desk:
        await desk.bob.send("grey")
        await desk.until_shown("▎ grey")
        colours = set(re.findall(r"fill: #([0-9a-f]{6})", desk.app.export_screenshot())) - {OF_THE_PICTURE}
        assert len(colours) > 1
        assert {colour for colour in colours if len({colour[:2], colour[2:4], colour[4:]}) > 1} == set()
