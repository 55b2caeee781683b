"""``/static/<owner>/``: the files of the web client, and those that plugins bring for it.

They are read once, at the start. Under ``/static/<owner>/<digest>/`` they can be kept for ever: the digest is that of all
files of the owner, modules import each other by relative paths, and so a page never mixes two versions.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonchat.connections.events import CORE
from anonchat.errors import ChatError, StartError
from anonchat.http.api import PlainHandler
from anonchat.http.ingress import Ingress
from anonchat.plugins.declarations import WebAssets

STATIC = Path(__file__).parent.parent / "web" / "static"
CLIENT = WebAssets(STATIC, "main.mjs")

KEPT = "public, max-age=31536000, immutable"
ASKED_AGAIN = "max-age=3600"
PACKED_FROM = 1_000  # bytes from which packing is worth it
_IMPORT = re.compile(r'\bfrom ?"(\.[^"]+)"')

# What browsers insist on, and what systems do not all know.
_TYPES = {
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


class File:
    """A file as it is sent."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @functools.cached_property
    def packed(self) -> bytes | None:
        """The content, packed when first asked for: a start packs nothing. None where packing does not help."""
        packed = gzip.compress(self.content, mtime=0) if len(self.content) >= PACKED_FROM else None
        return packed if packed is not None and len(packed) < len(self.content) else None


class Assets:
    """The files of one owner, by their path inside its folder. Links that lead out of the folder are followed by nobody."""

    def __init__(self, owner: str, declared: WebAssets) -> None:
        folder = declared.folder.resolve()
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.resolve().is_relative_to(folder)]
        self.owner = owner
        self.module = declared.module
        self.files = {path.relative_to(folder).as_posix(): File(path) for path in paths}
        if self.module not in self.files:
            raise StartError(f"The plugin {owner!r} names the web module {self.module!r}, which is not in {folder}.")
        digest = hashlib.sha256()
        for name, file in self.files.items():
            digest.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        self.digest = digest.hexdigest()[:16]
        self.needed = _imported(self.module, self.files)

    def url(self, name: str) -> str:
        """Where a file is, for as long as it is as it is."""
        return f"/static/{self.owner}/{self.digest}/{name}"


def _imported(module: str, files: Mapping[str, File]) -> Sequence[str]:
    """The modules without which `module` cannot run, with itself: those that it imports, and what they import."""
    found = [module]
    for name in found:
        for path in _IMPORT.findall(files[name].content.decode()) if name in files else ():
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if wanted not in found:
                found.append(wanted)
    return found


class AssetHandler(PlainHandler):
    """One file. It costs nothing to answer, and a page asks for many, so no limit counts them."""

    def initialize(self, ingress: Ingress, assets: Assets) -> None:
        """Called by Tornado with the keywords of the rule."""
        self.ingress = ingress
        self.assets = assets

    def prepare(self) -> None:
        """Refuse foreign hosts."""
        self.ingress.check_host(self.request)

    def allowed(self) -> Iterable[str]:
        """Files are only read."""
        return ("GET", "HEAD")

    def head(self, name: str) -> None:
        """Like GET; Tornado leaves the body out."""
        self.get(name)

    def get(self, name: str) -> None:
        """The file, packed for those who can unpack it."""
        digest, _, rest = name.partition("/")
        is_kept = digest == self.assets.digest
        file = self.assets.files.get(rest if is_kept else name)
        if file is None:
            raise ChatError("not_found")
        self.set_header("Content-Type", file.kind)
        self.set_header("Cache-Control", KEPT if is_kept else ASKED_AGAIN)
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", "") and file.packed is not None:
            self.set_header("Content-Encoding", "gzip")
            self.finish(file.packed)
        else:
            self.finish(file.content)


def all_assets(declared: Iterable[tuple[str, WebAssets]]) -> Sequence[Assets]:
    """The web client's own first, then those of the plugins in their order."""
    return [Assets(CORE, CLIENT), *(Assets(owner, assets) for owner, assets in declared)]


def asset_rules(assets: Sequence[Assets], ingress: Ingress) -> list[tuple[Any, ...]]:
    """Tornado's rules for them."""
    return [(rf"/static/{one.owner}/(.+)", AssetHandler, {"ingress": ingress, "assets": one}) for one in assets]
