"""A room inside the page of another site: the second half of point 39."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from anonchat.testing.clients import Rest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

    from tests.web.conftest import Live, Room, Visit

SITE, STRANGER = "http://localhost:8009", "http://localhost:8010"


def embedded(page: Page, site: str, room: Room) -> tuple[FrameLocator, list[str]]:
    """The room in a page of `site`, and what the browser complained about."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    src = f"{room.live.url}/embed/r/{room.id}#{room.invite}"
    body = f"<!doctype html><title>A site</title><iframe src='{src}' title='Chat' width=360 height=560></iframe>"
    page.route(f"{site}/", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{site}/")
    return page.frame_locator("iframe"), complaints


@pytest.mark.server(server={"port": 0, "allowed_origins": [SITE]})
@pytest.mark.sabotage("client.mjs", '${this.isEmbedded ? "/embed" : ""}/r/', "/r/")
def test_39_a_site_that_is_allowed_shows_a_room_in_its_page(live: Live, visit: Visit) -> None:
    room = live.room("Lunch")
    bob = visit()
    bob.join(room.link(), "Bob")
    site = visit(viewport={"width": 900, "height": 700})
    frame, complaints = embedded(site.page, SITE, room)
    frame.get_by_label("Your name in this room").fill("Ann")
    frame.get_by_role("button", name="Join").click()
    frame.locator("#composer").fill("hello from the site")
    frame.get_by_role("button", name="Send").click()
    bob.sees("hello from the site")
    inner = frame.locator("html")
    assert inner.evaluate("() => location.pathname + location.hash") == f"/embed/r/{room.id}"
    assert inner.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    inner.evaluate("() => location.reload()")
    expect(frame.locator("article").filter(has_text="hello from the site")).to_be_visible()
    frame.get_by_role("button", name="More").first.click()
    frame.get_by_role("button", name="About this room").click()
    expect(frame.get_by_role("link", name="What this server keeps")).to_be_visible()
    assert inner.evaluate("() => document.querySelector('base').target") == "_blank"
    frame.get_by_role("button", name="Leave", exact=True).click()
    expect(frame.get_by_role("alert")).to_be_visible()
    expect(frame.get_by_role("button", name="To the front page")).to_have_count(0)
    assert complaints == []
    assert site.troubles == [f"third party: {SITE}/"]  # the page around it, and nothing else
    site.troubles.clear()


@pytest.mark.server(server={"port": 0, "allowed_origins": [SITE]})
def test_39_another_site_cannot(live: Live, browser: Browser) -> None:
    room = live.room("Lunch")
    frame, complaints = embedded(browser.new_context().new_page(), STRANGER, room)
    expect(frame.get_by_label("Your name in this room")).to_have_count(0)
    assert "frame-ancestors" in " ".join(complaints)


def test_39_without_allowed_origins_only_our_own_pages_can(live: Live) -> None:
    room = live.room()
    rest = Rest(live.server.port)
    policies = [rest.call("GET", f"{path}/{room.id}").headers["Content-Security-Policy"] for path in ("/embed/r", "/r")]
    assert [policy.rsplit("frame-ancestors ", 1)[1] for policy in policies] == ["'self'", "'none'"]
