"""Writes the settings of the bundled plugins into config.example.toml, from the tables in their READMEs.

Run it after a change of one: python tools/make_plugin_settings.py
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from anonchat.plugins.registry import bundled

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.toml"
BEGIN = "# What the bundled plugins can be told"
HEAD = f"""{BEGIN}. Take the # away before a setting and before the name of its table."""
ROW = re.compile(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", re.MULTILINE)


def settings_of(plugin: str) -> Iterator[tuple[str, str, str]]:
    """(name, default as TOML, meaning) of each setting."""
    text = (ROOT / "plugins" / plugin / "README.md").read_text("utf-8")
    section = text.partition("\n## Settings\n")[2].partition("\n## ")[0]
    for name, default, meaning in ROW.findall(section):
        sentence = meaning.replace("`", "")
        yield name, default, f"{sentence[0].upper()}{sentence[1:]}."


def lines() -> Iterator[str]:
    """The part of the example that is about plugins."""
    yield from HEAD.splitlines()
    for plugin in bundled():
        yield from ("", f"#[plugins.{plugin}]")
        for name, default, meaning in settings_of(plugin):
            yield ""
            yield from textwrap.wrap(meaning, 118, initial_indent="# ", subsequent_indent="# ")
            yield f"#{name} = {default}"


def made() -> str:
    """The whole example, with that part new."""
    head = EXAMPLE.read_text("utf-8").partition(BEGIN)[0].rstrip("\n")
    return head + "\n\n\n" + "\n".join(lines()) + "\n"


if __name__ == "__main__":
    EXAMPLE.write_text(made(), "utf-8")
