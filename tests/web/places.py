"""The course through every page and dialog of the web client, as people come to see them.

`places` yields the name of each and the visitor whose window shows it. Everything is found by the texts of the catalogue,
so that the course is the same in every language; and by what people have written, which is the same in none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, expect

from .corpus import ORDINARY, Corpus
from .visitors import Visit, Visitor

if TYPE_CHECKING:
    from .conftest import Live, Room

Place = tuple[str, Visitor]
OPERATOR = "the-operator-and-nobody-else"


@dataclass(frozen=True)
class Course:
    """Two people in a room, and what they write there."""

    live: Live
    corpus: Corpus
    room: Room
    guest: Visitor
    moderator: Visitor


def places(live: Live, visit: Visit, corpus: Corpus = ORDINARY, **options: object) -> Iterator[Place]:
    """Every place. `options` are those of the windows; the server must know `OPERATOR`."""
    guest, moderator = visit(**options), visit(**options)
    guest.carry()
    room = live.room(corpus.title, description=corpus.description)
    course = Course(live, corpus, room, guest, moderator)
    yield from _front(course)
    yield from _invited(course)
    yield from _talk(course)
    yield from _dialogs(course)
    yield from _polls(course)
    yield from _pins(course)
    yield from _held(course)
    yield from _moderated(course)
    yield from _lost(course)
    yield from _ended(course)
    yield from _operated(course)


def _front(course: Course) -> Iterator[Place]:
    guest, page = course.guest, course.guest.page
    page.goto(course.live.url)
    page.locator("h1").wait_for()
    yield "front", guest
    page.locator("input[name=link]").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#link-problem")).not_to_be_empty()
    yield "a wrong link", guest
    page.locator("input[name=title]").fill(course.corpus.title[:120])
    page.locator("summary").click()
    yield "all that a room can be", guest
    page.locator("input[name=title]").press("Enter")
    page.locator(".qr path").wait_for()
    yield "a room is made", guest


def _invited(course: Course) -> Iterator[Place]:
    guest, page = course.guest, course.guest.page
    page.goto(f"{course.live.url}/r/00000000#nothing")
    page.get_by_role("alert").wait_for()
    yield "no way in", guest
    page.goto(course.room.link())
    page.locator("input[name=name]").wait_for()
    yield "invited", guest
    course.moderator.join(course.room.link(moderator=True), course.corpus.moderator)
    page.locator("input[name=name]").fill(course.corpus.moderator)
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).not_to_be_empty()
    yield "a name that is taken", guest
    page.locator("input[name=name]").fill(course.corpus.guest)
    page.keyboard.press("Enter")
    page.locator("#composer").wait_for()
    yield "an empty room", guest


def _talk(course: Course) -> Iterator[Place]:
    guest, moderator, page = course.guest, course.moderator, course.guest.page
    for text in course.corpus.texts:
        guest.say(text)
    expect(page.locator("article:not(.waiting)")).to_have_count(len(course.corpus.texts), timeout=30_000)
    moderator.say("first")
    moderator.sees("first")
    moderator.page.locator("#composer").press("ArrowUp")
    moderator.say(f"@{course.corpus.guest} is meant")
    moderator.say("goes")
    _chosen(moderator, "goes", "action.delete")
    moderator.page.get_by_role("dialog").get_by_role("button", name=moderator.word("action.delete")).click()
    guest.sees(guest.word("message.deleted"))
    yield "a conversation", guest
    guest.message("is meant").hover()
    yield "a message with its tools", guest
    guest.message("is meant").focus()
    page.keyboard.press("r")
    page.locator(".composer-context").wait_for()
    yield "an answer is written", guest
    guest.say("answered")
    guest.sees("answered")
    guest.message("answered").focus()
    page.keyboard.press("Enter")
    yield "the menu of a message", _shown(guest)
    page.keyboard.press("Escape")
    page.locator("#composer").press_sequentially("/")
    page.locator(".suggestions").wait_for()
    yield "suggestions", guest
    page.locator("#composer").fill("x" * 3_950)
    expect(page.locator(".counter")).not_to_be_empty()
    yield "near the limit", guest
    page.locator("#composer").fill("")


def _dialogs(course: Course) -> Iterator[Place]:
    guest, page = course.guest, course.guest.page
    for command in ("share", "settings"):
        _told(guest, command)
        yield f"/{command}", _shown(guest)
        page.keyboard.press("Escape")
    _told(course.moderator, "share")
    yield "the links of the room", _shown(course.moderator)
    course.moderator.page.keyboard.press("Escape")
    expect(course.moderator.page.get_by_role("dialog")).to_have_count(0)
    page.locator(".facts-line").click()
    yield "about the room", _shown(guest)
    guest.press("leave.forget")
    page.get_by_text(guest.word("leave.sure")).wait_for()
    yield "before being forgotten", _shown(guest)
    page.keyboard.press("Escape")
    page.locator("#composer").evaluate("(one) => one.blur()")
    page.keyboard.press("?")
    yield "the keys", _shown(guest)
    page.keyboard.press("Escape")
    _panel(guest, "people.title")
    with course.room.people(*course.corpus.others):
        expect(page.locator(".people li")).to_have_count(2 + len(course.corpus.others))
        yield "people", guest
    _closed(guest)


def _polls(course: Course) -> Iterator[Place]:
    guest, moderator, corpus = course.guest, course.moderator, course.corpus
    moderator.press("polls.make")
    form = _shown(moderator).page
    yield "a poll is made", moderator
    form.locator("input[name=question]").fill(corpus.question[:300])
    form.locator("textarea[name=options]").fill("\n".join(corpus.answers))
    form.locator(".dialog button.primary").click()
    card = guest.page.locator(".poll").last
    card.wait_for()
    yield "a poll", guest
    card.locator("input").first.check()
    card.locator("button.primary").click()
    expect(card.locator("progress").first).to_have_attribute("value", "1")
    yield "a poll with a vote", guest
    moderator.press("polls.close")
    expect(card.locator("fieldset")).to_have_attribute("disabled", "")
    yield "a closed poll", guest


def _pins(course: Course) -> Iterator[Place]:
    guest, moderator = course.guest, course.moderator
    for text in (course.corpus.texts[0], "answered"):
        _chosen(moderator, text, "pins.pin")
        guest.message(text).get_by_text(guest.word("pins.pinned")).wait_for()
    guest.page.locator(".pins .icon-button").click()
    expect(guest.page.locator(".pin")).to_have_count(2)
    yield "pins", guest
    guest.page.locator(".pins .icon-button").click()
    _panel(guest, "notifications.title")
    yield "notifications", guest
    _closed(guest)


def _held(course: Course) -> Iterator[Place]:
    guest, moderator = course.guest, course.moderator

    async def passing() -> None:
        async with course.room.opened.enter("Somebody Else") as other:
            await other.say("is rude")

    course.live.run(passing())
    _chosen(guest, "is rude", "moderation.report")
    yield "a report is written", _shown(guest)
    guest.page.locator("input[name=reason]").fill(course.corpus.reason[:200])
    guest.page.keyboard.press("Enter")
    _panel(moderator, "moderation.title")
    moderator.page.locator(".panel .entry").filter(has_text="is rude").wait_for()
    yield "the moderators' panel", moderator
    moderator.press("moderation.panic")
    guest.page.locator(".banner").filter(has_text=guest.word("moderation.inPanic")).wait_for()
    for text in course.corpus.texts[:2]:
        guest.say(text)
    expect(guest.page.locator("article.held")).to_have_count(2)
    yield "held messages", guest
    expect(
        moderator.page.locator(".panel").get_by_role("button", name=moderator.word("moderation.drop"))
    ).to_have_count(2)
    yield "the queue of held messages", moderator
    moderator.press("moderation.calm")
    yield "what was held is decided on", _shown(moderator)
    moderator.press("moderation.calmDrop")
    expect(guest.page.locator("article.held")).to_have_count(0)
    for key in ("moderation.rules", "moderation.rotate", "moderation.end"):
        moderator.press(key)
        yield f"{key} in a dialog", _shown(moderator)
        moderator.page.keyboard.press("Escape")
        expect(moderator.page.get_by_role("dialog")).to_have_count(0)
    _closed(moderator)


def _moderated(course: Course) -> Iterator[Place]:
    guest, moderator = course.guest, course.moderator
    _panel(moderator, "people.title")
    moderator.page.locator("button.person").filter(has_text=course.corpus.guest).click()
    yield "the menu of a person", _shown(moderator)
    moderator.page.get_by_role("dialog").get_by_role(
        "button", name=moderator.word("moderation.mute"), exact=True
    ).click()
    moderator.page.locator("input[name=reason]").fill(course.corpus.reason[:200])
    yield "somebody is to be muted", moderator
    moderator.page.keyboard.press("Enter")
    expect(moderator.page.get_by_role("dialog")).to_have_count(0)
    _closed(moderator)
    _chosen(moderator, course.corpus.texts[0], "moderation.purgeAll")
    yield "all that somebody wrote is to be deleted", _shown(moderator)
    moderator.page.keyboard.press("Escape")
    expect(moderator.page.get_by_role("dialog")).to_have_count(0)
    guest.page.locator(".banner.offline").filter(has_text=course.corpus.reason[:20]).wait_for()
    guest.say("nobody hears me")
    guest.page.locator("article.failed").wait_for()
    yield "muted, and not sent", guest


def _lost(course: Course) -> Iterator[Place]:
    guest = course.guest
    guest.cut()
    guest.page.locator(".banner .button").wait_for()
    yield "offline", guest
    guest.mend()
    guest.page.locator(".banner.online").wait_for()
    yield "back", guest


def _ended(course: Course) -> Iterator[Place]:
    guest, moderator, room = course.guest, course.moderator, course.room
    _chosen(moderator, course.corpus.texts[0], "moderation.ban")
    moderator.page.locator("input[name=reason]").fill(course.corpus.reason[:200])
    moderator.page.keyboard.press("Enter")
    guest.page.get_by_role("alert").get_by_text(guest.word("closing.banned")).wait_for()
    yield "banned", guest
    _panel(moderator, "moderation.title")
    moderator.page.get_by_role("button", name=moderator.word("moderation.unban"), exact=True).wait_for()
    yield "who was banned", moderator
    membership = moderator.page.evaluate(
        "Object.entries(sessionStorage).find(([key]) => key.endsWith(':membership'))[1]"
    )
    course.live.rest("POST", f"/api/rooms/{room.id}/end", {}, json.loads(membership)["sessionToken"])
    moderator.page.get_by_role("alert").get_by_text(moderator.word("closing.room_ended")).wait_for()
    yield "ended", moderator


def _operated(course: Course) -> Iterator[Place]:
    guest, page = course.guest, course.guest.page
    page.goto(f"{course.live.url}/admin")
    page.locator("input[name=token]").wait_for()
    yield "the operator's entrance", guest
    page.locator("input[name=token]").fill(OPERATOR)
    page.keyboard.press("Enter")
    expect(page.locator(".chart canvas")).to_have_count(6)
    page.locator(".states").wait_for()
    yield "the operator's page", guest


def _told(visitor: Visitor, command: str) -> None:
    """Write a command; what it opens may stand in a menu where there is little room."""
    expect(visitor.page.get_by_role("dialog")).to_have_count(0)
    visitor.say(f"/{command} ")


def _shown(visitor: Visitor) -> Visitor:
    """The visitor, once a dialog is on top."""
    visitor.page.get_by_role("dialog").wait_for()
    return visitor


def _panel(visitor: Visitor, key: str) -> None:
    """Open a panel, whose button may also say how many there are."""
    button: Locator = visitor.page.locator(".tools").get_by_role("button", name=visitor.word(key))
    button.click()
    visitor.page.get_by_role("complementary").wait_for()


def _closed(visitor: Visitor) -> None:
    visitor.page.get_by_role("complementary").get_by_role(
        "button", name=visitor.word("action.close"), exact=True
    ).click()
    expect(visitor.page.get_by_role("complementary")).to_have_count(0)


def _chosen(visitor: Visitor, text: str, key: str) -> None:
    """Choose from the menu of a message that has arrived."""
    visitor.sees(text)
    visitor.message(text).focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("dialog").get_by_role("button", name=visitor.word(key), exact=True).click()
