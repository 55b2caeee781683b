"""On every device, in every language, for everybody: points 36 to 40."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from anonchat.http.assets import STATIC
from tests.web.test_list import fill

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

FITS = "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight + 1"


@pytest.mark.parametrize(("width", "height"), [(320, 568), (360, 740), (768, 1024), (1440, 900), (320, 256)])
@pytest.mark.sabotage("client.css", "block-size: var(--seen, 100dvh); display: flex;", "display: flex;")
def test_36_everything_fits_on_every_screen_and_at_four_times_the_size(
    live: Live, visit: Visit, width: int, height: int
) -> None:
    room = live.room("A title that is rather long for a small telephone")
    ann = visit(viewport={"width": width, "height": height}, has_touch=width < 500)
    ann.join(room.link(), "Ann")
    for index in range(30):
        ann.say(f"message {index} that has some words in it, so that it wraps")
    ann.sees("message 29")
    assert ann.page.evaluate(FITS)
    expect(ann.page.locator("#composer")).to_be_in_viewport()
    assert ann.page.locator("#composer").evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)") >= 16
    if height > 400:  # there is no line of facts where there is hardly room for one message
        ann.page.locator(".facts-line").click()
        ann.page.get_by_role("dialog", name="About this room").wait_for()
    assert ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.sabotage("view/room.mjs", "useEffect(() => followViewport(), []);", "")
def test_36_the_field_stands_above_a_keyboard_that_covers_the_page(live: Live, visit: Visit) -> None:
    ann = visit(viewport={"width": 390, "height": 740})
    ann.join(live.room().link(), "Ann")
    for height in (400, 740):  # what a browser with such a keyboard says, with and without it
        ann.page.evaluate(
            """(height) => { Object.defineProperty(visualViewport, "height", {get: () => height, configurable: true});
                visualViewport.dispatchEvent(new Event("resize")); }""",
            height,
        )
        box = ann.page.locator(".composer").bounding_box()
        assert box is not None
        assert abs(box["y"] + box["height"] - height) < 2


SMALL = """(least) => [...document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=option]")]
    .filter((one) => one.checkVisibility() && !one.closest(".rich, .skip, .hidden"))
    .map((one) => one.matches("[type=radio], [type=checkbox]") ? one.closest("label") : one)
    .filter((one) => Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height) < least - 0.5)
    .map((one) => one.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("least", [24, 44])
@pytest.mark.sabotage("tokens.css", "--target: 2.75rem;", "--target: 1.4rem;")
def test_33_what_is_to_be_hit_is_large_enough_for_mouse_and_finger(
    live: Live, visit: Visit, least: int, request: pytest.FixtureRequest
) -> None:
    if least == 24 and request.config.getoption("--sabotage", default=False):
        pytest.fail("the line belongs to fingers")
    room = live.room("Lunch", description="Where do we go?")
    finger = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 740}}
    ann = visit(**(finger if least == 44 else {}))
    ann.page.goto(live.url)
    ann.page.get_by_role("button", name="Continue").wait_for()
    assert ann.page.evaluate(SMALL, least) == []
    ann.page.goto(room.link(moderator=True))
    ann.page.get_by_role("button", name="Join").wait_for()
    assert ann.page.evaluate(SMALL, least) == []
    ann.join(room.link(moderator=True), "Ann")
    ann.say("hello")
    ann.sees("hello")
    ann.message("hello").focus()
    assert ann.page.evaluate(SMALL, least) == []
    for panel in ("People", "Moderation"):
        ann.page.get_by_role("button", name=panel).click()
        ann.page.get_by_role("complementary").wait_for()
        assert ann.page.evaluate(SMALL, least) == []
        ann.page.keyboard.press("Escape")
        ann.page.get_by_role("complementary").wait_for(state="hidden")
    for command in ("share", "settings", "leave", "help", "poll"):
        ann.page.locator("#composer").fill(f"/{command} ")
        ann.page.get_by_role("button", name="Send").click()
        ann.page.get_by_role("dialog").wait_for()
        assert ann.page.evaluate(SMALL, least) == []
        ann.page.keyboard.press("Escape")


@pytest.mark.sabotage("tokens.css", "--quick: 0ms;", "--quick: 1s;")
def test_33_nothing_moves_for_those_who_want_no_motion_and_their_colours_hold(live: Live, visit: Visit) -> None:
    ann = visit(reduced_motion="reduce", forced_colors="active")
    ann.join(live.room().link(), "Ann")
    ann.say("hello")
    ann.sees("hello")
    moving = """[...document.querySelectorAll("*")].filter((one) => {
        const {transitionDuration, animationName} = getComputedStyle(one);
        return transitionDuration.split(", ").some((time) => parseFloat(time) > 0) || animationName !== "none"; }).length"""
    assert ann.page.evaluate(moving) == 0
    ann.page.locator("#composer").fill("x")
    assert ann.page.locator(".send").evaluate("(one) => getComputedStyle(one).borderStyle") == "solid"
    ann.has_no_barrier()


@pytest.mark.sabotage("view/parts.mjs", '<bdi class="name">', '<span class="name">')
def test_37_right_to_left_is_mirrored_and_names_do_not_turn_sentences_around(live: Live, visit: Visit) -> None:
    room = live.room("غداء")
    ann = visit(viewport={"width": 360, "height": 640})
    ann.join(room.link(), "ليلى")
    ann.say("مرحبا (hello) 123")
    ann.sees("مرحبا")
    send = ann.page.get_by_role("button", name="Send")
    left = send.bounding_box()
    ann.page.evaluate("document.documentElement.dir = 'rtl'")
    right = send.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] > 200 > right["x"]
    assert ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert ann.page.locator("article .by .name").first.evaluate("(one) => one.tagName") == "BDI"
    assert ann.page.locator("article .rich p").first.evaluate("(one) => getComputedStyle(one).direction") == "rtl"


@pytest.mark.sabotage("texts/times.mjs", "DateTimeFormat(written()", "DateTimeFormat(language()")
def test_38_times_are_written_as_where_the_reader_lives(live: Live, visit: Visit) -> None:
    room = live.room()
    written = []
    for number, locale in enumerate(("en-GB", "en-US", "de-AT")):
        ann = visit(locale=locale)
        ann.join(room.link(), f"Ann of {locale}")
        ann.say(f"hello {number}")
        ann.sees(f"hello {number}")
        written.append(ann.page.locator(".by time").last.inner_text())
    assert [bool(re.search("[AP]M", time)) for time in written] == [False, True, False]


@pytest.mark.sabotage("client.mjs", 'if ("language" in changes) await this.#speak();', "")
def test_38_the_language_changes_at_once_and_nothing_is_left_behind(live: Live, visit: Visit) -> None:
    room = live.room("Lunch")
    ann = visit()
    ann.page.goto(live.url)
    ann.page.get_by_label("Language").select_option("de")
    expect(ann.page.get_by_role("heading", name="Reden, dann loslassen.")).to_be_visible()
    expect(ann.page.locator("html")).to_have_attribute("lang", "de")
    ann.page.goto(room.link())
    ann.page.get_by_role("button", name="Beitreten").click()
    ann.page.get_by_role("button", name="Einstellungen").click()
    ann.page.get_by_role("dialog").get_by_label("Sprache").select_option("en")
    expect(ann.page.get_by_role("dialog", name="Settings")).to_be_visible()


@pytest.mark.sabotage("texts/catalogue.mjs", ", ...texts.said?.[tag] }", " }")
def test_38_what_the_server_says_is_told_in_the_language_of_the_page(live: Live, visit: Visit) -> None:
    room = live.room(settings={"moderation": {"preset": "strict"}})
    bob = visit(locale="de-DE")
    bob.join(room.link(), "Bob")
    bob.say("HELLO EVERYBODY, LISTEN TO ME NOW, THIS IS LOUD!!!!!!")
    expect(bob.page.locator("article.failed, article.held")).to_contain_text("Das sieht nach Schreien aus")


def _sources() -> list[Path]:
    plugins = Path(__file__).parent.parent.parent / "plugins"
    own = [path for path in STATIC.rglob("*.mjs") if "vendor" not in path.parts]
    return [*own, *plugins.glob("*/*/static/*.mjs")]


@pytest.mark.parametrize("path", _sources(), ids=lambda path: path.name)
def test_38_no_text_stands_outside_of_the_catalogue(path: Path) -> None:
    assert outside(path.read_text(encoding="utf-8")) == []


def test_38_a_text_outside_of_the_catalogue_is_found() -> None:
    assert outside("html`<p>Hello ${name}</p>`") == ["Hello"]
    assert outside('html`<input placeholder="Your name" />`') == ["Your name"]


def outside(source: str) -> list[str]:
    """Words between tags, and in attributes that people read or hear, of the templates in a module."""
    found = []
    for template in _templates(source):
        bare = re.sub(r"<!--.*?-->", "", template)
        found += re.findall(r"(?:placeholder|title|aria-label|alt|label)=\"([^\"]*[A-Za-z]{2}[^\"]*)\"", bare)
        between = re.sub(r"<[^<>]*>", "\n", bare)
        found += [text.strip() for text in between.split("\n") if re.search(r"[A-Za-z]{2}", text)]
    return [text for text in found if text != "anonchat"]


def _templates(source: str) -> list[str]:
    """The html`...` parts, with what is computed in them left out; templates within those are parts of their own."""
    parts = []
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    for start in re.finditer("html`", source):
        depth, at, text = 0, start.end(), ""
        while depth > 0 or source[at] != "`":
            if source.startswith("${", at):
                depth += 1
                at += 1
            elif depth > 0 and source[at] in "{}":
                depth += 1 if source[at] == "{" else -1
            elif depth == 0:
                text += source[at]
            at += 1
        parts.append(text)
    return parts


@pytest.mark.sabotage("app.webmanifest", '"standalone"', '"browser"')
def test_39_the_page_can_be_installed(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.page.goto(live.url)
    manifest = ann.page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((one) => one.json())")
    assert manifest["display"] == "standalone"
    drawn = ann.page.evaluate(
        """async (icons) => {
            const base = document.querySelector("link[rel=manifest]").href;
            const images = icons.map(({src}) => Object.assign(new Image(), {src: new URL(src, base).href}));
            await Promise.all(images.map((image) => image.decode()));
            return images.map(({naturalWidth: width, naturalHeight: height}) => `${width}x${height}`); }""",
        [icon for icon in manifest["icons"] if icon["type"] == "image/png"],
    )
    assert drawn == [icon["sizes"] for icon in manifest["icons"] if icon["type"] == "image/png"]
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}


@pytest.mark.sabotage("view/room.mjs", "<span>${lifeOf(room.details)[0]}</span><span>", "<span>")
def test_40_what_goes_when_and_who_moderates_is_always_in_sight_and_one_can_be_forgotten(
    live: Live, visit: Visit
) -> None:
    room = live.room(retentionSeconds=3_600)
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    for told in ("Messages go after 1 hour.", "The room ends on", "Mona moderates."):
        expect(ann.page.locator(".facts-line").get_by_text(told)).to_be_visible()
    ann.say("to be forgotten")
    mona.sees("to be forgotten")
    ann.page.get_by_role("button", name="About this room").click()
    expect(ann.page.get_by_role("dialog").get_by_role("link", name="What this server keeps")).to_be_visible()
    ann.press("leave.forget")
    ann.press("leave.forget")
    ann.page.get_by_role("heading", name="Talk, then let it go.").wait_for()
    expect(mona.page.locator("article")).to_have_count(0)
    assert ann.page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('room'))") == []


@pytest.mark.sabotage("view/about.mjs", "onClick=${ask}", "onClick=${forget}")
def test_40_who_wants_to_be_forgotten_is_asked_first(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.say("to be kept")
    ann.sees("to be kept")
    ann.press("about.title")
    ann.press("leave.forget")
    ann.press("action.cancel")
    ann.sees("to be kept")
    expect(ann.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.sabotage("view/about.mjs", 'rest("PATCH", ', 'rest("GET", ')
def test_40_moderators_say_anew_what_the_room_is_about(live: Live, visit: Visit) -> None:
    room = live.room("Lunch", description="At noon")
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    ann.join(room.link(), "Ann")
    ann.page.get_by_role("button", name="About this room").click()
    expect(ann.page.get_by_role("button", name="Change title and description")).to_have_count(0)
    mona.page.get_by_role("button", name="About this room").click()
    mona.page.get_by_role("button", name="Change title and description").click()
    title = mona.page.get_by_role("dialog").get_by_label("What is it about?")
    expect(title).to_have_value("Lunch")
    expect(title).to_be_focused()
    title.fill(" ")
    title.press("Enter")
    expect(mona.page.get_by_role("alert").filter(has_text="Give the room a title.")).to_be_visible()
    title.fill("Dinner")
    mona.has_no_barrier()
    title.press("Enter")
    expect(mona.page.get_by_role("button", name="Change title and description")).to_be_focused()
    for person in (mona, ann):
        expect(person.page.get_by_role("dialog").get_by_role("heading", name="Dinner")).to_be_visible()
        expect(person.page.get_by_role("dialog").get_by_text("At noon")).to_be_visible()


@pytest.mark.sabotage("view/transcript.mjs", "query = `?before=${messages[0].seq}`;", "break;")
def test_40_moderators_take_the_conversation_home_before_it_goes(live: Live, visit: Visit) -> None:
    room = live.room("Lunch")
    fill(live, room, 1_010)
    mona = visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="About this room").click()
    with mona.page.expect_download() as started:
        mona.page.get_by_role("button", name="Save the conversation").click()
    assert started.value.suggested_filename == "Lunch.txt"
    lines = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1_010
    assert lines[0].endswith("Talker: message 0")


@pytest.mark.sabotage("browser/drawers.mjs", "(!OF_THE_TAB.has(key) && this.look())", "true")
def test_nothing_is_kept_beyond_the_tab_unless_one_says_so(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.say("hello")
    ann.sees("hello")
    assert ann.page.evaluate("Object.keys(localStorage)") == []
    assert ann.page.context.cookies() == []
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("Keep on this device").check()
    other = ann.context.new_page()
    other.goto(f"{live.url}/r/{room.id}")
    other.locator("#composer").wait_for()
    ann.page.get_by_label("Keep on this device").uncheck()
    assert ann.page.evaluate("Object.keys(localStorage)") == []


@pytest.mark.sabotage(
    "browser/drawers.mjs", "OF_THE_TAB.has(key) && this.look()", "OF_THE_TAB.has(key) && this.keeps.value"
)
@pytest.mark.sabotage("client.mjs", 'addEventListener("storage", () => this.drawers.look());', "")
def test_what_one_tab_stops_to_keep_no_other_tab_keeps(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.page.get_by_role("button", name="Settings").click()
    ann.page.get_by_label("Keep on this device").check()
    other = ann.context.new_page()
    other.goto(f"{live.url}/r/{room.id}")
    other.locator("#composer").wait_for()
    other.get_by_role("button", name="Settings").click()
    expect(other.get_by_label("Keep on this device")).to_be_checked()
    ann.page.get_by_label("Keep on this device").uncheck()
    other.get_by_label("Enter sends").uncheck()
    assert other.evaluate("Object.keys(localStorage)") == []
    expect(other.get_by_label("Keep on this device")).not_to_be_checked()
