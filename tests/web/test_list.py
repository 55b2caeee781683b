"""Reading: points 12 to 20."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from anonchat.people import attendance
from anonchat.testing.clients import Rest

if TYPE_CHECKING:
    from tests.web.conftest import Live, Room, Visit

BOX = "document.querySelector('.list')"
# The first message of which something is seen, and how far below the upper edge of the list it begins.
FIRST_IN_SIGHT = f"""() => {{ const top = {BOX}.getBoundingClientRect().top;
    const row = [...document.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > top + 1);
    return [row.dataset.key, row.getBoundingClientRect().top - top]; }}"""


def fill(live: Live, room: Room, count: int, name: str = "Talker") -> None:
    """Messages of somebody who is not there any more, over a socket of their own."""

    async def talk() -> None:
        async with room.opened.enter(name, moderator=True) as talker:
            sent = [{"text": f"message {index}", "clientMsgId": f"c{index}"} for index in range(count)]
            ids = [await talker.send("send_message", data) for data in sent]
            await talker.answer(ids[-1])

    live.run(talk())


def delete_newest(live: Live, room: Room) -> None:
    """Delete the newest message, as a moderator who comes for that."""

    async def act() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            newest = (await mona.ask("get_history", {"limit": 1})).data["messages"][0]
            assert (await mona.ask("delete_message", {"messageId": newest["id"]})).event != "error"

    live.run(act())


# Where the text of the only message is, within that, and how high it is.
PLACE_OF_TEXT = """() => {
    const article = document.querySelector("article");
    const text = document.createRange();
    text.selectNode(document.createTreeWalker(article.querySelector(".rich"), NodeFilter.SHOW_TEXT).nextNode());
    const [{ left, top }, frame] = [text.getBoundingClientRect(), article.getBoundingClientRect()];
    return [left - frame.left, top - frame.top, frame.height].map(Math.round); }"""


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


@pytest.mark.sabotage("client.css", "p.waiting {", ".waiting {")
def test_12_what_waits_stands_where_it_will_stand(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.join(live.room().link(), "Ann")
    ann.page.get_by_text("Nothing is said yet").wait_for()
    ann.cut()
    ann.say("soon")
    ann.page.locator("article.waiting").wait_for()
    before = ann.page.evaluate(PLACE_OF_TEXT)
    ann.mend()
    ann.sees("soon")
    assert ann.page.evaluate(PLACE_OF_TEXT) == before


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


@pytest.mark.sabotage("protocol/outbox.mjs", "isOrphaned(item) ? undefined : item.replyToId", "item.replyToId")
def test_12_an_answer_to_what_was_deleted_meanwhile_can_be_sent_by_itself(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    bob.say("soup?")
    ann.sees("soup?")
    ann.do("soup?", "Reply")
    expect(ann.page.get_by_text("Answer to Bob")).to_be_visible()
    ann.cut()
    expect(ann.page.get_by_text("Offline.")).to_be_visible()
    ann.say("yes")
    delete_newest(live, room)
    ann.mend()
    failed = ann.page.locator("article.failed")
    expect(failed).to_contain_text("What you answer was deleted.")
    failed.get_by_role("button", name="Try again").click()
    ann.sees("yes")
    expect(failed).to_have_count(0)


@pytest.mark.sabotage("session.mjs", "if (wire === undefined || isGone(wire)) this.reply.value = null;", "")
def test_12_what_is_deleted_is_not_answered_any_more(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    bob.say("soup?")
    ann.sees("soup?")
    ann.do("soup?", "Reply")
    answering = ann.page.get_by_text("Answer to Bob")
    expect(answering).to_be_visible()
    delete_newest(live, room)
    expect(answering).to_have_count(0)
    ann.say("by itself")
    ann.sees("by itself")
    assert ann.page.locator(".answered").count() == 0


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


@pytest.mark.sabotage("view/conversation.mjs", "if (anchor === null) box.", "if (true) box.")
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
    "view/conversation.mjs", "new ResizeObserver(() => stay.current());", "new ResizeObserver(() => {});"
)
def test_14_what_one_reads_stays_in_sight_when_the_window_changes(live: Live, visit: Visit) -> None:
    room = live.room()

    async def talk() -> None:
        async with room.opened.enter("Talker", moderator=True) as talker:
            for index in range(40):
                await talker.say(f"message {index} " + "with so many words that it wraps in a narrow window " * 3)

    live.run(talk())
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.sees("message 39")
    ann.page.evaluate(f"{BOX}.scrollTop = 900")
    ann.page.wait_for_timeout(100)
    before = ann.page.evaluate(FIRST_IN_SIGHT)
    for width in (380, 1024):
        ann.page.set_viewport_size({"width": width, "height": 720})
        ann.page.wait_for_timeout(200)
        after = ann.page.evaluate(FIRST_IN_SIGHT)
        assert after[0] == before[0]
        assert abs(after[1] - before[1]) < 4


@pytest.mark.sabotage("view/conversation.mjs", "box.scrollHeight <= box.clientHeight", "false")
def test_16_older_messages_come_where_the_newest_leave_room(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 70)
    ann = visit(viewport={"width": 1024, "height": 4_000})
    ann.join(room.link(), "Ann")
    ann.sees("message 69")
    expect(ann.page.get_by_text("message 0", exact=True)).to_be_visible()


@pytest.mark.sabotage("view/conversation.mjs", "if (ids.some((id) => !known.current.includes(id))) show();", "show();")
def test_14_what_is_decided_of_own_messages_moves_nobody_who_reads_further_up(live: Live, visit: Visit) -> None:
    room = live.room(settings={"moderation": {"preset": "careful"}})
    fill(live, room, 60)
    ann = visit()
    ann.join(room.link(), "Ann")
    for text in ("held and dropped", "held"):
        ann.say(text)
    held = ann.page.locator("article.held")
    expect(held).to_have_count(2)
    ann.page.evaluate(f"{BOX}.scrollTop = 700")
    ann.page.get_by_role("button", name="To the newest").wait_for()
    top = ann.page.evaluate(f"{BOX}.scrollTop")

    async def drop() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            first = (await mona.ask("get_held_messages")).data["messages"][0]
            await mona.ask("drop_message", {"messageId": first["message"]["id"]})

    live.run(drop())
    expect(held).to_have_count(1)
    ann.page.wait_for_timeout(100)
    assert abs(ann.page.evaluate(f"{BOX}.scrollTop") - top) < 3
    ann.say("at the end")
    expect(ann.page.get_by_text("at the end")).to_be_in_viewport()


@pytest.mark.sabotage(
    "view/conversation.mjs", "if (!box.isConnected) return;", "if (element.current.scrollTop < 0) return;"
)
def test_14_a_scroll_that_is_told_after_the_room_was_left_does_no_harm(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    box = ann.page.locator(".list").element_handle()
    ann.page.get_by_role("button", name="About this room", exact=True).click()
    ann.press("leave.forget")
    ann.press("leave.forget")
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


@pytest.mark.sabotage("session.mjs", "await this.#reach(() => this.#reaches(line))", "true")
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


@pytest.mark.sabotage("session.mjs", "while (!isThere() && hasOlder(this.state.messages))", "while (false)")
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


@pytest.mark.sabotage("view/conversation.mjs", "scroll.element.current.focus({ preventScroll: true });", "")
def test_30_the_way_to_the_newest_leaves_the_focus_in_the_list(live: Live, visit: Visit) -> None:
    room = live.room()
    fill(live, room, 60)
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.sees("message 59")
    ann.page.evaluate(f"{BOX}.scrollTop = 700")
    ann.page.get_by_role("button", name="To the newest").press("Enter")
    expect(ann.page.get_by_role("log")).to_be_focused()


@pytest.mark.sabotage("view/conversation.mjs", "session.wanted.value = null;", "")
def test_16_a_message_that_was_shown_takes_the_focus_once(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.page.goto(live.url)
    ann.page.get_by_label("Link or code").fill(live.room().link())
    ann.page.get_by_role("button", name="Continue").click()
    ann.page.get_by_label("Your name in this room").fill("Ann")
    ann.page.keyboard.press("Enter")
    for text in ("question", "answer"):
        ann.say(text)
        ann.sees(text)
        ann.message("question").focus()
        ann.page.keyboard.press("r")
    ann.page.locator(".answered").click()
    expect(ann.message("question")).to_be_focused()
    ann.page.go_back()
    ann.page.get_by_role("heading", name="Talk, then let it go.").wait_for()
    ann.page.go_forward()
    ann.sees("answer")
    ann.page.wait_for_timeout(300)
    expect(ann.message("question")).not_to_be_focused()


@pytest.mark.server(limits={"events_per_session": "3/1 second"})
@pytest.mark.sabotage("session.mjs", 'if (error.code !== "rate_limited") throw error;', "throw error;")
def test_16_a_jump_far_back_waits_where_the_server_tells_no_more_at_once(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    fill(live, room, 1, "Early")
    ann.sees("message 0")
    first = ann.page.locator("article").get_attribute("data-key")
    ann.page.goto(f"{live.url}/privacy")
    fill(live, room, 1_000)
    ann.page.goto(f"{live.url}/r/{room.id}#message={first}")
    looking = ann.page.get_by_text("Looking for the message")
    expect(looking).to_be_visible()
    expect(ann.page.locator(f'[data-key="{first}"]')).to_be_focused(timeout=20_000)
    expect(looking).to_have_count(0)


@pytest.mark.sabotage("session.mjs", 'isGone ? "message_not_found" : "too_far_back"', "null")
def test_16_a_link_to_a_message_that_is_gone_says_so(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.page.goto(f"{live.url}/r/{room.id}#message=gone")
    expect(ann.page.get_by_text("This message is not there any more.")).to_be_visible()


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


@pytest.mark.sabotage("view/people.mjs", 'isWhole ? "" : sought', 'true ? "" : sought')
def test_in_a_crowd_people_are_found_of_whom_the_page_knows_nothing(
    live: Live, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "STATE", 5)
    room = live.room()
    mona = visit()
    with room.people(*(f"Guest {number}" for number in range(15))):
        mona.join(room.link(moderator=True), "Mona")
        mona.page.get_by_role("button", name="People: 16").click()
        people, search = mona.page.locator(".people li"), mona.page.get_by_role("searchbox", name="Search for a name")
        expect(mona.page.get_by_text("and 11 more")).to_be_visible()
        search.fill("guest 14")
        expect(people).to_have_count(1)
        people.click()
        expect(
            mona.page.get_by_role("dialog", name="Guest 14").get_by_role("button", name="Mute", exact=True)
        ).to_be_visible()
        mona.page.keyboard.press("Escape")
        search.fill("nobody")
        expect(mona.page.get_by_text("Nobody here is called that.")).to_be_visible()
        expect(people).to_have_count(0)
