"""What plugins add: cards of polls (point 32), pins, notifications (26 to 28), the moderators' tools, and dice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

# What a system's notifications would be: counted, and answered as the browser was told to.
COUNTED = """window.called = []; window.asked = 0;
window.Notification = class {
    static permission = "default";
    static async requestPermission() { window.asked += 1; return (this.permission = "granted"); }
    constructor(title, options) { window.called.push([title, options.tag]); }
};"""
AWAY = "document.hasFocus = () => false; dispatchEvent(new Event('blur'))"


@pytest.mark.sabotage(
    "polls/anonchat_polls/static/card.mjs", "const isOver = poll.closedAt !== null ||", "const isOver ="
)
def test_32_a_poll_is_made_voted_in_and_closed(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    expect(ann.page.get_by_role("button", name="Make a poll")).to_have_count(0)
    mona.page.get_by_role("button", name="Make a poll").click()
    mona.page.get_by_label("Question").fill("Soup?")
    mona.page.get_by_label("Answers, one a line").fill("Yes\nNo")
    mona.has_no_barrier()
    mona.page.get_by_role("button", name="Ask").click()
    card = ann.page.get_by_role("group", name="Soup?")
    expect(ann.page.get_by_text("Open: everybody in the room sees who voted what.")).to_be_visible()
    card.get_by_label("Yes").check()
    ann.page.get_by_role("button", name="Vote").click()
    expect(card).to_contain_text("1 vote")
    expect(ann.page.get_by_text("1 person has voted")).to_be_visible()
    expect(mona.page.get_by_role("group", name="Soup?")).to_contain_text("1 vote")
    card.get_by_label("No").check()
    ann.page.get_by_role("button", name="Change my vote").click()
    expect(card.locator(".poll-option").last).to_contain_text("1 vote")
    ann.has_no_barrier()
    ann.page.reload()
    expect(ann.page.get_by_role("group", name="Soup?").get_by_label("No")).to_be_checked()
    mona.page.get_by_role("button", name="Close the poll").click()
    expect(ann.page.get_by_role("group", name="Soup?")).to_have_attribute("disabled", "")


@pytest.mark.sabotage(
    "polls/anonchat_polls/static/card.mjs",
    "const isFinal = isOver || (isSecret && poll.voted);",
    "const isFinal = isOver;",
)
def test_32_a_secret_poll_shows_nothing_before_its_close(live: Live, visit: Visit) -> None:
    room = live.room()
    mona = visit()
    mona.join(room.link(moderator=True), "Mona")
    expect(mona.page.get_by_role("button", name="Make a poll")).to_be_visible()
    mona.page.locator("#composer").press_sequentially("/poll ")
    mona.page.keyboard.press("Enter")
    mona.page.get_by_label("Question").fill("Who?")
    mona.page.get_by_label("Answers, one a line").fill("Ann\nBob")
    mona.page.get_by_role("radio", name="Secret").check()
    mona.page.get_by_role("button", name="Ask").click()
    card = mona.page.get_by_role("group", name="Who?")
    card.get_by_label("Ann").check()
    mona.page.get_by_role("button", name="Vote").click()
    expect(mona.page.get_by_text("you have voted")).to_be_visible()
    expect(card).to_have_attribute("disabled", "")
    assert "vote" not in card.inner_text()


@pytest.mark.sabotage("pins/anonchat_pins/static/pins.mjs", "onClick=${() => room().show(id)}", "")
def test_pins_stand_above_the_conversation_and_lead_to_their_message(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    ann.say("the address is 5 River Road")
    mona.sees("River Road")
    mona.do("River Road", "Pin")
    bar = ann.page.get_by_role("region", name="Pinned messages")
    expect(bar).to_contain_text("River Road")
    expect(ann.message("River Road").get_by_text("pinned")).to_be_visible()
    bar.get_by_role("button").first.click()
    expect(ann.page.locator("article").first).to_be_focused()
    ann.has_no_barrier()
    mona.do("River Road", "Unpin")
    expect(bar).to_have_count(0)


@pytest.mark.sabotage(
    "notifications/anonchat_notifications/static/calls.mjs",
    'if (concerns || !isAway() || wishes().get("wanted") !== "all") return;',
    "if (!isAway()) return;",
)
def test_26_27_notifications_are_asked_for_by_a_click_and_come_once(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.context.add_init_script(COUNTED)
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    assert ann.page.evaluate("window.asked") == 0
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_role("button", name="Allow").click()
    assert ann.page.evaluate("window.asked") == 1
    assert not ann.page.get_by_label("Play a sound").is_checked()  # 28
    ann.page.keyboard.press("Escape")
    bob.say("hello @Ann while you look")
    ann.sees("while you look")
    ann.page.evaluate(AWAY)
    bob.say("nothing for you")
    bob.say("hello @Ann")
    expect(ann.page.get_by_role("button", name="What concerns you: 2")).to_be_visible()
    ann.page.wait_for_function("window.called.length > 0")  # tabs agree first on which of them calls
    assert [title for title, _ in ann.page.evaluate("window.called")] == ["Bob mentions you"]
    ann.page.get_by_role("button", name="What concerns you").click()
    ann.has_no_barrier()
    ann.page.get_by_role("button", name="Mark all as read").click()
    expect(ann.page.get_by_text("There is nothing new for you.")).to_be_visible()


@pytest.mark.sabotage(
    "notifications/anonchat_notifications/static/tabs.mjs", "claimed(free !== null);", "claimed(true);"
)
def test_27_of_several_tabs_one_calls_and_none_while_somebody_looks(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.context.add_init_script(COUNTED)
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("Keep on this device").check()
    ann.page.keyboard.press("Escape")
    tabs = [ann.page, *(ann.context.new_page() for _ in range(2))]
    for tab in tabs[1:]:
        tab.goto(f"{live.url}/r/{room.id}")
        tab.locator("#composer").wait_for()
    for tab in tabs:
        tab.evaluate("Notification.permission = 'granted'")
        tab.evaluate(AWAY)
    tabs[0].evaluate("document.hasFocus = () => true; dispatchEvent(new Event('focus'))")
    bob.say("hello @Ann, you look")
    for tab in tabs[1:]:
        expect(tab.get_by_role("button", name="What concerns you: 1")).to_be_visible()
    tabs[0].evaluate(AWAY)
    bob.say("hello @Ann, where are you?")
    for tab in tabs:
        expect(tab.get_by_role("button", name="What concerns you: 2")).to_be_visible()
    tabs[0].wait_for_function("navigator.locks.query().then(({held}) => held.length > 0)")
    called = [text for tab in tabs for _, text in tab.evaluate("window.called")]
    assert len(called) == 1


@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/asked.mjs",
    'purgeMessages: form.has("purge")',
    "purgeMessages: false",
)
def test_moderators_act_where_the_eye_is_and_are_asked_first(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann, bob = visit(), visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.say("rude words")
    bob.sees("rude words")
    bob.do("rude words", "Report")
    bob.page.get_by_label("Reason").fill("It is rude")
    bob.page.get_by_role("dialog").get_by_role("button", name="Report").click()
    mona.page.get_by_role("button", name="Moderation: 1").click()
    expect(mona.page.get_by_text("It is rude")).to_be_visible()
    mona.has_no_barrier()
    mona.page.get_by_role("button", name="Done").click()
    mona.page.get_by_label("Slow mode").select_option("10")
    mona.page.get_by_role("button", name="Panic").click()
    expect(bob.page.get_by_text("The moderators have stopped a raid")).to_be_visible()
    bob.say("held in the panic")
    expect(mona.page.get_by_text("held in the panic")).to_be_visible()
    mona.page.get_by_role("button", name="Show", exact=True).last.click()
    mona.sees("held in the panic")
    bob.say("dropped after the panic")
    expect(mona.page.get_by_text("dropped after the panic")).to_be_visible()
    mona.page.get_by_role("button", name="Calm").click()
    mona.page.get_by_role("button", name="Drop them").click()
    expect(mona.page.get_by_text("dropped after the panic")).to_have_count(0)
    mona.page.get_by_role("button", name="People").click()
    mona.page.get_by_role("button", name="Ann").click()
    mona.page.get_by_role("dialog").get_by_role("button", name="Mute", exact=True).click()
    mona.page.get_by_role("dialog").get_by_role("combobox").select_option("3600")
    mona.has_no_barrier()
    mona.page.get_by_role("dialog").get_by_role("button", name="Mute", exact=True).click()
    expect(ann.page.get_by_text(re.compile("You are muted for (60 minutes|1 hour)"))).to_be_visible()
    mona.do("rude words", "Ban")
    mona.page.get_by_role("dialog").get_by_role("button", name="Ban").click()
    expect(ann.page.get_by_role("heading", name="You are banned from this room")).to_be_visible()
    expect(bob.page.locator("article").filter(has_text="rude words")).to_have_count(0)
    bob.page.get_by_role("button", name="Moderation").click()
    expect(bob.page.get_by_text("Somebody was banned")).to_be_visible()


@pytest.mark.sabotage("moderation/anonchat_moderation/static/rules.mjs", "return lines(form.get(name));", "return [];")
def test_moderators_set_single_rules(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    mona.page.get_by_role("button", name="Moderation").click()
    mona.page.get_by_role("button", name="Rules in detail").click()
    words = mona.page.get_by_role("group", name="Unwanted words")
    words.get_by_role("textbox").fill("broccoli\n kale* \n")
    links = mona.page.get_by_role("group", name="Links")
    links.get_by_label("Such a message is").select_option("refuse")
    links.get_by_role("textbox").fill("example.org")
    mona.has_no_barrier()
    mona.page.get_by_role("button", name="Save").click()
    expect(mona.page.get_by_role("dialog")).to_have_count(0)
    for text in ("I hate broccoli", "https://example.com/x"):
        ann.say(text)
        expect(ann.page.locator("article.failed").filter(has_text=text)).to_be_visible()
    ann.say("https://example.org/menu")
    mona.sees("example.org/menu")
    mona.page.get_by_role("button", name="Rules in detail").click()
    expect(words.get_by_role("textbox")).to_have_value("broccoli\nkale*")
    words.get_by_role("textbox").fill("a*")
    mona.page.get_by_role("button", name="Save").click()
    expect(mona.page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Give at least 3 letters")


@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/link.mjs", 'request("rotate_moderator_token")', 'request("get_moderation")'
)
def test_a_leaked_link_of_the_moderators_is_renewed(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, thief = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Moderation").click()
    mona.page.get_by_role("button", name="New moderators").click()
    mona.page.get_by_role("dialog").get_by_role("button", name="New moderators").click()
    new = mona.page.get_by_role("textbox", name="The link of the moderators")
    expect(new).not_to_have_value("")
    link = new.input_value()
    assert room.moderator not in link
    mona.has_no_barrier()
    thief.page.goto(room.link(moderator=True))
    thief.page.get_by_role("button", name="Join").click()
    expect(thief.page.get_by_text("This invite is not valid")).to_be_visible()
    thief.join(link, "Second")
    expect(thief.page.get_by_role("button", name="Moderation")).to_be_visible()


@pytest.mark.without_plugins
@pytest.mark.sabotage(
    "client.mjs",
    '[...document.querySelectorAll("meta[name=plugin]")];',
    '[{ content: "/static/polls/polls.mjs", dataset: { owner: "polls" } }];',
)
def test_without_plugins_nothing_of_them_loads_and_no_hole_is_seen(live: Live, visit: Visit) -> None:
    mona = visit()
    asked: list[str] = []
    mona.page.on("request", lambda request: asked.append(request.url))
    mona.join(live.room().link(moderator=True), "Mona")
    assert [url for url in asked if "/static/" in url and "/static/anonchat/" not in url] == []
    assert mona.page.locator(".tools button:visible").count() == 4
    mona.say("hello")
    mona.sees("hello")


@pytest.mark.dice
@pytest.mark.sabotage("anonchat-dice/anonchat_dice/static/dice.mjs", "content.dice !== undefined", "false")
def test_the_example_rolls_dice(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.page.get_by_role("button", name="Roll two dice").click()
    expect(bob.page.locator("article").get_by_text("in all")).to_be_visible()
    bob.has_no_barrier()
