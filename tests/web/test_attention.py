"""What calls for attention, and who is called: points 25, 29 to 31 and 34."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.web.test_list import fill
from tests.web.visitors import becomes_true

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

SECRET = "Object.entries(sessionStorage).find(([key]) => key.endsWith(':secret'))?.[1]"
AWAY = "document.hasFocus = () => false; dispatchEvent(new Event('blur'))"


@pytest.mark.sabotage("view/room.mjs", 'mentions > 0 ? "icon-mention.svg" :', "")
def test_25_title_and_icon_tell_what_is_new_and_mentions_differ(live: Live, visit: Visit) -> None:
    room = live.room("Lunch")
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    expect(ann.page).to_have_title("Lunch")
    ann.page.evaluate(AWAY)
    icon = ann.page.locator("link[rel=icon]")
    bob.say("one")
    expect(ann.page).to_have_title("(1) Lunch")
    assert str(icon.get_attribute("href")).endswith("icon-unread.svg")
    bob.say("and you, @Ann?")
    expect(ann.page).to_have_title("(2 @) Lunch")
    assert str(icon.get_attribute("href")).endswith("icon-mention.svg")
    ann.page.evaluate("document.hasFocus = () => true; dispatchEvent(new Event('focus'))")
    expect(ann.page).to_have_title("Lunch")


@pytest.mark.sabotage("attention.mjs", "said.length > MOST_READ_OUT", "false")
def test_29_messages_are_read_out_and_bursts_summed_up_and_replay_is_silent(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    bob.join(room.link(), "Bob")
    bob.say("before")
    bob.sees("before")
    ann.join(room.link(), "Ann")
    ann.sees("before")
    status = ann.page.locator(".room > [role=status].hidden")
    assert ann.page.get_by_role("log").get_attribute("aria-live") == "off"
    ann.page.wait_for_timeout(1_000)
    expect(status).to_be_empty()
    bob.say("hello")
    expect(status).to_have_text("Bob: hello")
    fill(live, room, 6)  # at once, on however busy a machine
    expect(status).to_have_text("6 new messages.")
    assert str(ann.message("hello").get_attribute("aria-label")).startswith("Bob: hello")


@pytest.mark.sabotage("attention.mjs", "text === this.spoken.value ? `${text}\\u00a0` : text;", "text;")
def test_29_the_same_sentence_is_read_out_twice_when_it_is_said_twice(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.page.evaluate(
        """() => { window.changes = 0;
            new MutationObserver(() => (window.changes += 1)).observe(
                document.querySelector(".room > [role=status].hidden"), {childList: true, subtree: true, characterData: true}); }"""
    )
    for count in (1, 2, 3):
        bob.say("hello")
        becomes_true(ann.page, f"window.changes === {count}")


@pytest.mark.sabotage("view/room.mjs", "event.preventDefault();\n  document", "document")
def test_30_landmarks_a_skip_link_and_a_focus_that_moves(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    secret = ann.page.evaluate(SECRET)
    assert secret
    for role in ("banner", "main", "navigation", "log"):
        expect(ann.page.get_by_role(role)).to_have_count(1)
    ann.page.locator("#composer").evaluate("(one) => one.blur()")
    ann.page.keyboard.press("Tab")
    expect(ann.page.locator(".skip")).to_be_focused()
    expect(ann.page.locator(".skip")).to_be_in_viewport()
    ann.page.keyboard.press("Enter")
    expect(ann.page.locator("#composer")).to_be_focused()
    ann.page.wait_for_timeout(200)  # browsers tell of another address later
    assert ann.page.evaluate(SECRET) == secret


@pytest.mark.sabotage("view/room.mjs", "heading.current.focus();", "")
def test_30_what_is_opened_has_the_focus_and_gives_it_back(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    opener = ann.page.get_by_role("button", name="People")
    opener.focus()
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("heading", name="People")).to_be_focused()
    ann.page.keyboard.press("Escape")
    expect(ann.page.get_by_role("complementary")).to_have_count(0)
    expect(opener).to_be_focused()
    ann.say("hello")
    ann.sees("hello")
    ann.do("hello", "Delete")
    ann.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(ann.message("hello")).to_be_focused()


@pytest.mark.sabotage("view/parts.mjs", "pressed.current === element.current &&", "")
def test_30_a_dialog_closes_by_a_click_beside_it_and_not_by_selecting_what_was_typed(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.join(live.room().link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Make a poll").click()
    field = mona.page.get_by_label("Question")
    field.fill("Soup?")
    box = field.bounding_box()
    assert box is not None
    mona.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mona.page.mouse.down()
    mona.page.mouse.move(5, 300)
    mona.page.mouse.up()
    expect(field).to_have_value("Soup?")
    mona.page.mouse.click(5, 300)
    expect(field).to_have_count(0)


@pytest.mark.sabotage("view/conversation.mjs", "document.body) element.current.focus(", "document.body) String(")
def test_30_the_keys_of_the_list_go_on_when_a_focused_message_leaves_the_page(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 250)
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.sees("message 249")
    ann.message("message 249").focus()
    for _ in range(40):
        ann.page.evaluate("document.querySelector('.list').scrollTop -= 900")
        ann.page.wait_for_timeout(40)
        if ann.page.get_by_text("message 249", exact=True).count() == 0:
            break
    expect(ann.page.get_by_role("log")).to_be_focused()
    ann.page.keyboard.press("ArrowDown")
    expect(ann.page.locator("article:focus")).to_have_count(1)


@pytest.mark.sabotage("view/parts.mjs", '<p class="problem" role="alert">', '<p class="problem">')
def test_31_errors_are_told_at_once_and_the_connection_politely(live: Live, visit: Visit) -> None:
    room = live.room()
    live.rest("POST", f"/api/rooms/{room.id}/join", {"inviteToken": room.invite, "username": "Ann"})
    ann = visit()
    ann.page.goto(room.link())
    ann.page.get_by_label("Your name in this room").fill("Ann")
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("alert").filter(has_text="is taken")).to_be_visible()
    ann.page.get_by_label("Your name in this room").fill("Anna")
    ann.page.keyboard.press("Enter")
    ann.page.locator("#composer").wait_for()
    expect(ann.page.locator(".banner [role=status]")).to_have_count(1)


@pytest.mark.sabotage("view/banner.mjs", 'if (status.kind === "connecting" && wasOffline.value) return undefined;', "")
def test_31_that_one_is_offline_is_read_out_once_and_not_at_each_try(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.join(live.room().link(), "Ann")
    ann.cut()
    expect(ann.page.get_by_text("Offline. Next try in")).to_be_visible()
    ann.page.route_web_socket("**/ws", lambda _: None)  # a try that nobody answers
    ann.page.get_by_role("button", name="Try now").click()
    expect(ann.page.locator(".banner")).to_contain_text("Connecting …")
    expect(ann.page.locator(".banner [role=status]")).to_have_text("Offline.")


@pytest.mark.sabotage("view/banner.mjs", '<span>${t("banner.next"', '<span role="status">${t("banner.next"')
def test_31_what_counts_down_is_not_read_out_each_second(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    expect(ann.page.get_by_role("button", name="People: 1")).to_be_visible()  # her page is there before she is

    async def act() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            await mona.ask("create_poll", {"question": "Soup?", "options": ["Yes", "No"], "closesInSeconds": 100})
            users = (await mona.ask("get_presence", {})).data["users"]
            people = {user["username"]: user["sessionId"] for user in users}
            await mona.ask("mute", {"targetSessionId": people["Ann"], "durationSeconds": 100})

    live.run(act())
    shown = [re.compile(text) for text in (r"closes in \d+ seconds", r"\d+ seconds left", r"Next try in \d+ second")]
    for text in shown[:2]:
        expect(ann.page.get_by_text(text)).to_be_visible()
    ann.cut()
    expect(ann.page.get_by_text(shown[2])).to_be_visible()
    read_out = " ".join(ann.page.locator("[role=status]").all_inner_texts())
    for told in ("You are muted.", "Offline."):
        assert told in read_out
    for silent in ("second", "voted"):
        assert silent not in read_out


@pytest.mark.sabotage("view/room.mjs", 'event.key === "?"', 'event.key === "!"')
def test_34_a_question_mark_shows_the_keys(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.page.locator("#composer").fill("really")
    ann.page.keyboard.press("?")
    expect(ann.page.get_by_role("dialog")).to_have_count(0)
    ann.page.locator("#composer").evaluate("(one) => one.blur()")
    ann.page.keyboard.press("?")
    expect(ann.page.get_by_role("dialog", name="Keys")).to_be_visible()
    ann.page.keyboard.press("Escape")
    expect(ann.page.get_by_role("dialog")).to_have_count(0)
