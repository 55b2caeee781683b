"""What holds on every page and dialog: points 33, 35, 36, 37 and 38, and that nothing which people write breaks anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from .corpus import HOSTILE, ORDINARY
from .places import OPERATOR, places

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from .conftest import Live
    from .visitors import Visit, Visitor

pytestmark = [pytest.mark.server(server={"port": 0, "operator_token": OPERATOR}), pytest.mark.timeout(300)]

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
PHONE = {"width": 360, "height": 740}
SCREENS = {"phone": PHONE, "tablet": {"width": 768, "height": 1024}, "desk": {"width": 1440, "height": 900}}

PROBES = (Path(__file__).parent / "probes.js").read_text(encoding="utf-8")


def ask(visitor: Visitor, question: str) -> list[str]:
    """What a probe finds on the page as it is now."""
    return list(visitor.page.evaluate(f"{PROBES}; probes.{question}()"))


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.sabotage("style.css", "body { margin: 0;", "main * { color: #777 !important; background: #888; }")
def test_33_35_axe_finds_nothing_anywhere_in_light_and_dark(live: Live, visit: Visit, locale: str) -> None:
    found: dict[str, str] = {}
    for name, visitor in places(live, visit, locale=locale, reduced_motion="reduce"):
        for scheme in SCHEMES:
            visitor.page.emulate_media(color_scheme=scheme)
            found |= dict.fromkeys(visitor.barriers(), f"{name}, {scheme}")
        visitor.page.emulate_media(color_scheme="light")
    assert found == {}


@pytest.mark.sabotage(
    "client.css", ".banner > * { margin-block: 0.4rem; min-inline-size: 0; overflow-wrap: anywhere; }", ""
)
def test_36_37_hostile_texts_run_nothing_and_break_nothing_on_a_telephone(live: Live, visit: Visit) -> None:
    found = {}
    for name, visitor in places(live, visit, HOSTILE, viewport=PHONE, has_touch=True):
        visitor.page.on("dialog", lambda dialog: dialog.dismiss())  # an alert would be one; nothing else asks so
        for direction in ("ltr", "rtl"):
            visitor.page.evaluate("(to) => document.documentElement.dir = to", direction)
            if broken := [*ask(visitor, "sticksOut"), *ask(visitor, "madeOfText")]:
                found[f"{name}, {direction}"] = broken
        visitor.page.evaluate("document.documentElement.dir = 'ltr'")
    assert found == {}


@pytest.mark.sabotage("view/create.mjs", '<h2>${t("create.title")}</h2>', "<h2>Open a room</h2>")
def test_38_every_text_on_every_page_is_of_the_catalogue(live: Live, visit: Visit) -> None:
    """In another language, so that also what the server says in its own words has to be in the catalogue."""
    found = {}

    def marked(**options: object) -> Visitor:
        visitor = visit(**{**options, "locale": "de-DE"})
        visitor.context.route(re.compile(r"/texts/(said\.)?de\.mjs$|/texts\.mjs$"), _mark)
        return visitor

    for name, visitor in places(live, marked):
        if outside := ask(visitor, "outside"):
            found[name] = outside
    assert found == {}


def _mark(route: Route) -> None:
    """Put brackets around each text of a catalogue."""
    source = route.fetch().text()
    marked = re.sub(r'": ("(?:[^"\\]|\\.)*")|(\b(?:\w+): )("(?:[^"\\]|\\.)*")', _bracketed, source)
    route.fulfill(body=marked, content_type="text/javascript; charset=utf-8")


def _bracketed(found: re.Match[str]) -> str:
    quoted = found[1] or found[3]
    before = '": ' if found[1] else found[2]
    return f'{before}"⟦{quoted[1:-1]}⟧"'


@pytest.mark.pictures
@pytest.mark.parametrize("screen", SCREENS)
def test_pictures_of_every_place(live: Live, visit: Visit, screen: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.config.getoption("--pictures")
    for number, (name, visitor) in enumerate(places(live, visit, ORDINARY, viewport=SCREENS[screen])):
        for scheme in SCHEMES:
            visitor.page.emulate_media(color_scheme=scheme)
            visitor.page.screenshot(path=folder / screen / f"{number:02} {name}, {scheme}.png", animations="disabled")
        visitor.page.emulate_media(color_scheme="light")
