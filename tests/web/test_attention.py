"""What calls for attention, and who is called: points 25, 29 to 31 and 34."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.web.test_list import fill

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

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


@pytest.mark.sabotage("view/room.mjs", '<a class="skip" href="#composer">', '<a class="skip" href="#nothing">')
def test_30_landmarks_a_skip_link_and_a_focus_that_moves(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    for role in ("banner", "main", "navigation", "log"):
        expect(ann.page.get_by_role(role)).to_have_count(1)
    ann.page.locator("#composer").evaluate("(one) => one.blur()")
    ann.page.keyboard.press("Tab")
    expect(ann.page.locator(".skip")).to_be_focused()
    expect(ann.page.locator(".skip")).to_be_in_viewport()
    ann.page.keyboard.press("Enter")
    expect(ann.page.locator("#composer")).to_be_focused()


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


@pytest.mark.sabotage("view/conversation.mjs", "element.current.focus({ preventScroll: true });", "undefined;")
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
    assert ann.page.locator(".banner").get_attribute("role") == "status"


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
