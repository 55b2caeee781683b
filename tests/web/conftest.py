"""A real server, a real browser, and people in it. Nothing that they do may trouble the console, the policy or a third party.

With ``--sabotage`` each test that is marked with one line to break runs against that, and has to fail.
"""

from __future__ import annotations

import asyncio
import importlib
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, WebSocketRoute, sync_playwright

from anonchat.app import Server
from anonchat.config import Settings
from anonchat.declarations import WebAssets
from anonchat.http import assets
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest

EXAMPLE = Path(__file__).parents[2] / "examples" / "anonchat-dice"
PLUGIN_FOLDER = Path(__file__).parents[2] / "plugins"
WAIT_MS = 8_000
RESTARTED = 1012  # the close code for a server that comes back
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # pages that the tests make up have no address, and are asked for one
)  # fmt: skip
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = """axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((found) =>
    found.violations.map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`))"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sabotage", action="store_true", help="break what each test is about, and expect it to fail")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "server(**tables): settings of the server")
    config.addinivalue_line("markers", "without_plugins: none of the plugins is on")
    config.addinivalue_line("markers", "dice: the plugin of the examples is on")
    config.addinivalue_line(
        "markers", "sabotage(file, old, new): a line of the client without which the test must fail"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--sabotage", default=False):
        return
    marked = [item for item in items if item.get_closest_marker("sabotage")]
    items[:] = marked
    for item in marked:
        item.add_marker(pytest.mark.xfail(strict=True, reason="sabotaged"))


# --- the server


class Live:
    """A server in a thread of its own, so that tests can drive a browser in this one."""

    def __init__(self, settings: Settings, plugins: Mapping[str, object]) -> None:
        self._settings = settings
        self._plugins = plugins
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._stopped = asyncio.Event()
        self._running = threading.Event()
        self.server: Server

    def start(self) -> None:
        self._thread.start()
        self._work = asyncio.run_coroutine_threadsafe(self._serve(), self.loop)
        while not self._running.wait(0.05):
            if self._work.done():
                self._work.result()

    async def _serve(self) -> None:
        async with running_server(self._settings, plugins=self._plugins) as self.server:
            self._running.set()
            await self._stopped.wait()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stopped.set)
        self._work.result(timeout=30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def rest(self, method: str, path: str, body: object = None, token: str | None = None) -> Any:
        """The body of the answer, which must be a good one."""
        reply = Rest(self.server.port).call(method, path, body, token=token)
        assert reply.status < 300, reply.body
        return reply.body

    def room(self, title: str = "Lunch", **body: object) -> Room:
        made = self.rest("POST", "/api/rooms", {"title": title, **body})
        return Room(self, made["roomId"], made["inviteToken"], made["moderatorToken"])


@dataclass(frozen=True)
class Room:
    live: Live
    id: str
    invite: str
    moderator: str

    def link(self, *, moderator: bool = False) -> str:
        return f"{self.live.url}/r/{self.id}#{self.moderator if moderator else self.invite}"


PLUGINS = ("moderation", "notifications", "pins", "polls", "analytics")


@pytest.fixture
def live(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    _sabotage(request, tmp_path, monkeypatch)
    marked = request.node.get_closest_marker
    tables = marked("server").kwargs if marked("server") else {}
    enabled = () if marked("without_plugins") else PLUGINS
    settings = settings_in(tmp_path, plugins={"enabled": enabled}, **tables)
    running = Live(settings, _dice(monkeypatch) if marked("dice") else {})
    running.start()
    yield running
    running.stop()


def _dice(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, object]:
    """The plugin of the examples, which is not installed."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return {"dice": importlib.import_module("anonchat_dice").Dice()}


def _sabotage(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = request.node.get_closest_marker("sabotage")
    if marker is None or not request.config.getoption("--sabotage", default=False):
        return
    name, old, new = marker.args
    plugin, _, _ = name.rpartition("/static/")  # plugins' files are named with their folders
    whole = (PLUGIN_FOLDER / plugin / "static") if plugin else assets.STATIC
    broken = folder / "broken" / plugin / "static"
    shutil.copytree(whole, broken)
    file = broken / name.removeprefix(f"{plugin}/static/")
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        pytest.exit(f"{name} does not hold {old!r} once", 1)
    file.write_text(text.replace(old, new), encoding="utf-8")
    _serve_instead(whole, broken, monkeypatch)


def _serve_instead(whole: Path, broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one folder of files stand for another, on the servers that are started from now on."""
    given = assets.all_assets

    def swapped(declared: WebAssets) -> WebAssets:
        return replace(declared, folder=broken) if declared.folder == whole else declared

    def all_assets(declared: Iterable[tuple[str, WebAssets]]) -> Sequence[assets.Assets]:
        return given([(owner, swapped(one)) for owner, one in declared])

    monkeypatch.setattr(assets, "CLIENT", swapped(assets.CLIENT))
    monkeypatch.setattr("anonchat.app.all_assets", all_assets)


# --- the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        except Error as error:
            pytest.fail(f"No Chromium: apt-get install chromium, or python -m playwright install chromium ({error})")
        yield launched
        launched.close()


@dataclass
class Visitor:
    """Somebody with a browser window of their own."""

    page: Page
    context: BrowserContext
    troubles: list[str] = field(default_factory=list)
    _sockets: list[WebSocketRoute] = field(default_factory=list)
    _is_cut: bool = False
    _lost: str | None = None

    def carry(self) -> None:
        """Carry the WebSockets of the page, so that they can be cut; what Playwright calls offline leaves them alone."""
        self.page.route_web_socket("**/ws", self._carried)

    def _carried(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close(code=RESTARTED)
            return
        server = socket.connect_to_server()
        server.on_message(lambda frame: self._pass(socket, frame))
        self._sockets.append(socket)

    def _pass(self, socket: WebSocketRoute, frame: str | bytes) -> None:
        if self._lost is not None and self._lost in str(frame):
            self._lost = None
        else:
            socket.send(frame)

    def lose(self, part: str) -> None:
        """Lose the next frame of the server that holds `part`, without anybody being told."""
        self._lost = part

    def cut(self) -> None:
        """Lose the connection, and find none until `mend`."""
        self._is_cut = True
        while self._sockets:
            self._sockets.pop().close(code=RESTARTED)

    def mend(self) -> None:
        self._is_cut = False
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def join(self, link: str, name: str) -> None:
        self.page.goto(link)
        self.page.get_by_label("Your name in this room").fill(name)
        self.page.keyboard.press("Enter")
        self.page.locator("#composer").wait_for()

    def say(self, text: str) -> None:
        self.page.locator("#composer").fill(text)
        self.page.locator(".send").click()

    def sees(self, text: str) -> None:
        self.page.locator("article:not(.waiting)").filter(has_text=text).last.wait_for()

    def texts(self) -> list[str]:
        """What the messages say, without those that are on their way."""
        return self.page.locator("article:not(.waiting) .rich").all_inner_texts()

    def message(self, text: str) -> Any:
        return self.page.locator("article").filter(has_text=text).last

    def do(self, text: str, action: str) -> None:
        """Choose something from the menu of a message."""
        message = self.message(text)
        message.focus()
        self.page.keyboard.press("Enter")
        self.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()

    def has_no_barrier(self) -> None:
        """What axe finds on the page as it is now."""
        self.page.evaluate(AXE)
        assert self.page.evaluate(RULES) == []


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, live: Live) -> Iterator[Visit]:
    """Opens windows; at the end nothing may have troubled any of them."""
    visitors: list[Visitor] = []

    def opened(**options: Any) -> Visitor:
        context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1024, "height": 720}, **options})
        context.set_default_timeout(WAIT_MS)
        visitor = Visitor(context.new_page(), context)
        _watch(visitor, live)
        visitors.append(visitor)
        return visitor

    yield opened
    for visitor in visitors:
        visitor.context.close()
    assert [visitor.troubles for visitor in visitors] == [[] for _ in visitors]


def _watch(visitor: Visitor, live: Live) -> None:
    page, troubles = visitor.page, visitor.troubles
    foreign = ("http", "ws")
    expected = (
        "ERR_INTERNET_DISCONNECTED",
        "ERR_CONNECTION_REFUSED",
        "the server responded with a status of 4",
        "WebSocket",
    )
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: (
            troubles.append(f"{said.type}: {said.text}")
            if said.type in ("error", "warning") and not any(part in said.text for part in expected)
            else None
        ),
    )
    page.on(
        "request",
        lambda asked: (
            troubles.append(f"third party: {asked.url}")
            if asked.url.startswith(foreign) and not asked.url.startswith(live.url)
            else None
        ),
    )
