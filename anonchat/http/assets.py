"""``/static/<plugin>/``: the files that plugins bring for the web client."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from anonchat.declarations import WebAssets
from anonchat.errors import ChatError
from anonchat.http.door import Door
from anonchat.http.pages import PageHandler
from anonchat.limits import Limits
from anonchat.rooms import Rooms

# What browsers insist on, and what systems do not all know.
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}


class PluginFile(PageHandler):
    """One file of a plugin's folder; what lies outside of it is not there."""

    def initialize(self, door: Door, rooms: Rooms, limits: Limits, folder: Path) -> None:  # type: ignore[override]
        """Called by Tornado with the keywords of the rule."""
        super().initialize(door, rooms, limits)
        self.folder = folder

    def get(self, name: str) -> None:
        """The file. Links that lead out of the folder are followed by nobody."""
        try:
            path = (self.folder / name).resolve()
            content = path.read_bytes() if path.is_relative_to(self.folder) else None
        except (OSError, ValueError):
            content = None
        if content is None:
            raise ChatError("not_found")
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "max-age=3600")
        self.finish(content)


def asset_rule(plugin: str, assets: WebAssets, door: Door, rooms: Rooms, limits: Limits) -> tuple[Any, ...]:
    """Tornado's rule for the files of one plugin."""
    keywords = {"door": door, "rooms": rooms, "limits": limits, "folder": assets.folder.resolve()}
    return (rf"/static/{plugin}/(.+)", PluginFile, keywords)
