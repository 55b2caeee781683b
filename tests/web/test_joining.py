"""Coming into a room: points 1 to 4 of what people expect of a chat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.web.visitors import becomes_true

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.web.conftest import Live, Visit


@pytest.mark.sabotage("text/links.mjs", "if (code !== null) return", "if (false) return")
def test_01_a_link_and_a_code_lead_in_and_what_is_kept_stands_there_before(live: Live, visit: Visit) -> None:
    room = live.room("Lunch", description="Where do we go?")
    ann = visit()
    ann.page.goto(live.url)
    ann.page.get_by_label("Link or code").fill(f"{room.id}#{room.invite}")
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("heading", name="Lunch")).to_be_visible()
    for told in ("Where do we go?", "Messages go after", "The room ends on", "sees your name", "Moderators can delete"):
        expect(ann.page.get_by_text(told)).to_be_visible()
    name = ann.page.get_by_label("Your name in this room")
    assert re.fullmatch(r"\w+ \w+", name.input_value())
    expect(name).to_be_focused()
    ann.page.keyboard.press("Enter")
    ann.page.locator("#composer").wait_for()
    ann.page.goto(live.url)
    ann.page.get_by_label("Link or code").fill("nonsense")
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_text("does not lead to a room")).to_be_visible()


@pytest.mark.sabotage("view/qr.mjs", "made.addData(text)", "made.addData('nothing')")
def test_01_the_qr_code_holds_the_link(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.page.get_by_role("button", name="Invite").click()
    code = ann.page.get_by_role("img", name="QR code of the link")
    code.wait_for()
    other = visit()
    other.page.goto(live.url)
    drawn = other.page.evaluate(
        """async (text) => {
            const where = document.querySelector("script[src]").src.replace("main.mjs", "vendor/qrcode.mjs");
            const made = (await import(where)).default(0, "M");
            made.addData(text);
            made.make();
            const size = made.getModuleCount();
            const all = [...Array(size * size).keys()];
            return [size, all.filter((at) => made.isDark(Math.floor(at / size), at % size)).length];
        }""",
        room.link(),
    )
    size = int(code.get_attribute("viewBox").split()[2]) - 4  # type: ignore[union-attr]
    dark = code.locator("path").get_attribute("d")
    assert [size, str(dark).count("h1v1h-1z")] == drawn


# Chromium has a detector of codes on telephones and Macs only; the camera is a picture that stands still.
CAMERA = """window.BarcodeDetector = class {
    constructor({formats}) { this.formats = formats; }
    async detect(screen) { return screen.srcObject.active ? [{rawValue: "no link"}, {rawValue: window.code ?? ""}] : []; }
};
navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas");
    const draw = canvas.getContext("2d");
    setInterval(() => draw.fillRect(0, 0, Math.random() * 9, 9), 50);
    return (window.stream = canvas.captureStream());
};"""


@pytest.mark.sabotage("view/scanner.mjs", "for (const track of stream.getTracks()) track.stop();", "")
def test_01_a_qr_code_can_be_scanned_where_the_browser_can_read_one(live: Live, visit: Visit) -> None:
    room = live.room("Lunch")
    ann = visit()
    ann.page.goto(live.url)
    ann.page.get_by_role("button", name="Continue").wait_for()
    expect(ann.page.get_by_role("button", name="Scan a QR code")).to_have_count(0)
    ann.page.add_init_script(CAMERA)
    ann.page.reload()
    ann.page.get_by_role("button", name="Scan a QR code").click()
    ann.page.get_by_label("What the camera sees").wait_for()
    ann.has_no_barrier()
    ann.page.evaluate("(link) => { window.code = link; }", room.link())
    expect(ann.page.get_by_role("heading", name="Lunch")).to_be_visible()
    becomes_true(ann.page, "!window.stream.active")


@pytest.mark.sabotage("view/scanner.mjs", "} finally {", "} catch (error) { throw error; }\n  if (signal.aborted) {")
def test_01_the_camera_is_off_when_reading_its_picture_fails(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.page.add_init_script(
        CAMERA + "BarcodeDetector.prototype.detect = () => Promise.reject(new Error('no detector'));"
    )
    ann.page.goto(live.url)
    ann.page.get_by_role("button", name="Scan a QR code").click()
    expect(ann.page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    becomes_true(ann.page, "!window.stream.active")


@pytest.mark.sabotage("view/create.mjs", "maxParticipants: places", "maxParticipants: 100")
def test_01_a_room_is_opened_with_more_choices_and_plugins_ask_for_theirs(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.page.goto(live.url)
    mona.page.get_by_label("What is it about?").fill("Picnic")
    mona.page.get_by_text("More choices").click()
    mona.page.get_by_label("What guests read").fill("By the river")
    mona.page.get_by_label("Places").fill("7")
    mona.page.get_by_label("Rules").select_option("strict")
    mona.page.get_by_label("List it publicly").check()
    mona.has_no_barrier()
    mona.page.get_by_role("button", name="Open the room").click()
    mona.page.get_by_role("button", name="Go to the room").click()
    expect(mona.page.get_by_text("0 of at most 7 people")).to_be_visible()
    expect(mona.page.get_by_text("By the river")).to_be_visible()
    (listed,) = live.rest("GET", "/api/rooms")["rooms"]
    assert listed["title"] == "Picnic"
    found = live.rest("GET", f"/api/rooms/{listed['roomId']}")
    assert found["settings"] == {"moderation": {"preset": "strict"}}


@pytest.mark.sabotage("view/create.mjs", "lifetime.value ??= LONGEST", "lifetime.value ??= HOUR")
def test_01_a_room_has_no_end_only_where_messages_stay(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.page.goto(live.url)
    mona.page.get_by_label("What is it about?").fill("Picnic")
    lifetime, retention = mona.page.get_by_label("The room ends after"), mona.page.get_by_label("Messages go after")
    expect(lifetime.get_by_text("never")).to_have_count(0)
    retention.select_option(label="the end of the room")
    lifetime.select_option(label="never")
    retention.select_option(label="1 hour")
    expect(lifetime).to_have_value(str(30 * 86_400))
    retention.select_option(label="the end of the room")
    lifetime.select_option(label="never")
    mona.page.get_by_label("What is it about?").press("Enter")
    mona.page.get_by_role("button", name="Go to the room").click()
    expect(mona.page.get_by_text("The room has no fixed end.")).to_be_visible()


@pytest.mark.sabotage("view/parts.mjs", 'error.code === "validation_failed" ? sentences(error.errors) : []', "[]")
def test_01_what_does_not_fit_is_told_with_its_bound(live: Live, visit: Visit) -> None:
    mona = visit()
    mona.page.goto(live.url)
    mona.page.get_by_label("What is it about?").fill("Picnic")
    mona.page.get_by_text("More choices").click()
    mona.page.get_by_label("Places").fill("7000000")
    mona.page.get_by_role("button", name="Open the room").click()
    expect(mona.page.get_by_role("alert").filter(has_text="At most 5000")).to_be_visible()


@pytest.mark.sabotage("view/invites.mjs", 'rest("DELETE", path', 'rest("GET", path')
def test_04_moderators_see_make_and_revoke_links(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann, bob = visit(), visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Invite").click()
    mona.page.get_by_label("Can be used").select_option("10")
    mona.page.get_by_label("Valid for").select_option("3600")
    mona.page.get_by_role("button", name="Make a link for guests").click()
    link = mona.page.get_by_role("textbox", name="Link").input_value()
    ann.join(link, "Ann")
    mona.page.keyboard.press("Escape")
    mona.page.get_by_role("button", name="Invite").click()
    mona.page.get_by_text("Links into this room").click()
    mona.has_no_barrier()
    entry = mona.page.locator(".entry").filter(has_text="Used 1 of 10 times.")
    expect(entry).to_contain_text("Valid until")
    entry.get_by_role("button", name="Revoke").click()
    mona.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(mona.page.locator(".entry")).to_have_count(2)
    expect(entry).to_have_count(0)
    bob.page.goto(link)
    bob.page.get_by_role("button", name="Join").click()
    expect(bob.page.get_by_text("This invite is not valid")).to_be_visible()


@pytest.mark.sabotage("view/share.mjs", 'code === "invalid_invite"', "false")
def test_04_a_link_that_leads_nowhere_any_more_is_not_passed_on(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Invite").click()
    mona.page.get_by_label("Can be used").select_option("1")
    mona.page.get_by_role("button", name="Make a link for guests").click()
    shown = mona.page.get_by_role("textbox", name="Link")
    link = shown.input_value()
    mona.page.get_by_text("Links into this room").click()
    expect(mona.page.locator(".entry")).to_have_count(3)  # the two that the room was opened with, and this one
    mona.page.locator(".entry").last.get_by_role("button", name="Revoke").click()
    mona.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(mona.page.get_by_text("Guests need one of their own.")).to_be_visible()
    expect(shown).to_have_count(0)
    mona.page.get_by_label("Can be used").select_option("1")
    mona.page.get_by_role("button", name="Make a link for guests").click()
    expect(shown).not_to_have_value(link)
    ann.join(shown.input_value(), "Ann")
    mona.page.keyboard.press("Escape")
    mona.page.get_by_role("button", name="Invite").click()
    expect(mona.page.get_by_text("Guests need one of their own.")).to_be_visible()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("unknown", "There is no such room"),
        ("wrong", "This invite is not valid"),
        ("no secret", "The end of the link is missing"),
        ("broken", "The end of the link is missing"),
        ("ended", "This room has ended"),
        ("full", "This room is full"),
        ("closed", "This room is closed"),
        ("taken", "is taken. Choose another"),
    ],
)
@pytest.mark.sabotage("view/parts.mjs", "t(knows(key) ? key : error.message)", "t('error.internal')")
def test_02_each_reason_has_its_own_sentence_and_a_next_step(live: Live, visit: Visit, change: str, told: str) -> None:
    room = live.room(maxParticipants=1 if change == "full" else 10)
    ann = visit()
    link = room.link()
    path = f"/api/rooms/{room.id}"
    if change == "unknown":
        link = link.replace(room.id, "0" * 8)
    elif change == "wrong":
        link = f"{live.url}/r/{room.id}#nothing"
    elif change == "no secret":
        link = f"{live.url}/r/{room.id}"
    elif change == "broken":
        link += "%"
    elif change in ("full", "taken"):
        live.rest("POST", f"{path}/join", {"inviteToken": room.invite, "username": "Ann"})
    else:
        joined = live.rest("POST", f"{path}/join", {"moderatorToken": room.moderator, "username": "Mona"})
        live.rest("POST", f"{path}/{'end' if change == 'ended' else 'close'}", {}, joined["sessionToken"])
    ann.page.goto(link)
    way = ann.page.get_by_text(told)
    ann.page.get_by_label("Your name in this room").or_(way).first.wait_for()
    if not way.is_visible():
        ann.page.get_by_label("Your name in this room").fill("Ann")
        ann.page.keyboard.press("Enter")
    expect(way).to_be_visible()
    expect(ann.page.get_by_role("button").last).to_be_enabled()


@pytest.mark.parametrize("why", ["unreachable", "rate_limited"])
@pytest.mark.sabotage("view/join.mjs", "HOPELESS.has(problem.value.code) ? null : look", "true ? null : look")
def test_02_where_the_server_could_not_be_asked_one_asks_again(live: Live, visit: Visit, why: str) -> None:
    ann = visit()
    refusal = {"code": why, "message": "Too many requests; wait a moment.", "retryAfterMs": 2_000}

    def answer(route: Route) -> None:
        if why == "unreachable":
            route.abort("connectionrefused")
        else:
            route.fulfill(status=429, json=refusal)

    ann.page.route("**/api/rooms/*", answer)
    ann.page.goto(live.room().link())
    expect(ann.page.get_by_text(ann.word(f"error.{why}"))).to_be_visible()
    ann.page.unroute("**/api/rooms/*")
    ann.press("action.retry")
    expect(ann.page.get_by_label("Your name in this room")).to_be_visible()


@pytest.mark.sabotage("view/join.mjs", 'error.code !== "room_ended"', "true")
def test_02_the_link_of_an_ended_room_tells_what_was_deleted(live: Live, visit: Visit) -> None:
    room = live.room()
    path = f"/api/rooms/{room.id}"
    mona = live.rest("POST", f"{path}/join", {"moderatorToken": room.moderator, "username": "Mona"})
    live.rest("POST", f"{path}/end", {}, mona["sessionToken"])
    ann = visit()
    ann.page.goto(room.link())
    for told in ("This room has ended", "1 participant", "2 invites"):
        expect(ann.page.get_by_text(told)).to_be_visible()


@pytest.mark.sabotage("client.mjs", "if (membership) this.enter(", "if (false) this.enter(")
def test_03_a_reload_never_asks_for_the_name_again(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.join(live.room().link(), "Ann")
    ann.page.reload()
    ann.page.locator("#composer").wait_for()
    ann.page.get_by_role("button", name="People").click()
    expect(ann.page.get_by_text("(you)")).to_be_visible()
    expect(ann.page.locator(".people li")).to_have_count(1)


@pytest.mark.sabotage("browser/drawers.mjs", "this.#memory.set(key, text);", "")
def test_03_where_storage_is_forbidden_one_can_come_in(live: Live, visit: Visit) -> None:
    ann = visit()
    ann.context.add_init_script(
        """for (const name of ["sessionStorage", "localStorage"])
            Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });"""
    )
    ann.join(live.room().link(), "Ann")
    ann.say("I am here")
    ann.sees("I am here")


@pytest.mark.parametrize("name", ["stay.mjs", "session.mjs"])
@pytest.mark.sabotage("client.mjs", "this.isIncomplete.value = true;", "")
def test_03_a_page_of_a_server_that_was_renewed_says_how_to_go_on(live: Live, visit: Visit, name: str) -> None:
    ann = visit()
    ann.page.route(f"**/{name}", lambda route: route.fulfill(status=404))
    ann.page.goto(live.room().link())
    ann.page.locator("input[name=name]").fill("Ann")
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_text("It could not be loaded.")).to_be_visible()
    ann.has_no_barrier()
    ann.page.unroute(f"**/{name}")
    ann.page.get_by_role("button", name="Load the page anew").click()
    ann.page.locator("#composer").wait_for()


@pytest.mark.sabotage("texts/catalogue.mjs", "await LOADERS[chosen]().catch(() => null);", "await LOADERS[chosen]();")
def test_03_without_the_texts_of_a_language_the_page_is_there_in_english(live: Live, visit: Visit) -> None:
    ann = visit(locale="de-DE")
    ann.page.route("**/de.mjs", lambda route: route.fulfill(status=404))
    ann.join(live.room().link(), "Ann")
    expect(ann.page.locator("html")).to_have_attribute("lang", "en")
    ann.page.route("**/qrcode.mjs", lambda route: route.fulfill(status=404))
    ann.page.get_by_role("button", name="Invite").click()
    expect(ann.page.get_by_text("The QR code could not be drawn.")).to_be_visible()


@pytest.mark.sabotage("client.mjs", 'else if (location.hash !== "")', "else if (false)")
def test_04_the_secret_leaves_the_address_bar_and_can_be_shared(live: Live, visit: Visit) -> None:
    room = live.room()
    ann = visit(permissions=["clipboard-read", "clipboard-write"])
    ann.page.goto(room.link())
    ann.page.get_by_label("Your name in this room").wait_for()
    assert ann.page.url == f"{live.url}/r/{room.id}"
    ann.page.keyboard.press("Enter")
    ann.page.get_by_role("button", name="Invite").click()
    ann.page.get_by_role("button", name="Copy").first.click()
    assert ann.page.evaluate("navigator.clipboard.readText()") == room.link()


@pytest.mark.sabotage(
    "client.mjs",
    'return membership.role === "moderator" ? membership : { ...membership, invite: secret };',
    "return { ...membership, invite: secret };",
)
def test_04_a_moderator_shares_a_link_for_guests_and_never_the_own(live: Live, visit: Visit) -> None:
    room = live.room()
    mona, ann = visit(), visit()
    mona.join(room.link(moderator=True), "Mona")
    mona.page.get_by_role("button", name="Invite").click()
    mona.page.get_by_role("button", name="Make a link for guests").click()
    link = mona.page.get_by_role("textbox", name="Link").input_value()
    assert room.moderator not in link
    ann.join(link, "Ann")


@pytest.mark.sabotage(
    "view/created.mjs",
    "client.visit(room.roomId, room.moderatorToken);",
    "client.visit(room.roomId, room.inviteToken);",
)
def test_01_a_room_is_opened_and_shared_from_the_front_page(live: Live, visit: Visit) -> None:
    mona, ann = visit(), visit()
    mona.page.goto(live.url)
    mona.page.get_by_label("What is it about?").fill("Picnic")
    mona.page.get_by_label("Messages go after").select_option("3600")
    mona.page.get_by_role("button", name="Open the room").click()
    shown = mona.page.get_by_role("textbox", name="Link")
    expect(shown).to_have_value(re.compile("#."))
    link = shown.input_value()
    mona.page.get_by_role("button", name="Go to the room").click()
    mona.page.get_by_label("Your name in this room").fill("Mona")
    mona.page.keyboard.press("Enter")
    expect(mona.page.get_by_text("Mona moderates.")).to_be_visible()
    ann.join(link, "Ann")
    ann.say("Hello")
    mona.sees("Hello")
