"""Take ``web.png`` and ``web-phone.png``: people in a room of a real server who talk and vote, seen in the browser of one.

Run it from the root of the repository: ``python docs/pictures/web.py``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess

FOLDER = Path(__file__).parent
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
LARGE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 800}


def enter(browser: Browser, link: str, name: str, size: ViewportSize = LARGE, *, is_dark: bool = False) -> Page:
    """Somebody with a window of their own, who has joined."""
    is_phone = size == PHONE
    context = browser.new_context(
        locale="en-GB", viewport=size, color_scheme="dark" if is_dark else "light", device_scale_factor=2 if is_phone else 1,
        has_touch=is_phone, is_mobile=is_phone,
    )  # fmt: skip
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Your name in this room").fill(name)
    page.get_by_role("button", name="Join").click()
    page.locator("#composer").wait_for()
    return page


def say(page: Page, text: str) -> None:
    """Send a message, and wait until it is stored."""
    page.locator("#composer").fill(text)
    page.get_by_role("button", name="Send").click()
    page.locator("article:not(.waiting)").filter(has_text=text.split("\n")[0].replace("*", "")[:16]).last.wait_for()


def ask(page: Page, question: str, answers: str) -> None:
    """Make a poll."""
    page.get_by_role("button", name="Make a poll").click()
    page.get_by_label("Question").fill(question)
    page.get_by_label("Answers, one a line").fill(answers)
    page.get_by_role("button", name="Ask").click()


def vote(page: Page, answer: str) -> None:
    """Vote, and leave the card."""
    page.get_by_role("radio", name=answer).check()
    page.get_by_role("button", name="Vote").click()
    page.get_by_role("button", name="Change my vote").wait_for()


def shoot(page: Page, name: str) -> None:
    """Take the picture when nothing waits any more."""
    page.get_by_text("3 people have voted").wait_for()
    page.locator("#composer").evaluate("(one) => one.blur()")
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    page.screenshot(path=FOLDER / name)


def main() -> None:
    """Start a server, let them talk, take the pictures."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        room = Rest(int(server.url.rsplit(":", 1)[1])).call("POST", "/api/rooms", {"title": "Lunch on Friday"}).body
        mona = enter(browser, room["moderatorUrl"], "Mona")
        ann = enter(browser, room["joinUrl"], "Ann", PHONE, is_dark=True)
        bob = enter(browser, room["joinUrl"], "Bob")
        say(mona, "Where do we eat on Friday? It should be **near** and quick.")
        say(bob, "The little place by the river: https://example.org/menu")
        say(ann, "Good soup there, @Bob")
        ask(mona, "Where?", "By the river\nThe canteen\nSandwiches in the park")
        for page, answer in ((mona, "By the river"), (bob, "By the river"), (ann, "Sandwiches in the park")):
            vote(page, answer)
        bob.get_by_role("button", name="People").click()
        shoot(bob, "web.png")
        shoot(ann, "web-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
