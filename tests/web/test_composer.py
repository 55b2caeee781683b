"""Writing: points 5 to 11."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.web.test_list import delete_newest

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit


@pytest.mark.sabotage("view/composer.mjs", "&& !event.shiftKey", "")
def test_05_enter_sends_and_shift_enter_breaks_the_line(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    composer = ann.page.locator("#composer")
    composer.fill("one")
    composer.press("Shift+Enter")
    composer.press_sequentially("two")
    composer.press("Enter")
    ann.sees("one\ntwo")
    assert composer.input_value() == ""
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("Enter sends").uncheck()
    ann.page.keyboard.press("Escape")
    composer.fill("three")
    composer.press("Enter")
    assert composer.input_value() == "three\n"
    composer.press("Control+Enter")
    ann.sees("three")


@pytest.mark.sabotage("view/composer.mjs", "(enterSends && !isTouch())", "enterSends")
def test_05_on_touch_keyboards_a_button_sends(live: Live, visit: Visit) -> None:
    ann = visit(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 740})
    ann.join(live.room().link(), "Ann")
    composer = ann.page.locator("#composer")
    composer.fill("one")
    composer.press("Enter")
    assert composer.input_value() == "one\n"
    ann.page.get_by_role("button", name="Send").tap()
    ann.sees("one")


@pytest.mark.sabotage("view/composer.mjs", "if (event.isComposing || event.keyCode === 229) return;", "")
def test_06_nothing_is_sent_while_an_input_method_composes(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.page.locator("#composer").fill("にほん")
    for how in ("isComposing: true", "keyCode: 229"):
        pressed = f"new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, {how}}})"
        ann.page.evaluate(f"document.getElementById('composer').dispatchEvent({pressed})")
    assert ann.page.locator("#composer").input_value() == "にほん"
    assert ann.page.locator("article").count() == 0


@pytest.mark.sabotage("view/composer.mjs", "field.current.style.height = `${field.current.scrollHeight}px`;", "")
def test_07_the_field_grows_and_then_scrolls_and_counts_near_the_limit(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    composer = ann.page.locator("#composer")
    heights = []
    for lines in (1, 5, 200):
        composer.fill("\n".join(["line"] * lines))
        heights.append(composer.evaluate("(field) => [field.clientHeight, field.scrollHeight]"))
    assert heights[1][0] > heights[0][0] + 50
    assert heights[2][0] < 300 < heights[2][1]
    composer.fill("x" * 3_990)
    expect(ann.page.get_by_text("10 characters left")).to_be_visible()
    composer.fill("x" * 4_001)
    expect(ann.page.get_by_text("1 character too many")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Send")).to_be_disabled()


@pytest.mark.sabotage("view/composer.mjs", 'session.drawer.set("draft", changed || undefined);', "")
def test_08_the_draft_survives_a_reload(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.page.locator("#composer").fill("half a thou")
    ann.page.reload()
    expect(ann.page.locator("#composer")).to_have_value("half a thou")


@pytest.mark.sabotage("protocol/outbox.mjs", "this.#drawer.set(KEY, items);", "")
def test_08_what_was_sent_while_the_server_was_away_survives_a_reload(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.join(live.room().link(), "Ann")
    ann.cut()
    ann.say("typed offline")
    expect(ann.page.locator("article.waiting")).to_have_count(1)
    ann.mend()
    ann.page.reload()
    ann.page.locator("article:not(.waiting)").filter(has_text="typed offline").wait_for()
    expect(ann.page.locator("article")).to_have_count(1)


@pytest.mark.sabotage("view/composer.mjs", 'session.drawer.set("editing", wanted);', "session.forget(wanted);")
def test_08_a_change_of_a_message_survives_a_reload_until_the_server_has_it(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.carry()
    ann.join(live.room().link(), "Ann")
    ann.say("fist")
    ann.sees("fist")
    field = ann.page.locator("#composer")
    ann.do("fist", "Edit")
    expect(field).to_have_value("fist")
    field.fill("first try")
    ann.page.reload()
    expect(field).to_have_value("first try")
    ann.cut()
    ann.say("first")
    expect(field).to_have_value("")
    ann.page.reload()
    expect(field).to_have_value("first")
    expect(ann.page.get_by_text("Changing your message")).to_be_visible()
    ann.mend()
    field.press("Enter")
    ann.sees("first")
    expect(field).to_have_value("")
    ann.page.reload()
    ann.sees("first")
    expect(field).to_have_value("")
    ann.do("first", "Edit")
    expect(field).to_have_value("first")
    field.fill("not wanted")
    field.press("Escape")
    ann.page.reload()
    expect(field).to_have_value("")


@pytest.mark.sabotage("view/composer.mjs", 'event.key === "ArrowUp" && text.value === ""', "false")
def test_09_up_changes_the_last_own_message_and_escape_cancels(live: Live, visit: Visit) -> None:
    ann, bob = visit(), visit()
    room = live.room()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.say("helo")
    bob.sees("helo")
    bob.say("hi")
    ann.sees("hi")
    composer = ann.page.locator("#composer")
    composer.press("ArrowUp")
    expect(composer).to_have_value("helo")
    composer.press("Escape")
    expect(composer).to_have_value("")
    composer.press("ArrowUp")
    composer.fill("hello")
    composer.press("Enter")
    bob.sees("hello")
    expect(bob.message("hello").get_by_text("edited")).to_be_visible()


@pytest.mark.sabotage("view/composer.mjs", 'session.editing.value === null && text.value === "";', "true;")
def test_09_a_refused_change_leaves_what_is_written_meanwhile(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.carry()
    ann.join(room.link(), "Ann")
    ann.say("helo")
    ann.sees("helo")
    composer = ann.page.locator("#composer")
    composer.press("ArrowUp")
    composer.fill("hello")
    ann.cut()
    expect(ann.page.get_by_text("Offline.")).to_be_visible()
    composer.press("Enter")
    composer.press_sequentially("another")
    delete_newest(live, room)
    ann.mend()
    expect(ann.page.get_by_text("Your message was not changed to: hello")).to_be_visible()
    expect(ann.page.get_by_role("alert")).to_have_text("This message is not there any more.")
    ann.has_no_barrier()
    expect(composer).to_have_value("another")
    ann.page.get_by_role("button", name="Edit", exact=True).click()
    expect(composer).to_have_value("hello")
    composer.press("Enter")
    expect(composer).to_have_value("another")
    composer.press("Enter")
    ann.sees("another")


@pytest.mark.sabotage("view/suggestions.mjs", "Tab: () => take(at.value),", "")
def test_10_people_emoji_and_commands_are_completed(live: Live, visit: Visit) -> None:
    ann, bob = visit(), visit()
    room = live.room()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob Brown")
    expect(ann.page.get_by_role("button", name="People")).to_contain_text("2")
    composer = ann.page.locator("#composer")
    composer.press_sequentially("hi @bo")
    option = ann.page.get_by_role("option")
    expect(option).to_have_text("Bob Brown")
    assert composer.get_attribute("aria-activedescendant") == option.get_attribute("id")
    composer.press("Tab")
    composer.press_sequentially(":thumbs")
    expect(option).to_have_count(2)
    composer.press("ArrowDown")
    composer.press("ArrowUp")
    composer.press("Enter")
    expect(composer).to_have_value("hi @Bob Brown 👍 ")
    composer.press("Enter")
    bob.sees("hi @Bob Brown 👍")
    composer.press_sequentially("/peo")
    composer.press("Tab")
    composer.press("Enter")
    expect(ann.page.get_by_role("complementary")).to_be_visible()
    composer.press_sequentially("@b")
    composer.press("Escape")
    expect(option).to_have_count(0)


@pytest.mark.sabotage("view/emoji.mjs", "setTimeout(() => insert(sign));", "")
def test_10_emoji_can_be_chosen_and_go_where_one_was_writing(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    composer = ann.page.locator("#composer")
    composer.fill("so good")
    composer.evaluate("(field) => field.setSelectionRange(2, 2)")
    ann.page.get_by_role("button", name="Emoji").click()
    ann.has_no_barrier()
    ann.page.get_by_role("button", name="🎉").click()
    expect(composer).to_have_value("so🎉 good")
    expect(composer).to_be_focused()
    composer.press_sequentially("!")
    expect(composer).to_have_value("so🎉! good")


@pytest.mark.sabotage("view/composer.mjs", "&& wait === 0", "")
def test_11_in_slow_mode_the_button_counts_down_and_the_text_stays(live: Live, visit: Visit) -> None:
    room = live.room(settings={"moderation": {"preset": "strict"}})
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("first")
    ann.say("second")
    counting = ann.page.get_by_role("button", name="Wait")
    expect(counting).to_be_disabled()
    ann.page.locator("#composer").fill("third")
    ann.page.keyboard.press("Enter")
    expect(ann.page.locator("#composer")).to_have_value("third")


@pytest.mark.sabotage("view/composer.mjs", "if (session.editing.value !== null) return 0;", "")
def test_11_in_slow_mode_a_message_can_be_changed_meanwhile(live: Live, visit: Visit) -> None:
    room = live.room()

    async def slow_down() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            await mona.ask("set_moderation", {"slowModeSeconds": 600})

    live.run(slow_down())
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("frist")
    ann.sees("frist")
    ann.say("second")
    counting = ann.page.get_by_role("button", name="Wait")
    expect(counting).to_be_disabled()
    ann.page.locator("#composer").press("ArrowUp")
    expect(ann.page.locator("#composer")).to_have_value("frist")
    ann.page.locator("#composer").fill("first")
    ann.page.keyboard.press("Enter")
    expect(ann.message("first").get_by_text("edited")).to_be_visible()
    expect(counting).to_have_text(re.compile(r"^(5[5-9]\d|60[01])$"))
