"""One line of the client, broken on its way into the browser: whatever serves it, and in whatever process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Route

from anonchat.http.assets import STATIC

ROOT = Path(__file__).parents[2]
HOMES = (ROOT / "plugins", ROOT / "examples")
CORE = "anonchat"
KINDS = {".mjs": "text/javascript", ".css": "text/css", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True)
class Sabotage:
    """`name` is a file in a `folder` that is served for `owner`; in it `old` stands once, and `new` is put in its place."""

    owner: str
    folder: Path
    name: str
    old: str
    new: str

    @property
    def is_possible(self) -> bool:
        """Whether the line is there, once."""
        return self._text.count(self.old) == 1

    def apply(self, context: BrowserContext) -> None:
        """From now on the windows of `context` load the broken file."""
        broken = self._text.replace(self.old, self.new)
        kind = KINDS[Path(self.name).suffix]

        def answer(route: Route) -> None:
            route.fulfill(body=broken, content_type=f"{kind}; charset=utf-8")

        context.route(re.compile(rf"/static/{self.owner}/([0-9a-f]+/)?{re.escape(self.name)}$"), answer)

    @property
    def _text(self) -> str:
        return (self.folder / self.name).read_text(encoding="utf-8")


def sabotages(item: pytest.Item) -> Iterable[Sabotage]:
    """What is named beside a test; files of plugins with their folders, ``polls/anonchat_polls/static/card.mjs``."""
    for marker in item.iter_markers("sabotage"):
        file, old, new = marker.args
        plugin, _, name = file.rpartition("/static/")
        homes = [home / plugin / "static" for home in HOMES if plugin and (home / plugin).is_dir()]
        owner = plugin.partition("/")[0].removeprefix("anonchat-") or CORE
        yield Sabotage(owner, homes[0] if homes else STATIC, name, old, new)
