"""Somebody with a browser window of their own, and all that may trouble them there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, WebError, WebSocketRoute

BECOMES_SECONDS = 20
RESTARTED = 1012  # the close code for a server that comes back
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = """(levels) => axe.run(document, { runOnly: levels }).then((found) => found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, any }) => `${id}: ${html.slice(0, 120)} ${any[0]?.message ?? ""}`)))"""
SAID_IN = """async ([key, values]) => {
    const main = document.querySelector("script[type=module]").src;
    return (await import(main.replace("main.mjs", "texts/catalogue.mjs"))).t(key, values);
}"""
POLICY = """addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error(`against the policy: ${violatedDirective} ${blockedURI}`))"""
OURS = re.compile(r"(http|ws)://127\.0\.0\.1:\d+/|(blob|data|about|chrome-error):")
# What a browser says of a lost connection and of a refusal, both of which tests bring about.
EXPECTED = (
    "ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE",
    "the server responded with a status of 4", "WebSocket connection to",
)  # fmt: skip


def becomes_true(page: Page, expression: str) -> None:
    """Wait until it is. Playwright's own wait has the page evaluate a text, which the page's policy forbids."""
    until = time.monotonic() + BECOMES_SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"It never is: {expression}"
        page.wait_for_timeout(20)


@dataclass
class Visitor:
    """One context of the browser with one page; `troubles` must be empty at the end."""

    page: Page
    context: BrowserContext
    troubles: list[str] = field(default_factory=list)
    _sockets: list[WebSocketRoute] = field(default_factory=list)
    _is_cut: bool = False
    _lost: str | None = None
    _altered: Callable[[str], str] = str

    # --- the connection

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
            socket.send(self._altered(str(frame)))

    def lose(self, part: str) -> None:
        """Lose the next frame of the server that holds `part`, without anybody being told."""
        self._lost = part

    def alter(self, frame: Callable[[str], str]) -> None:
        """From now on the page hears what `frame` makes of a frame of the server."""
        self._altered = frame

    def cut(self) -> None:
        """Lose the connection, and find none until `mend`."""
        self._is_cut = True
        while self._sockets:
            self._sockets.pop().close(code=RESTARTED)

    def mend(self) -> None:
        """There is a network again."""
        self._is_cut = False
        self.page.evaluate("dispatchEvent(new Event('online'))")

    # --- the room

    def join(self, link: str, name: str) -> None:
        """Come into a room, in whatever language the page is."""
        self.page.goto(link)
        self.page.locator("input[name=name]").fill(name)
        self.page.keyboard.press("Enter")
        self.page.locator("#composer").wait_for()

    def say(self, text: str) -> None:
        """Write a message and press the button."""
        self.page.locator("#composer").fill(text)
        self.page.locator(".send").click()

    def sees(self, text: str) -> None:
        """Wait for a message that has arrived."""
        self.page.locator("article:not(.waiting)").filter(has_text=text).last.wait_for()

    def texts(self) -> list[str]:
        """What the messages say, without those that are on their way."""
        return self.page.locator("article:not(.waiting) .rich").all_inner_texts()

    def message(self, text: str) -> Locator:
        """The newest message that says a text, and does not only answer one that does."""
        return self.page.locator("article").filter(has=self.page.locator(".rich", has_text=text)).last

    def do(self, text: str, action: str) -> None:
        """Choose something from the menu of a message."""
        self.message(text).focus()
        self.page.keyboard.press("Enter")
        self.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()

    # --- what is shown

    def word(self, key: str, **values: object) -> str:
        """A text of the catalogue as the page shows it now, in its language."""
        return str(self.page.evaluate(SAID_IN, [key, values]))

    def press(self, key: str, **values: object) -> None:
        """Press the button that is called by a text of the catalogue; the one on top, where there are several."""
        self.page.get_by_role("button", name=self.word(key, **values), exact=True).last.click()

    def barriers(self) -> list[str]:
        """What axe finds on the page as it is now."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        return list(self.page.evaluate(RULES, LEVELS))

    def has_no_barrier(self) -> None:
        """axe finds nothing."""
        assert self.barriers() == []


Visit = Callable[..., Visitor]


def watch(visitor: Visitor) -> None:
    """Note what no page may do: errors, warnings, breaches of the policy, requests to anybody but a server of the test."""
    context, troubles = visitor.context, visitor.troubles

    def failed(error: WebError) -> None:
        troubles.append(f"error: {error.error}")

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _holds(message.text, EXPECTED):
            troubles.append(f"{message.type}: {message.text}")

    def asked(request: Request) -> None:
        if OURS.match(request.url) is None:
            troubles.append(f"third party: {request.url}")

    context.add_init_script(POLICY)
    context.on("weberror", failed)
    context.on("console", said)
    context.on("request", asked)


def _holds(text: str, parts: Iterable[str]) -> bool:
    return any(part in text for part in parts)
