"""Prints docs/plugin-reference.md: every method that a plugin and its tests may call, from the classes that define them.

Run it after a change of one: python tools/make_reference_page.py > docs/plugin-reference.md
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, get_type_hints

import anonchat
from anonchat import api, testing
from anonchat.storage.roles import Reads, Statements
from anonchat.testing import clocks, people, postgres, processes, redis

HEAD = """# What a plugin can call

Made by `tools/make_reference_page.py` from the docstrings, which are the reference: `help(anonchat.PluginRooms)` shows the same.
How it all goes together stands in [plugins.md](plugins.md). `Also` is a `work(tx)` that happens in the same transaction;
`Reads` is `ctx.db` or a `tx`. A star stands before arguments that are named."""

# Public methods that are there for the core and the runner of plugins.
OF_THE_CORE = {
    "Journal": {"checked_by", "publish_to"},
    "Transaction": {"checked_by", "is_to_blame", "take_seq", "take_seqs", "record", "publish"},
    "Statements": {"is_to_blame"},
}
DECLARED = (
    "ClientEvent", "ServerEvent", "Route", "Answer", "Metric", "Job", "Tables", "WebAssets", "Held", "Denied", "Rejected",
)  # fmt: skip
TOOLS = ("insert_or_ignore", "upsert", "one_of", "iso", "new_id", "keyed_hash", "folded_name", "message_wire")
PEOPLE_AND_SERVERS = (
    people.OpenRoom, people.Person, clocks.SettableClock, postgres.PostgresServer, redis.RedisServer, processes.ServerProcess,
)  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_of(kind: type) -> list[ast.stmt]:
    """What stands in a class."""
    (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(parsed, ast.ClassDef)
    return parsed.body


def said(docstring: str | None) -> str:
    """A docstring as one paragraph of Markdown."""
    text = " ".join((docstring or "").split()).removesuffix("::")
    return re.sub(r"``?([^`]+)``?", r"`\1`", text)


def signed(prefix: str, function: Function) -> str:
    """The call as it is written, with the types of its arguments and answer."""
    arguments = ast.unparse(function.args).removeprefix("self").removeprefix(", ").removeprefix("/, ")
    awaited = "await " if isinstance(function, ast.AsyncFunctionDef) else ""
    if any(ast.unparse(decorator) == "asynccontextmanager" for decorator in function.decorator_list):
        awaited = "async with "
    answer = ast.unparse(function.returns) if function.returns is not None else "None"
    is_property = any(ast.unparse(decorator) == "property" for decorator in function.decorator_list)
    call = f"{awaited}{prefix}{function.name}" + ("" if is_property else f"({arguments})")
    return call if answer == "None" else f"{call} -> {answer}"


def methods(prefix: str, *kinds: type) -> Iterator[str]:
    """A line for each public method of the classes, and what it does."""
    for kind in kinds:
        for function in body_of(kind):
            left_out = OF_THE_CORE.get(kind.__name__, set())
            if isinstance(function, Function) and function.name[0] != "_" and function.name not in left_out:
                yield f"- `{signed(prefix, function)}`: {said(ast.get_docstring(function))}"


def made(name: str, kind: type) -> str:
    """How a value is made, from the fields of its class."""
    entries = [entry for entry in body_of(kind) if isinstance(entry, ast.AnnAssign)]
    arguments = ", ".join(ast.unparse(entry) for entry in entries if ast.unparse(entry.target)[0] != "_")
    return f"- `{name}({arguments})`: {said(inspect.getdoc(kind))}"


def function(name: str, found: Callable[..., Any]) -> str:
    """The line of a function that is imported."""
    (parsed,) = ast.parse(textwrap.dedent(inspect.getsource(found))).body
    assert isinstance(parsed, Function)
    return f"- `{signed('', parsed).replace(parsed.name, name, 1)}`: {said(inspect.getdoc(found))}"


def parts() -> dict[str, type]:
    """Name in the context -> the class that is there, of those that are public."""
    hints = get_type_hints(anonchat.PluginContext)
    return {field.name: hints[field.name] for field in fields(anonchat.PluginContext) if is_public(hints[field.name])}


def is_public(kind: object) -> bool:
    return isinstance(kind, type) and getattr(api, kind.__name__, None) is kind


def lines() -> Iterator[str]:
    """The page."""
    yield HEAD
    for name, kind in parts().items():
        yield from ("", f"## ctx.{name}", "", said(inspect.getdoc(kind)), "")
        yield from methods(f"ctx.{name}.", kind)
    yield from ("", "## tx", "", said(inspect.getdoc(anonchat.Transaction)), "")
    yield from methods("tx.", Reads, Statements, anonchat.Transaction)
    yield from ("", "## To be imported from anonchat", "")
    yield from (function(name, getattr(anonchat, name)) for name in TOOLS)
    yield f"- `Remembered(read, position)`: {said(inspect.getdoc(anonchat.Remembered))}"
    yield from methods("remembered.", anonchat.Remembered)
    yield f"- `ChatError{inspect.signature(anonchat.ChatError)}`: {said(inspect.getdoc(anonchat.ChatError))}".replace(
        "'", ""
    )
    yield from ("", "## Declared and answered", "")
    yield from (made(name, getattr(anonchat, name)) for name in DECLARED)
    yield from ("", "## anonchat.testing", "")
    yield from (function(name, getattr(testing, name)) for name in ("settings_in", "running_server", "asynchronous"))
    yield from (function(name, getattr(people, name)) for name in ("open_room", "request"))
    for kind in PEOPLE_AND_SERVERS:
        yield from ("", f"### {kind.__module__}.{kind.__name__}", "", said(inspect.getdoc(kind)), "")
        yield from methods("", kind)


if __name__ == "__main__":
    print("\n".join(lines()))
