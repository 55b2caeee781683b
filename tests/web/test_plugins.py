"""What plugins add: cards of polls (point 32), pins, notifications (26 to 28), the moderators' tools, and dice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from anonchat_moderation.content import held
from tests.web.visitors import becomes_true

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

# What a system's notifications would be: counted, and answered as the browser was told to.
COUNTED = """window.called = []; window.asked = 0;
window.Notification = class {
    static permission = "default";
    static async requestPermission() { window.asked += 1; return (this.permission = "granted"); }
    constructor(title, options) {
        if (Notification.permission === "granted") window.called.push([title, options.tag]);
        window.last = this;
    }
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


ASKING = """if (isBusy.value) return;
      isBusy.value = true;
      const data = asked(new FormData(event.target));
      const text = JSON.stringify(data);
      if (sent.current.text !== text)"""


@pytest.mark.sabotage(
    "polls/anonchat_polls/static/maker.mjs",
    ASKING,
    "const [data, text] = [asked(new FormData(event.target)), null];\n      if (true)",
)
def test_32_a_double_click_makes_one_poll(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.join(live.room().link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Make a poll").click()
    mona.page.get_by_label("Question").fill("Soup?")
    mona.page.get_by_label("Answers, one a line").fill("Yes\nNo")
    mona.page.get_by_role("button", name="Ask").evaluate("(button) => { button.click(); button.click(); }")
    mona.page.get_by_role("group", name="Soup?").first.wait_for()
    mona.say("afterwards")
    mona.sees("afterwards")
    expect(mona.page.get_by_role("group", name="Soup?")).to_have_count(1)


@pytest.mark.sabotage("polls/anonchat_polls/static/maker.mjs", "if (sent.current.text !== text)", "if (true)")
def test_32_a_poll_whose_answer_was_lost_is_made_once(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.carry()
    mona.join(live.room().link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Make a poll").click()
    mona.page.get_by_label("Question").fill("Soup?")
    mona.page.get_by_label("Answers, one a line").fill("Yes\nNo")
    mona.lose("poll_created")
    mona.page.get_by_role("button", name="Ask").click()
    card = mona.page.locator(".poll")  # behind the dialog
    card.wait_for()
    mona.cut()
    expect(mona.page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    mona.mend()
    mona.page.get_by_role("button", name="Ask").click()
    expect(mona.page.get_by_role("dialog")).to_have_count(0)
    expect(card).to_have_count(1)


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


@pytest.mark.sabotage("polls/anonchat_polls/static/card.mjs", "if (isTaken && chosen.value === picked)", "if (true)")
def test_32_a_choice_that_was_refused_stays_and_no_vote_goes_twice(live: Live, visit: Visit) -> None:
    room = live.room()
    mona = visit()
    mona.carry()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Make a poll").click()
    mona.page.get_by_label("Question").fill("Who?")
    mona.page.get_by_label("Answers, one a line").fill("Ann\nBob")
    mona.page.get_by_role("radio", name="Secret").check()
    mona.page.get_by_role("button", name="Ask").click()
    card = mona.page.get_by_role("group", name="Who?")
    card.get_by_label("Bob").check()
    mona.alter(lambda frame: frame.replace('"event":"vote_pending"', '"event":"error"'))
    mona.page.get_by_role("button", name="Vote").dblclick()
    expect(mona.page.locator(".refusal")).to_be_visible()
    expect(card.get_by_label("Bob")).to_be_checked()
    expect(mona.page.get_by_role("button", name="Vote")).to_be_enabled()


# An hour ahead of everybody else.
AHEAD = """const Right = Date;
globalThis.Date = class extends Right {
    constructor(...given) { given.length > 0 ? super(...given) : super(Right.now() + 3_600_000); }
    static now() { return Right.now() + 3_600_000; }
};"""


@pytest.mark.sabotage("plugin_api.mjs", "room().chat.serverTime(now.value)", "now.value")
def test_32_times_are_told_by_the_clock_of_the_server(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.context.add_init_script(AHEAD)
    ann.join(room.link(), "Ann")

    async def act() -> None:
        async with room.opened.enter("Mona", moderator=True) as mona:
            await mona.ask("create_poll", {"question": "Soup?", "options": ["Yes", "No"], "closesInSeconds": 600})
            users = (await mona.ask("get_presence", {})).data["users"]
            (guest,) = (user["sessionId"] for user in users if user["username"] == "Ann")
            await mona.ask("mute", {"targetSessionId": guest, "durationSeconds": 600})

    live.run(act())
    expect(ann.page.get_by_text("closes in 10 minutes")).to_be_visible()
    expect(ann.page.get_by_role("group", name="Soup?")).to_be_enabled()
    expect(ann.page.get_by_text("10 minutes left.")).to_be_visible()


@pytest.mark.sabotage("pins/anonchat_pins/static/pins.mjs", "onClick=${() => room().show(id, wire?.seq)}", "")
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
    'if (!counts(wire, state) || !isAway() || wanted() !== "all") return;',
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
    becomes_true(ann.page, "window.called.length > 0")  # tabs agree first on which of them calls
    assert [title for title, _ in ann.page.evaluate("window.called")] == ["Bob mentions you"]
    ann.page.get_by_role("button", name="What concerns you").click()
    ann.has_no_barrier()
    ann.page.get_by_role("button", name="Mark all as read").click()
    expect(ann.page.get_by_text("There is nothing new for you.")).to_be_visible()


# As Chrome on Android has it.
ILLEGAL = """window.Notification = class {
    static permission = "default";
    static async requestPermission() { return (this.permission = "granted"); }
    constructor() { throw new TypeError("Illegal constructor"); }
};"""


@pytest.mark.parametrize("permission", ["default", "granted"])
@pytest.mark.sabotage(
    "notifications/anonchat_notifications/static/system.mjs", "isUnable.value = true;", "throw new Error();"
)
def test_26_where_a_page_may_show_no_notes_the_settings_say_so(live: Live, visit: Visit, permission: str) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.context.add_init_script(ILLEGAL + f"Notification.permission = '{permission}';")
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    if permission == "granted":  # from an earlier visit
        ann.page.evaluate(AWAY)
        bob.say("hello @Ann")
        expect(ann.page.get_by_role("button", name="What concerns you: 1")).to_be_visible()
    ann.page.get_by_role("button", name="Settings").click()
    if permission == "default":
        ann.page.get_by_role("button", name="Allow").click()
    expect(ann.page.get_by_text("This browser shows no notes of a page like this one.")).to_be_visible()
    ann.has_no_barrier()


@pytest.mark.sabotage("view/conversation.mjs", "useEffect(() => () => session.attention.look(false, false), []);", "")
def test_26_a_call_comes_when_the_room_has_left_the_page_and_leads_back_to_it(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    bob.join(room.link(), "Bob")
    ann.context.add_init_script(COUNTED)
    ann.page.goto(live.url)
    ann.page.get_by_label("Link or code").fill(room.link())
    ann.page.get_by_role("button", name="Continue").click()
    ann.page.locator("input[name=name]").fill("Ann")
    ann.page.keyboard.press("Enter")
    ann.page.locator("#composer").wait_for()
    ann.page.evaluate("Notification.permission = 'granted'")
    bob.say("hello @Ann while you look")
    ann.sees("while you look")
    ann.page.go_back()
    ann.page.get_by_label("Link or code").wait_for()
    bob.say("hello @Ann, where are you?")
    becomes_true(ann.page, "window.called.length > 0")
    assert [title for title, _ in ann.page.evaluate("window.called")] == ["Bob mentions you"]
    ann.page.evaluate("window.last.onclick()")
    expect(ann.message("where are you?")).to_be_focused()
    expect(ann.page.locator("#new")).to_be_visible()


@pytest.mark.sabotage(
    "notifications/anonchat_notifications/static/calls.mjs",
    "if (missed !== null) missed.push(wire.id);\n      else if",
    "if",
)
def test_27_what_was_missed_calls_once_when_the_connection_is_back(live: Live, visit: Visit) -> None:
    room = live.room()
    ann, bob = visit(), visit()
    ann.context.add_init_script(COUNTED)
    ann.carry()
    ann.join(room.link(), "Ann")
    bob.join(room.link(), "Bob")
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("everything").check()
    ann.page.keyboard.press("Escape")
    ann.page.evaluate("Notification.permission = 'granted'")
    ann.page.evaluate(AWAY)
    ann.cut()
    expect(ann.page.get_by_text("Offline.")).to_be_visible()
    for text in ("one", "two", "three"):
        bob.say(text)
        bob.sees(text)
    ann.mend()
    ann.sees("three")
    becomes_true(ann.page, "window.called.length > 0")
    bob.say("four")
    becomes_true(ann.page, "window.called.length > 1")
    titles = [title for title, _ in ann.page.evaluate("window.called")]
    assert titles == ["3 messages came while you were away", "Bob"]


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
    becomes_true(tabs[0], "navigator.locks.query().then(({held}) => held.length > 0)")
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
    expect(ann.page.get_by_text(re.compile(r"You are muted\.\s*(60 minutes|1 hour) left"))).to_be_visible()
    mona.do("rude words", "Ban")
    mona.page.get_by_role("dialog").get_by_role("button", name="Ban").click()
    expect(ann.page.get_by_role("heading", name="You are banned from this room")).to_be_visible()
    expect(bob.page.locator("article").filter(has_text="rude words")).to_have_count(0)
    bob.page.get_by_role("button", name="Moderation").click()
    expect(bob.page.get_by_text("Somebody was banned")).to_be_visible()


@pytest.mark.parametrize("way", ["Delete all they wrote", "Ban", "Mute"])
@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/asked.mjs",
    'room().act("purge_messages", { targetSessionId: sessionId })',
    'room().act("kick", { targetSessionId: sessionId })',
)
def test_all_that_somebody_wrote_who_has_left_is_deleted(live: Live, visit: Visit, way: str) -> None:
    room = live.room()
    mona = visit()
    mona.join(room.link(moderator=True), "Mona")

    async def raid() -> None:
        async with room.opened.enter("Raider") as raider:
            for number in range(3):
                await raider.say(f"spam {number}")
            await raider.ask("leave")

    live.run(raid())
    mona.sees("spam 2")
    mona.do("spam 0", way)
    dialog = mona.page.get_by_role("dialog")
    if way != "Delete all they wrote":
        dialog.get_by_role("button", name=way, exact=True).click()
        expect(dialog).to_contain_text("Raider is not in the room any more.")
    expect(dialog).to_contain_text("All that Raider wrote in this room is deleted for good")
    mona.has_no_barrier()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(mona.page.locator("article").filter(has_text="spam")).to_have_count(0)


@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/lists.mjs", "hasMore: answer.hasMore", "hasMore: answer.has_more"
)
def test_an_old_ban_is_found_and_lifted_below_the_newest(live: Live, visit: Visit) -> None:
    room = live.room()

    async def raid() -> None:
        async with room.opened.enter("Olga", moderator=True) as olga:
            for number in range(102):
                joined = await room.opened.join(f"Raider {number}")
                await olga.ask("ban", {"targetSessionId": joined.body["sessionId"]})

    live.run(raid())
    mona = visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Moderation").click()
    bans = mona.page.locator(".entry").filter(has=mona.page.get_by_role("button", name="Lift"))
    more = mona.page.get_by_role("button", name="More", exact=True).first
    expect(bans).to_have_count(50)
    more.evaluate("(button) => { button.click(); button.click(); }")
    expect(bans).to_have_count(100)
    more.click()
    expect(bans).to_have_count(102)
    mona.has_no_barrier()
    oldest = bans.filter(has=mona.page.get_by_text("Raider 0", exact=True))
    oldest.get_by_role("button", name="Lift").click()
    expect(oldest).to_have_count(0)
    expect(mona.page.get_by_text("A ban was lifted")).to_be_visible()
    expect(bans).to_have_count(101)


@pytest.mark.sabotage("view/room.mjs", "heading.current?.focus();", "")
def test_30_what_is_decided_gives_its_focus_to_the_panel(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, bob = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    bob.join(room.link(), "Bob")
    mona.page.get_by_role("button", name="Moderation").click()
    mona.page.get_by_role("button", name="Panic").click()
    expect(bob.page.get_by_text("The moderators have stopped a raid")).to_be_visible()
    for text in ("first", "second"):
        bob.say(text)
        expect(mona.page.locator(".entry").filter(has_text=text)).to_be_visible()
    heading = mona.page.get_by_role("heading", name="Moderation", exact=True)
    mona.page.get_by_role("button", name="Show", exact=True).first.press("Enter")
    mona.sees("first")
    expect(heading).to_be_focused()
    mona.page.get_by_role("button", name="Drop", exact=True).press("Enter")
    mona.page.get_by_role("dialog").get_by_role("button", name="Drop", exact=True).press("Enter")
    expect(mona.page.locator(".entry").filter(has_text="second")).to_have_count(0)
    expect(heading).to_be_focused()


@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/moderation.mjs", "isUsedUp(state.moderation) && room()", "false && room()"
)
def test_what_waits_beyond_the_first_is_shown_when_those_are_decided(
    live: Live, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = live.room()
    mona, bob = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    bob.join(room.link(), "Bob")
    mona.page.get_by_role("button", name="Moderation").click()
    mona.page.get_by_role("button", name="Panic").click()
    expect(bob.page.get_by_text("The moderators have stopped a raid")).to_be_visible()
    for text in ("first", "second", "third"):
        bob.say(text)
        expect(mona.page.locator(".entry").filter(has_text=text)).to_be_visible()
    monkeypatch.setattr(held, "SHOWN", 2)
    mona.page.reload()
    mona.page.get_by_role("button", name="Moderation: 2").click()
    expect(mona.page.get_by_role("heading", name="More than 2 messages wait")).to_be_visible()
    bob.say("fourth")
    expect(bob.message("fourth")).to_be_visible()
    for text in ("first", "second"):
        expect(mona.page.locator(".entry").filter(has_text="fourth")).to_have_count(0)
        entry = mona.page.locator(".entry").filter(has_text=text)
        entry.get_by_role("button", name="Show", exact=True).click()
        expect(entry).to_have_count(0)
    mona.sees("second")
    expect(mona.page.get_by_role("heading", name="2 messages wait", exact=True)).to_be_visible()
    for text in ("third", "fourth"):
        expect(mona.page.locator(".entry").filter(has_text=text)).to_be_visible()


@pytest.mark.sabotage(
    "moderation/anonchat_moderation/static/controls.mjs",
    "if (messages.length === 0)",
    "if (true)",
)
def test_nothing_that_waits_is_dropped_unseen_by_a_calm(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, bob = visit(), visit()
    mona.carry()
    mona.join(room.link(moderator=True), "Mona")
    bob.join(room.link(), "Bob")
    mona.page.get_by_role("button", name="Moderation").click()
    mona.page.get_by_role("button", name="Panic").click()
    expect(bob.page.get_by_text("The moderators have stopped a raid")).to_be_visible()
    mona.lose('"held_message"')
    bob.say("unseen")
    expect(bob.page.get_by_text("waits for a moderator")).to_be_visible()
    mona.page.get_by_role("button", name="Calm").click()
    expect(mona.page.get_by_role("dialog")).to_contain_text("1 message waits.")
    mona.page.get_by_role("button", name="Show them").click()
    mona.sees("unseen")


@pytest.mark.sabotage("moderation/anonchat_moderation/static/controls.mjs", "detail < 2 && does()", "does()")
def test_a_double_click_on_panic_does_not_end_it(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.join(live.room().link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Moderation").click()
    panic = mona.page.get_by_role("button", name="Panic")
    panic.click()
    calm = mona.page.get_by_role("button", name="Calm")
    box = calm.bounding_box()
    assert box is not None
    mona.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mona.page.mouse.down(click_count=2)
    mona.page.mouse.up(click_count=2)
    mona.say("after the second click")
    mona.sees("after the second click")
    expect(mona.page.get_by_text("The moderators have stopped a raid")).to_be_visible()
    calm.click()
    expect(panic).to_be_visible()


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


@pytest.mark.sabotage("moderation/anonchat_moderation/static/rules.mjs", "if (LISTS[rule] !== name)", "if (true)")
def test_words_that_two_moderators_add_at_once_are_both_there(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, moe = visit(), visit()
    for name, visitor in (("Mona", mona), ("Moe", moe)):
        visitor.join(room.link(moderator=True), name)
        visitor.page.get_by_role("button", name="Moderation").click()
        visitor.page.get_by_role("button", name="Rules in detail").click()
        visitor.page.get_by_role("group", name="Unwanted words").wait_for()
    for visitor, word, domain in ((mona, "broccoli", "a.example"), (moe, "kale", "b.example")):
        visitor.page.get_by_role("group", name="Unwanted words").get_by_role("textbox").fill(word)
        visitor.page.get_by_role("group", name="Links").get_by_role("textbox").fill(domain)
        visitor.page.get_by_role("button", name="Save").click()
        expect(visitor.page.get_by_role("dialog")).to_have_count(0)
    mona.page.get_by_role("button", name="Rules in detail").click()
    words = mona.page.get_by_role("group", name="Unwanted words").get_by_role("textbox")
    expect(words).to_have_value("broccoli\nkale")
    expect(mona.page.get_by_role("group", name="Links").get_by_role("textbox")).to_have_value("a.example\nb.example")
    words.fill("kale")
    mona.page.get_by_role("button", name="Save").click()
    expect(mona.page.get_by_role("dialog")).to_have_count(0)
    mona.page.get_by_role("button", name="Rules in detail").click()
    expect(words).to_have_value("kale")


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


BROKEN = """export default function register(api) {
  const broken = () => { throw new Error("broken"); };
  for (const event of ["identified", "message", "caught_up"]) api.on(event, broken);
  api.reducer({ initial: 0, apply: broken });
  api.renderer(({ content }) => content.dice !== undefined, broken);
  for (const kind of ["bars", "marks", "settings", "creation"]) api.add(kind, { component: broken, settings: broken });
  api.add("composerActions", { id: "broken", icon: "dice", label: broken, fits: broken, run: broken });
  api.add("panels", { id: "broken", icon: "dice", label: () => "Broken", count: broken, component: broken });
}"""


@pytest.mark.dice
@pytest.mark.sabotage("view/plugged.mjs", "error === undefined ?", "true ?")
def test_a_plugin_that_throws_wherever_it_can_ends_nothing_for_anybody(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.context.route("**/dice.mjs", lambda route: route.fulfill(body=BROKEN, content_type="text/javascript"))
    ann.join(live.room().link(), "Ann")
    ann.say("hello")
    ann.sees("hello")
    ann.say("/roll 2d6")
    ann.sees("2d6")
    ann.page.get_by_role("button", name="Broken").click()
    ann.page.get_by_role("button", name="People: 1").click()
    expect(ann.page.get_by_text("(you)")).to_be_visible()
    ann.page.get_by_role("button", name="Settings").click()
    expect(ann.page.get_by_text("Keep on this device")).to_be_visible()
    assert [trouble for trouble in ann.troubles if "the web module of dice has failed" not in trouble] == []
    ann.troubles.clear()


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
