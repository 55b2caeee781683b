"""A real server, a real browser, and people in it. Nothing that they do may trouble the console, the policy or a third party.

With ``--sabotage`` each test that is marked with one line to break runs against that, and has to fail.
"""

from __future__ import annotations

import asyncio
import importlib
import shutil
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from anonchat.app import Server
from anonchat.config import Settings
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest
from anonchat.testing.people import OpenRoom

from .sabotage import sabotages
from .visitors import Visit, Visitor, watch

__all__ = ["Live", "Room", "Visit"]

T = TypeVar("T")
EXAMPLE = Path(__file__).parents[2] / "examples" / "anonchat-dice"
WAIT_MS = 20_000  # also on a machine that has other work
SABOTAGED_WAIT_MS = 5_000
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # pages that the tests make up have no address, and are asked for one
)  # fmt: skip
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sabotage", action="store_true", help="break what each test is about, and expect it to fail")
    parser.addoption("--pictures", type=Path, help="a folder for pictures of every page and dialog")


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "server(**tables): settings of the server",
        "without_plugins: none of the plugins is on",
        "dice: the plugin of the examples is on",
        "sabotage(file, old, new): a line of the client without which the test must fail",
        "pictures: takes pictures, for --pictures",
    ):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    takes_pictures = config.getoption("--pictures", default=None) is not None
    items[:] = [item for item in items if takes_pictures or not item.get_closest_marker("pictures")]
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
        self._work.result(timeout=120)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """What something comes to in the loop of the server."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=seconds)

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

    @property
    def opened(self) -> OpenRoom:
        """The same room for people without a browser."""
        return OpenRoom(self.live.server, self.id, self.invite, self.moderator)

    @contextmanager
    def people(self, *names: str) -> Iterator[None]:
        """More people who are there, without a browser."""
        opened, stack = self.opened, AsyncExitStack()

        async def come() -> None:
            for name in names:
                await stack.enter_async_context(opened.enter(name))

        self.live.run(come())
        yield
        self.live.run(stack.aclose())


PLUGINS = ("moderation", "notifications", "pins", "polls", "analytics")


@pytest.fixture
def live(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
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


# --- the browser


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    expect.set_options(timeout=_wait_ms(request))
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        except Error as error:
            pytest.fail(f"No Chromium: apt-get install chromium, or python -m playwright install chromium ({error})")
        yield launched
        launched.close()


def _wait_ms(request: pytest.FixtureRequest) -> int:
    return SABOTAGED_WAIT_MS if request.config.getoption("--sabotage", default=False) else WAIT_MS


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Opens windows; at the end nothing may have troubled any of them."""
    visitors: list[Visitor] = []
    broken = list(sabotages(request.node)) if request.config.getoption("--sabotage", default=False) else []

    def opened(**options: Any) -> Visitor:
        context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1024, "height": 720}, **options})
        context.set_default_timeout(_wait_ms(request))
        for one in broken:
            one.apply(context)
        visitor = Visitor(context.new_page(), context)
        watch(visitor)
        visitors.append(visitor)
        return visitor

    yield opened
    for visitor in visitors:
        visitor.context.close()
    if not broken:
        assert [visitor.troubles for visitor in visitors] == [[] for _ in visitors]
