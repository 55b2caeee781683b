"""The three presets, and what a room has changed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from anonchat_moderation.content.rules.flooding import Flooding
from anonchat_moderation.content.rules.links import Links
from anonchat_moderation.content.rules.newcomers import Newcomers
from anonchat_moderation.content.rules.repeats import Repeats
from anonchat_moderation.content.rules.shouting import Shouting
from anonchat_moderation.content.rules.words import WordList, Words
from anonchat_moderation.content.verdicts import Rule

KINDS = ("flooding", "words", "links", "shouting", "repeats", "newcomers")
"""The kinds of rules, in the order in which they are asked: the first refusal wins, else the first hold."""

LISTS = {"words": "words", "links": "allowed"}
"""What people have typed in, by kind: it stays when the preset changes."""

_INNER = frozenset({"lists", "kind"})  # fields of rules that are no settings

Overrides = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The settings of all rules of a room."""

    flooding: Flooding
    words: Words
    links: Links
    shouting: Shouting
    repeats: Repeats
    newcomers: Newcomers

    def __iter__(self) -> Iterator[Rule]:
        return iter((self.flooding, self.words, self.links, self.shouting, self.repeats, self.newcomers))

    def changed(self, overrides: Overrides) -> RuleSet:
        """The same with some settings of some rules changed."""
        named = {kind: getattr(self, kind) for kind in overrides}
        return replace(self, **{kind: replace(rule, **_fields(overrides[kind])) for kind, rule in named.items()})

    def with_words(self, server: WordList | None) -> RuleSet:
        """The same with its words ready to be looked for, and with those of the whole server."""
        own = (WordList.of(self.words.words),) if self.words.words else ()
        return replace(self, words=replace(self.words, lists=(*own, *((server,) if server else ()))))

    def actions(self) -> dict[str, str]:
        """Kind -> "hold" or "refuse", of the rules that are on."""
        return {kind: getattr(self, kind).action for kind in KINDS if getattr(self, kind).is_on}

    def settings(self) -> dict[str, dict[str, Any]]:
        """Kind -> the settings of the rule, all of them."""
        return {
            kind: {field.name: getattr(rule, field.name) for field in fields(rule) if field.name not in _INNER}
            for kind, rule in ((kind, getattr(self, kind)) for kind in KINDS)
        }


def _fields(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


@dataclass(frozen=True, slots=True)
class Preset:
    """A choice of all settings at once."""

    rules: RuleSet
    slow_mode_seconds: int = 0


PRESETS: Mapping[str, Preset] = {
    # For people who know each other: only what no talk looks like.
    "relaxed": Preset(
        RuleSet(
            flooding=Flooding("refuse", per_minute=40, mute_seconds=30),
            words=Words("refuse"),
            links=Links("allow"),
            shouting=Shouting("allow", percent=80),
            repeats=Repeats("refuse", times=3, seconds=60, sessions=10, nearly=False),
            newcomers=Newcomers("allow", seconds=300, messages=3, hold_seconds=30),
        )
    ),
    # For a link that was passed on: strangers' links and first messages wait.
    "careful": Preset(
        RuleSet(
            flooding=Flooding("refuse", per_minute=20, mute_seconds=60),
            words=Words("refuse"),
            links=Links("hold"),
            shouting=Shouting("refuse", percent=80),
            repeats=Repeats("refuse", times=2, seconds=120, sessions=5, nearly=True),
            newcomers=Newcomers("hold", seconds=300, messages=2, hold_seconds=20),
        )
    ),
    # For a link that anybody can find.
    "strict": Preset(
        RuleSet(
            flooding=Flooding("refuse", per_minute=12, mute_seconds=120),
            words=Words("refuse"),
            links=Links("refuse"),
            shouting=Shouting("refuse", percent=60),
            repeats=Repeats("refuse", times=1, seconds=300, sessions=3, nearly=True),
            newcomers=Newcomers("hold", seconds=600, messages=3, hold_seconds=60),
        ),
        slow_mode_seconds=5,
    ),
}
