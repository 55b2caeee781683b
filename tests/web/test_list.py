"""Reading: points 12 to 20."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from anonchat.testing.clients import Rest

if TYPE_CHECKING:
    from tests.web.conftest import Live, Room, Visit

BOX = "document.querySelector('.list')"


def fill(live: Live, room: Room, count: int, name: str = "Talker") -> None:
    """Messages of somebody who is not there any more, over a socket of their own."""

    async def talk() -> None:
        async with room.opened.enter(name, moderator=True) as talker:
            sent = [{"text": f"message {index}", "clientMsgId": f"c{index}"} for index in range(count)]
            ids = [await talker.send("send_message", data) for data in sent]
            await talker.answer(ids[-1])

    live.run(talk())


@pytest.mark.sabotage("protocol/chat.mjs", "isKnown(item) || list.some(", "false && list.some(")
def test_12_an_own_message_is_there_at_once_and_settles_without_a_jump(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.page.evaluate(
        """() => { window.most = 0; window.tops = [];
            new MutationObserver(() => {
                const all = [...document.querySelectorAll("article")];
                window.most = Math.max(window.most, all.length);
                if (all[0]) window.tops.push(Math.round(all[0].getBoundingClientRect().top));
            }).observe(document.querySelector(".rows"), {childList: true, subtree: true, attributes: true}); }"""
    )
    ann.say("only once")
    ann.page.locator("article:not(.waiting)").wait_for()
    assert ann.page.evaluate("window.most") == 1
    assert ann.page.locator("article").count() == 1


@pytest.mark.sabotage("view/outgoing.mjs", 'item.state === "failed"', "false")
def test_12_a_failure_offers_to_retry_copy_and_delete(live: Live, visit: Visit) -> None:
    room = live.room(settings={"moderation": {"preset": "strict"}})
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("look at https://example.com/x")
    failed = ann.page.locator("article.failed")
    expect(failed.get_by_role("alert")).not_to_be_empty()
    for name in ("Try again", "Copy"):
        expect(failed.get_by_role("button", name=name)).to_be_visible()
    failed.get_by_role("button", name="Discard").click()
    expect(ann.page.locator("article")).to_have_count(0)


@pytest.mark.sabotage("view/rows.mjs", "before.authorSessionId !== wire.authorSessionId ||", "true ||")
def test_13_messages_are_grouped_and_the_exact_time_is_there(live: Live, visit: Visit) -> None:
    ann, bob = visit(), visit()
    room = live.room()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    for text in ("one", "two"):
        ann.say(text)
        bob.sees(text)
    bob.say("three")
    ann.sees("three")
    assert ann.page.locator("article .by .name").all_inner_texts() == ["Ann", "Bob"]
    expect(ann.page.get_by_text("Today")).to_be_visible()
    ann.message("two").focus()
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("dialog").locator("time")).to_contain_text(re.compile(r"\d{4}.*:\d\d:\d\d"))
    ann.page.keyboard.press("Escape")
    time = ann.message("one").locator("time")
    assert time.get_attribute("title")
    assert time.get_attribute("datetime")


@pytest.mark.sabotage("view/conversation.mjs", "if (anchor.current === null) box.", "if (true) box.")
def test_14_it_sticks_to_the_bottom_only_at_the_bottom(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 60)
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.sees("message 59")
    bob.say("at the bottom")
    ann.sees("at the bottom")
    assert ann.page.evaluate(f"{BOX}.scrollHeight - {BOX}.scrollTop - {BOX}.clientHeight") < 5
    ann.page.evaluate(f"{BOX}.scrollTop = 700")
    ann.page.wait_for_timeout(100)
    top = ann.page.evaluate(f"{BOX}.scrollTop")
    bob.say("while reading")
    news = ann.page.get_by_role("button", name="1 new")
    news.wait_for()
    assert abs(ann.page.evaluate(f"{BOX}.scrollTop") - top) < 3
    news.click()
    assert ann.page.evaluate(f"{BOX}.scrollHeight - {BOX}.scrollTop - {BOX}.clientHeight") < 5


@pytest.mark.sabotage(
    "view/conversation.mjs", "if (!box.isConnected) return;", "if (element.current.scrollTop < 0) return;"
)
def test_14_a_scroll_that_is_told_after_the_room_was_left_does_no_harm(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    box = ann.page.locator(".list").element_handle()
    ann.page.get_by_role("button", name="About this room", exact=True).click()
    ann.page.get_by_role("button", name="Leave and forget me").click()
    ann.page.get_by_role("heading", name="Talk, then let it go.").wait_for()
    box.evaluate("(box) => box.dispatchEvent(new Event('scroll'))")
    assert ann.troubles == []


@pytest.mark.sabotage("attention.mjs", "this.line.value = this.#seen.value;", "{}")
def test_15_what_is_new_begins_at_a_line_that_stays(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    bob.say("seen")
    ann.sees("seen")
    ann.page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
    bob.say("unseen")
    ann.sees("unseen")
    ann.page.evaluate("document.hasFocus = () => true; dispatchEvent(new Event('focus'))")
    bob.say("later")
    ann.sees("later")
    texts = ann.page.locator(".rows > *").all_inner_texts()
    at = texts.index("New")
    assert "seen" in texts[at - 1]
    assert "unseen" in texts[at + 1]


@pytest.mark.sabotage("session.mjs", "await this.#reach(() => (this.state", "if (false) (() => (this.state")
def test_15_a_button_leads_to_the_first_new_message_however_far_back_it_is(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    fill(live, room, 1, "Early")
    ann.sees("message 0")
    ann.page.goto(f"{live.url}/privacy")
    fill(live, room, 130)
    ann.page.go_back()
    ann.sees("message 129")
    button = ann.page.get_by_role("button", name="To the first new message")
    button.click()
    first = ann.page.locator(".line + article")
    expect(first).to_be_focused()
    expect(first).to_be_in_viewport()
    expect(first).to_contain_text("message 0")
    expect(button).to_have_count(0)
    ann.page.keyboard.press("End")
    expect(ann.page.get_by_role("button", name="To the newest")).to_be_visible()
    expect(button).to_have_count(0)


@pytest.mark.sabotage("view/conversation.mjs", "else if (box.scrollTop < NEAR && hasMore) older();", "")
def test_16_scrolling_up_loads_older_messages_without_a_jump(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 320)
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.sees("message 319")
    seen: set[str] = set()
    for _ in range(60):
        before = ann.page.evaluate(
            f"""() => {{ const box = {BOX}; box.scrollTop -= 400; box.dispatchEvent(new Event("scroll"));
                const top = box.getBoundingClientRect().top;
                const row = [...box.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > top + 5);
                return [row.dataset.key, row.getBoundingClientRect().top]; }}"""
        )
        ann.page.wait_for_timeout(40)
        after = ann.page.evaluate(
            f"(key) => {BOX}.querySelector(`[data-key='${{key}}']`)?.getBoundingClientRect().top ?? null",
            before[0],
        )
        assert after is not None
        assert abs(after - before[1]) < 4
        seen |= set(ann.page.locator("article .rich").all_inner_texts())
        if "message 0" in seen:
            break
    assert {f"message {index}" for index in range(320)} <= seen
    assert ann.page.locator("article").count() <= 120


@pytest.mark.sabotage("session.mjs", "await this.chat.older();", "return;")
def test_16_a_link_to_a_message_shows_it_in_its_context(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 300)
    ann = visit(permissions=["clipboard-read", "clipboard-write"])
    ann.join(room.link(), "Ann")
    ann.sees("message 299")
    kept = "Object.entries(sessionStorage).find(([key]) => key.endsWith(':membership'))[1]"
    token = ann.page.evaluate(f"JSON.parse({kept}).sessionToken")
    page: Any = Rest(live.server.port).call("GET", f"/api/rooms/{room.id}/messages?after=9&limit=1", token=token).body
    wanted = page["messages"][0]
    ann.page.goto(f"{live.url}/r/{room.id}#message={wanted['id']}")
    expect(ann.page.locator(f'[data-key="{wanted["id"]}"]')).to_be_focused()
    expect(ann.page.locator(f'[data-key="{wanted["id"]}"]')).to_be_in_viewport()
    assert ann.page.url == f"{live.url}/r/{room.id}"


@pytest.mark.sabotage("view/message.mjs", "if (OPENING.has(event.key)) menu();", "if (false) menu();")
def test_17_actions_can_be_reached_by_mouse_keyboard_and_finger(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, tom = visit(), visit(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 740})
    ann.join(room.link(), "Ann")
    tom.join(room.link(), "Tom")
    ann.say("hello")
    tom.sees("hello")
    ann.message("hello").hover()
    ann.page.get_by_role("button", name="Reply").first.click()
    ann.say("answered")
    ann.sees("answered")
    ann.message("answered").focus()
    ann.page.keyboard.press("ArrowUp")
    expect(ann.page.locator("article").first).to_be_focused()
    for key in ("Enter", "ContextMenu"):
        ann.page.keyboard.press(key)
        expect(ann.page.get_by_role("dialog").get_by_role("button", name="Delete")).to_be_visible()
        ann.page.keyboard.press("Escape")
        expect(ann.page.locator("article").first).to_be_focused()
    ann.do("answered", "Reply")
    expect(ann.page.locator("#composer")).to_be_focused()
    box = tom.page.locator("article").first.bounding_box()
    assert box is not None
    session = tom.context.new_cdp_session(tom.page)
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": box["x"] + 80, "y": box["y"] + 20}]}
    )
    # No finger is ever still.
    tom.page.locator("article").first.dispatch_event(
        "pointermove", {"pointerType": "touch", "clientX": box["x"] + 83, "clientY": box["y"] + 18, "bubbles": True}
    )
    expect(tom.page.get_by_role("dialog").get_by_role("button", name="Reply")).to_be_visible()
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.sabotage(
    "view/message.mjs", 'if (isGone(wire)) return html`<p class="quiet">', "if (false) return html`<p>"
)
def test_18_edited_deleted_and_held_can_be_seen(live: Live, visit: Visit) -> None:
    room = live.room(settings={"moderation": {"preset": "careful"}})
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    mona.say("to be changed")
    ann.sees("to be changed")
    mona.page.locator("#composer").press("ArrowUp")
    mona.page.locator("#composer").fill("changed")
    mona.page.keyboard.press("Enter")
    expect(ann.message("changed").get_by_text("edited")).to_be_visible()
    mona.do("changed", "Delete")
    mona.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    ann.sees("This message was deleted.")
    ann.say("of a newcomer")
    expect(ann.page.get_by_text("waits for a moderator")).to_be_visible()
    assert mona.page.locator("article").filter(has_text="of a newcomer").count() == 0


@pytest.mark.sabotage("state/comings.mjs", "last?.after === after", "false")
def test_19_who_comes_and_goes_is_told_together(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("alone")
    ann.sees("alone")
    for name in ("Bob", "Cleo"):
        visit().join(room.link(), name)
    expect(ann.page.locator(".comings")).to_have_count(1)
    expect(ann.page.locator(".comings")).to_contain_text("Bob, Cleo came.")
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("Show who comes and goes").uncheck()
    expect(ann.page.locator(".comings")).to_have_count(0)


@pytest.mark.sabotage("state/comings.mjs", " && data.total <= CROWD", "")
def test_19_in_a_large_room_nobody_is_told_who_comes(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")

    ann.say("alone")
    ann.sees("alone")

    async def crowd() -> None:
        opened = room.opened
        async with contextlib.AsyncExitStack() as there:
            for number in range(30):
                await there.enter_async_context(opened.enter(f"Guest {number}"))
            last = await there.enter_async_context(opened.enter("Zoe"))
            await last.say("hello")

    live.run(crowd())
    ann.sees("hello")
    told = ann.page.locator(".comings")
    expect(told.first).to_contain_text("and 24 others came")  # with Ann thirty; of the last two nobody is told
