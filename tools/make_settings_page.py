"""Prints docs/configuration.md: every setting, from the classes that define them.

Run it after a change of anonchat/config/settings.py: python tools/make_settings_page.py > docs/configuration.md
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator

from anonchat.config import describe_settings, settings

HEAD = """# Every setting

Made by `tools/make_settings_page.py`; `anonchat config example` prints the same as a file to begin with, and
`anonchat config check` what is in effect. The environment wins over the file: `server.port` is `ANONCHAT_SERVER__PORT`.
Times are in seconds, sizes in bytes. Those of the bundled plugins stand in
[config.example.toml](../config.example.toml) and in the README of each."""


def meanings() -> dict[str, str]:
    """Path of each setting -> the sentences below it in its class."""
    tables = {kind.__name__: name for name, kind in settings.TABLES.items()}
    found = {}
    for kind in ast.parse(inspect.getsource(settings)).body:
        if not isinstance(kind, ast.ClassDef) or kind.name not in tables:
            continue
        for entry, after in zip(kind.body, kind.body[1:], strict=False):
            if (
                isinstance(entry, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                text = " ".join(str(after.value.value).split())
                found[f"{tables[kind.name]}.{ast.unparse(entry.target)}"] = text.replace("``", "`").replace("|", "\\|")
    return found


def lines() -> Iterator[str]:
    """The page."""
    told = meanings()
    yield HEAD
    table = ""
    for setting in describe_settings():
        if setting.path.partition(".")[0] != table:
            table = setting.path.partition(".")[0]
            yield from ("", f"## [{table}]", "", "| setting | default | takes | meaning |", "|---|---|---|---|")
        default = json.dumps(setting.default, ensure_ascii=False)
        name = setting.path.removeprefix(f"{table}.")
        meaning = told[setting.path].replace("`None`", f"`{default}`")
        yield f"| `{name}` | `{default}` | {setting.kind.replace('|', chr(92) + '|')} | {meaning} |"


if __name__ == "__main__":
    print("\n".join(lines()))
