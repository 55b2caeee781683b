"""With the keyboard alone, from the front page to the end of a poll: points 17, 30, 32 and 33."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from .conftest import Live
    from .visitors import Visit, Visitor

MOST_STOPS = 60
# What has the focus: how it is called, and whether that can be seen.
FOCUSED = """() => {
    const one = document.activeElement;
    const name = one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? "";
    const ringed = [one, one.closest(".composer-row")].filter(Boolean).some((each) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(each);
        return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
    });
    const { top, bottom, left, right } = one.getBoundingClientRect();
    const isThere = top < innerHeight && bottom > 0 && left < innerWidth && right > 0;
    return { name: name.trim(), isSeen: one === document.body || (ringed && isThere) };
}"""


def go(visitor: Visitor, name: str, key: str = "Tab") -> None:
    """Press a key until something is called `name`; at each stop on the way one can see where one is."""
    stops = []
    for _ in range(MOST_STOPS):
        visitor.page.keyboard.press(key)
        focused = visitor.page.evaluate(FOCUSED)
        stops.append(focused["name"])
        assert focused["isSeen"], stops
        if re.match(name, focused["name"]):
            return
    pytest.fail(f"{name!r} is not among {stops}")


@pytest.mark.sabotage(
    "client.css",
    ".menu-item:hover {",
    ".menu-item:focus-visible, .button:focus-visible { outline: 0; } .menu-item:hover {",
)
def test_30_everything_can_be_done_with_the_keyboard_alone(live: Live, visit: Visit) -> None:
    mona = visit()
    keyboard = mona.page.keyboard
    mona.page.goto(live.url)
    go(mona, "What is it about")
    keyboard.type("Picnic")
    keyboard.press("Enter")
    mona.page.locator(".qr path").wait_for()
    go(mona, "Go to the room")
    keyboard.press("Enter")
    expect(mona.page.get_by_label("Your name in this room")).to_be_focused()
    keyboard.type("Mona")
    keyboard.press("Enter")
    mona.page.locator("#composer").wait_for()
    go(mona, "Write a message")
    keyboard.type("Hello")
    keyboard.press("Enter")
    mona.sees("Hello")
    go(mona, "Messages", "Shift+Tab")
    keyboard.press("ArrowUp")
    expect(mona.message("Hello")).to_be_focused()
    keyboard.press("r")
    expect(mona.page.locator("#composer")).to_be_focused()
    keyboard.type("answered")
    keyboard.press("Enter")
    expect(mona.message("answered").locator(".answered")).to_contain_text("Hello")
    _asks_and_votes(mona)
    _looks_and_leaves(mona)


def _asks_and_votes(mona: Visitor) -> None:
    keyboard = mona.page.keyboard
    go(mona, "Make a poll", "Shift+Tab")
    keyboard.press("Enter")
    go(mona, "Question")
    keyboard.type("Soup?")
    go(mona, "Answers")
    keyboard.type("Yes\nNo")
    go(mona, "Ask")
    keyboard.press("Enter")
    card = mona.page.get_by_role("group", name="Soup?")
    card.wait_for()
    expect(mona.page.get_by_role("dialog")).to_have_count(0)
    go(mona, "No", "Shift+Tab")
    keyboard.press("Space")
    expect(card.get_by_label("No")).to_be_checked()
    go(mona, "Vote")
    keyboard.press("Enter")
    expect(card).to_contain_text("1 vote")


def _looks_and_leaves(mona: Visitor) -> None:
    keyboard = mona.page.keyboard
    go(mona, "People", "Shift+Tab")
    keyboard.press("Enter")
    expect(mona.page.get_by_role("heading", name="People")).to_be_focused()
    keyboard.press("Escape")
    expect(mona.page.get_by_role("complementary")).to_have_count(0)
    expect(mona.page.get_by_role("button", name="People")).to_be_focused()
    go(mona, "About this room")
    keyboard.press("Enter")
    go(mona, "Leave and forget me")
    keyboard.press("Enter")
    mona.page.get_by_text("gone for everybody, at once and for good").wait_for()
    go(mona, "Leave and forget me")
    keyboard.press("Enter")
    mona.page.get_by_role("heading", name="Talk, then let it go.").wait_for()
