"""Lost connections: points 21 to 24."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess, environment

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit


@pytest.mark.sabotage("protocol/chat.mjs", "this.#courier.online();", "undefined;")
def test_21_22_a_banner_says_what_is_and_what_waits_goes_in_order(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.say("before")
    ann.sees("before")
    ann.cut()
    expect(ann.page.get_by_text("Offline. Next try in")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Try now")).to_be_visible()
    bob.say("while you were away")
    for text in ("one", "two", "three"):
        ann.say(text)
    expect(ann.page.get_by_text("3 messages wait")).to_be_visible()
    ann.mend()
    expect(ann.page.get_by_text("Connected again. 1 message came meanwhile.")).to_be_visible()
    bob.sees("three")
    ann.page.locator("article:not(.waiting)").filter(has_text="three").wait_for()
    assert ann.texts() == bob.texts() == ["before", "while you were away", "one", "two", "three"]


@pytest.mark.sabotage("view/composer.mjs", "!isKnown(session.state)", "false")
def test_22_a_command_is_not_said_to_everybody_before_one_is_in_the_room(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.cut()
    ann.join(live.room().link(), "Ann")
    ann.say("/poll")
    expect(ann.page.get_by_text("You are not in the room yet.")).to_be_visible()
    expect(ann.page.locator("#composer")).to_have_value("/poll")
    ann.mend()
    ann.page.get_by_role("button", name="Try now").click()
    expect(ann.page.get_by_role("button", name="People: 1")).to_be_visible()
    assert ann.texts() == []


@pytest.mark.parametrize("event", ["focus", "online", "visibilitychange"])
@pytest.mark.sabotage("protocol/connection.mjs", "if (this.isOnline) this.#beat();", "if (this.isOnline) return;")
def test_23_on_wake_it_finds_what_was_lost_unnoticed(live: Live, visit: Visit, event: str) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    expect(ann.page.get_by_role("button", name="People: 2")).to_be_visible()
    ann.lose("nobody hears this")
    bob.say("nobody hears this")
    bob.sees("nobody hears this")
    assert ann.texts() == []
    target = "document" if event == "visibilitychange" else "window"
    ann.page.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
    ann.sees("nobody hears this")


@pytest.mark.sabotage("state/selectors.mjs", "state.room.me.sessionId !== undefined", "true")
def test_21_nothing_is_said_of_a_room_before_the_server_has_told_of_it(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.cut()
    ann.join(live.room(retentionSeconds=3_600).link(), "Ann")
    expect(ann.page.locator(".facts-line")).to_have_text("Connecting …")
    expect(ann.page.locator(".empty")).to_have_count(0)
    ann.mend()
    expect(ann.page.locator(".facts-line")).to_contain_text("Messages go after 1 hour.")
    expect(ann.page.locator(".empty")).to_be_visible()


def ending(soon: dt.timedelta) -> Callable[[str], str]:
    """Changes what is told of a room: it has been there for an hour, and ends soon."""
    now = dt.datetime.now(dt.UTC)

    def change(frame: str) -> str:
        for name, moment in (("createdAt", now - dt.timedelta(hours=1)), ("expiresAt", now + soon)):
            frame = re.sub(rf'"{name}":("[^"]*"|null)', f'"{name}":"{moment.isoformat()}"', frame)
        return frame

    return change


@pytest.mark.sabotage("view/banner.mjs", "left <= Math.min(SOON, lasts / 2)", "left < 0")
def test_21_how_long_a_room_is_still_there_is_told_and_counted_down(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.carry()
    ann.alter(ending(dt.timedelta(seconds=100)))
    ann.join(room.link(), "Ann")
    left = ann.page.locator(".banner").get_by_text(re.compile(r"\d+ seconds left\."))
    expect(left).to_be_visible()
    expect(ann.page.locator(".banner [role=status]")).to_have_text("The room ends soon.")
    before = left.inner_text()
    expect(left).not_to_have_text(before)
    ann.cut()
    expect(ann.page.get_by_text("Next try in")).to_be_visible()
    ann.mend()
    expect(ann.page.get_by_text("Connected again.")).to_be_visible()
    expect(left).to_be_visible()
    ann.has_no_barrier()


@pytest.mark.parametrize(
    ("act", "told", "next_step"),
    [
        ("kick", "removed from this room for now", "Join again"),
        ("ban", "You are banned", "front page"),
        ("end", "The room has ended", "front page"),
    ],
)
@pytest.mark.sabotage("view/closing.mjs", "knows(key) ? t(key) :", "")
def test_24_removed_banned_and_ended_are_told_apart(
    live: Live, visit: Visit, act: str, told: str, next_step: str
) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("hello")
    ann.sees("hello")
    path = f"/api/rooms/{room.id}"
    mona = live.rest("POST", f"{path}/join", {"moderatorToken": room.moderator, "username": "Mona"})["sessionToken"]
    (found,) = [
        one for one in live.rest("GET", f"{path}/participants", token=mona)["participants"] if one["username"] == "Ann"
    ]
    target = {"targetSessionId": found["sessionId"], "reason": "Be kind."}
    live.rest("POST", f"{path}/{act}", {} if act == "end" else target, mona)
    expect(ann.page.get_by_role("heading", name=told)).to_be_visible()
    expect(ann.page.get_by_role("button", name=next_step)).to_be_visible()
    if act == "end":
        expect(ann.page.get_by_text("1 message")).to_be_visible()
    else:
        expect(ann.page.get_by_text("Be kind.")).to_be_visible()
    if act != "end":  # who comes again is told for how long
        ann.page.get_by_role("button", name=next_step).click()
        ann.page.goto(room.link())
        ann.page.get_by_role("button", name="Join", exact=True).click()
        expect(ann.page.get_by_text(re.compile(rf"{told}.*\. Try again in"))).to_be_visible()


@pytest.mark.parametrize("way", ["the front page", "the link"])
@pytest.mark.sabotage("client.mjs", 'chat.status.value.kind === "over"', 'chat.status.value.kind === "gone"')
def test_24_the_way_in_is_shown_again_to_who_was_sent_away(live: Live, visit: Visit, way: str) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")

    async def act() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            users = (await mona.ask("get_presence", {})).data["users"]
            (guest,) = (user["sessionId"] for user in users if user["username"] == "Ann")
            await mona.ask("ban", {"targetSessionId": guest})

    live.run(act())
    expect(ann.page.get_by_role("heading", name="You are banned")).to_be_visible()
    if way == "the link":
        ann.page.evaluate("(link) => { location.href = link; }", room.link())
    else:
        ann.page.get_by_role("button", name="front page").click()
        ann.page.get_by_label("Link or code").fill(room.link())
        ann.page.get_by_role("button", name="Continue").click()
    expect(ann.page.get_by_label("Your name in this room")).to_be_visible()


@pytest.mark.sabotage("view/banner.mjs", "t(restarts ? ", "t(false ? ")
def test_24_a_restart_is_told_as_such(tmp_path: Path, visit: Visit) -> None:
    with ServerProcess(tmp_path) as server:
        made = Rest(server.port).call("POST", "/api/rooms", {"title": "Lunch"}).body
        ann = visit()
        ann.join(made["joinUrl"], "Ann")
        ann.say("I am here")
        expect(ann.page.locator("article:not(.waiting)")).to_have_count(1)
        ann.page.locator("#composer").fill("half a thou")
        server.stop()
        expect(ann.page.get_by_text("The server restarts. Next try in")).to_be_visible(timeout=10_000)
        server.start()
        ann.page.keyboard.press("Enter")
        expect(ann.page.locator("article:not(.waiting)").filter(has_text="half a thou")).to_be_visible(timeout=30_000)


@pytest.mark.sabotage("session.mjs", "if (LOST.has(reason)) this.chat.outbox.end();\n    else ", "")
def test_22_what_waited_when_the_session_was_lost_can_be_sent_by_who_joins_again(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    ann.say("in time")
    ann.sees("in time")
    membership = "Object.entries(sessionStorage).find(([key]) => key.endsWith(':membership'))[1]"
    token = ann.page.evaluate(f"JSON.parse({membership}).sessionToken")
    ann.cut()
    ann.say("too late")
    live.rest("POST", f"/api/rooms/{room.id}/leave", {}, token)
    ann.mend()
    ann.page.get_by_role("button", name="Join again").click()
    ann.page.get_by_role("button", name="Join", exact=True).click()
    failed = ann.page.locator("article.failed")
    expect(failed).to_contain_text("Your stay ended before it was sent.")
    expect(failed).to_contain_text("too late")
    ann.has_no_barrier()
    failed.get_by_role("button", name="Try again").click()
    ann.sees("too late")
    expect(ann.page.locator("article")).to_have_count(2)


# What the banner has said, each time with the messages that waited then.
WRITE_DOWN = """() => { window.told = [];
    const banner = document.querySelector(".banner");
    new MutationObserver(() => {
        const waiting = document.querySelectorAll("article.waiting").length;
        if (banner.innerText !== window.told.at(-1)?.[0]) window.told.push([banner.innerText, waiting]);
    }).observe(document.querySelector(".room"), {childList: true, subtree: true, characterData: true}); }"""


@pytest.mark.sabotage("view/banner.mjs", "{ count: waiting }", "{ count: waiting + 1 }")
def test_21_22_a_server_that_is_killed_loses_nothing_and_the_banner_tells_the_truth(
    tmp_path: Path, visit: Visit
) -> None:
    limits = {"joins_per_network": "off", "messages_per_session": "off", "requests_per_network": "off"}
    with ServerProcess(tmp_path, environment(limits=limits)) as server:
        made = Rest(server.port).call("POST", "/api/rooms", {"title": "Lunch"}).body
        ann, *watchers = everybody = [visit() for _ in range(3)]
        for visitor, name in zip(everybody, ("Ann", "Bob", "Cleo"), strict=True):
            visitor.join(made["joinUrl"], name)
            visitor.page.evaluate(WRITE_DOWN)
        said = []
        for life in range(2):
            for index in range(6):
                said.append(f"life {life} message {index}")
                ann.say(said[-1])
                if index == 3:
                    server.kill()
            ann.page.locator("#composer").fill("half a thought")
            for visitor in everybody:
                expect(visitor.page.get_by_text("Next try in")).to_be_visible(timeout=20_000)
            expect(ann.page.locator(".banner")).to_contain_text(re.compile(r"\d messages? waits?"))
            server.start()
            for visitor in everybody:
                visitor.mend()
                expect(visitor.page.locator("article:not(.waiting)")).to_have_count(len(said), timeout=40_000)
                expect(visitor.page.locator(".banner")).to_have_text("")
            assert ann.page.locator("#composer").input_value() == "half a thought"
        for visitor in everybody:
            assert visitor.page.locator("article .rich").all_inner_texts() == said
            told = visitor.page.evaluate("window.told")
            assert [text for text, _ in told if text.startswith("Connected again.")]
            assert [
                waiting
                for text, waiting in told
                for count in re.findall(r"(\d+) messages? waits?", text)
                if int(count) != waiting
            ] == []
        for watcher in watchers:
            meanwhile = [re.findall(r"(\d+) messages? came", text) for text, _ in watcher.page.evaluate("window.told")]
            assert all(int(count) <= 6 for counts in meanwhile for count in counts)
