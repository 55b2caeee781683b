"""Links, with and without a scheme, also where the dot is disguised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import regex

from anonchat_moderation.content.folding import Text, compatible
from anonchat_moderation.content.verdicts import Action, Facts, Verdict

# Endings of domains that people use; with two letters: those that are no word, and no ending of a file.
_ENDINGS = frozenset(Path(__file__).with_name("endings.txt").read_text(encoding="utf-8").split())
# Words and endings of files as well ("end.So", "main.py"): such a name counts only if more of it looks like an address.
_DOUBTFUL = frozenset(
    "as at be by cc de do hm id in is it la ma me my no pl pm ps py re rs sh sm so to us zip mov md".split()  # noqa: SIM905
)

# What the web client makes a link of (`LINK` in its text/markdown.mjs), up to the end of the authority: spaces are those
# of JavaScript, signs that turn the direction around end it, and slashes before a name do not count, as browsers read it.
_CLICKABLE = re.compile(
    r"https?://[/\\]*([^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069<>\"`/\\?#]*)"
)
_AFTER_LINK = ".,;:!?'*_~)"
# Names that every reader takes for the same. Where marks of emphasis, user names, escapes or further signs stand in it, it
# depends on the reader where a link leads.
_CERTAIN = regex.compile(r"([\p{L}\p{M}\p{N}.\-]{1,255})(?::\d*)?")
UNCERTAIN = ""  # no allowed domain
# With slashes any scheme; without them those with which programs open something, since "note:this" is plain English.
_SCHEME = re.compile(
    r"(?<!\w)(?:[a-z][a-z0-9+.\-]{1,20}:[/\\]{2,}|https?:[/\\]"
    r"|(?:mailto|magnet|xmpp|sips?|javascript):(?=[^\s/\\]))([^\s/\\?#]*)"
)
_INNER_DOT = re.compile(r"\w\.\w")
_BARE = regex.compile(
    r"(?<!\w)(?<!\w[.@\-])(?:\w[\w\-]{0,62}+\.(?=\w))++(xn--[a-z0-9\-]{2,59}|\p{L}{2,24})(?!-?[\p{L}\p{N}]|@)"
    r"(:\d{2,5}(?!\d)|/[^\s])?"
)
_ADDRESS = re.compile(r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)")
_DOTS = str.maketrans("\u3002\uff0e\uff61\u2024", "....")  # of other scripts and widths
_BRACKETED = re.compile(r"[ \t]{0,3}[\[({<][ \t]{0,3}(?:\.|dot|punkt|point|punto)[ \t]{0,3}[\])}>][ \t]{0,3}")
_SPELT = re.compile(r"(?<=\w)[ \t]{1,3}(?:dot|\.)[ \t]{1,3}(?=\w)")
_ARTICLES = frozenset(["the", "a", "an", "this", "that", "these", "those"])


def hosts_of(text: Text) -> Iterator[str]:
    """The host of each link in a text, in lower case; `UNCERTAIN` where readers may see another one."""
    if "://" in text.raw:
        yield from _clickable(text.raw)
    folded = text.compatible
    if not folded.isascii():
        folded = folded.translate(_DOTS)
    if ":" in folded:
        for scheme in _SCHEME.finditer(folded):
            yield scheme[1].rpartition("@")[2].partition(":")[0].lstrip(".").rstrip(_AFTER_LINK)
    if "." in folded and _INNER_DOT.search(folded):
        yield from _bare(folded)
    if ("(" in folded or "[" in folded or "{" in folded or "<" in folded) and _BRACKETED.search(folded):
        yield from _bare(_BRACKETED.sub(".", folded))
    if " dot " in folded or " . " in folded:
        for spelt in _SPELT.finditer(folded):
            yield from _spelt(folded, spelt)


def _clickable(raw: str) -> Iterator[str]:
    """Of what the web client makes links of, whatever stands before them."""
    for link in _CLICKABLE.finditer(raw):
        certain = _CERTAIN.fullmatch(link[1].rstrip(_AFTER_LINK))
        yield compatible(certain[1]).strip(".") if certain else UNCERTAIN


def _bare(folded: str) -> Iterator[str]:
    """Names and addresses without a scheme: ``example.com``."""
    for address in _ADDRESS.finditer(folded):
        if all(int(part) < 256 for part in address[0].split(".")):
            yield address[0]
    for name in _BARE.finditer(folded):
        ending = name[1]
        host = name[0].partition("/")[0].partition(":")[0]
        if (
            ending in _ENDINGS
            or ending.startswith("xn--")
            or (ending in _DOUBTFUL and (name[2] or host.startswith("www.")))
        ):
            yield host


def _spelt(folded: str, spelt: re.Match[str]) -> Iterator[str]:
    """``example dot com``; but "the dot com years" is plain English."""
    before = re.search(r"[\w\-]{1,63}$", folded[max(0, spelt.start() - 64) : spelt.start()])
    after = re.match(r"[\w\-]{2,63}", folded[spelt.end() : spelt.end() + 64])
    if before and after and before[0] not in _ARTICLES and after[0] in _ENDINGS:
        yield f"{before[0]}.{after[0]}"


@dataclass(frozen=True, slots=True)
class Links:
    """Holds or refuses what has a link in it, but for those to the `allowed` domains and what is below them."""

    action: Action
    allowed: tuple[str, ...] = ()
    kind: str = "links"

    @property
    def is_on(self) -> bool:
        return self.action != "allow"

    def is_broken_by(self, text: Text) -> bool:
        """Whether `text` has a link in it that is not allowed."""
        return not all(self._is_allowed(host) for host in hosts_of(text))

    def judge(self, text: Text, facts: Facts) -> Verdict | None:
        return Verdict(self.kind, self.action) if self.is_broken_by(text) else None

    def _is_allowed(self, host: str) -> bool:
        return any(host == domain or host.endswith(f".{domain}") for domain in self.allowed)
