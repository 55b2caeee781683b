"""Every hook stands in the documentation with exactly its arguments, and nothing else does."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import anonchat.api
from anonchat import (
    Answer,
    Applicant,
    Call,
    Denied,
    Draft,
    Edit,
    Event,
    Held,
    HeldMessage,
    Message,
    PluginContext,
    Receipt,
    Rejected,
    Request,
    Room,
    Session,
)
from anonchat.plugins import hookspecs
from anonchat.plugins.hookspecs import SPECS
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import open_room

PAGE = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
REFERENCE = (Path(__file__).parent.parent / "docs" / "plugin-reference.md").read_text(encoding="utf-8")
PREFIXES = {"Declare": "register_", "Guard": "check_", "Filter": "filter_", "Write": "write_"}


def signatures() -> dict[str, str]:
    """Hook -> its signature as it stands in hookspecs.py."""
    tree = ast.parse(inspect.getsource(hookspecs))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [
        node for found in classes for node in found.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {function.name: _header(function) for function in functions}


def _header(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    kind = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    assert function.returns is not None
    return f"{kind} {function.name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}"


@pytest.mark.parametrize("hook", signatures())
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    assert PAGE.count(f"```python\n@hookimpl\n{signatures()[hook]}\n```") == 1


def test_no_other_hook_is_documented() -> None:
    documented = re.findall(r"^@hookimpl\n(?:async )?def (\w+)", PAGE, re.MULTILINE)
    assert set(documented) == signatures().keys()


@pytest.mark.parametrize("kind", SPECS)
def test_the_name_of_a_hook_tells_its_kind(kind: type) -> None:
    hooks = [name for name, spec in vars(kind).items() if hasattr(spec, "anonchat_spec")]
    assert hooks
    assert all(name.startswith(PREFIXES.get(kind.__name__, "")) for name in hooks)
    is_async = {inspect.iscoroutinefunction(vars(kind)[name]) for name in hooks}
    assert is_async == {kind.__name__ != "Declare"}


@pytest.mark.gen_test
async def test_the_smallest_plugin_of_the_page_works(tmp_path: Path) -> None:
    source = PAGE.partition("```python\n# plugins/shout.py\n")[2].partition("```")[0]
    (tmp_path / "shout.py").write_text(source, encoding="utf-8")
    settings = settings_in(tmp_path, plugins={"enabled": ("shout",), "plugins_dir": tmp_path})
    async with running_server(settings) as server, (await open_room(server)).enter("Alice") as alice:
        await alice.say("hello")
        assert (await alice.hear("message")).data["content"]["text"] == "HELLO"


def test_all_of_the_context_is_documented() -> None:
    described = re.findall(r"`ctx\.(\w+)", PAGE)
    assert [field.name for field in fields(PluginContext) if field.name not in described] == []


PARTS = {
    name: kind
    for name, kind in get_type_hints(PluginContext).items()
    if inspect.isclass(kind) and kind.__name__ in anonchat.api.__all__
}


@pytest.mark.parametrize("name", PARTS)
def test_every_method_of_the_context_is_in_the_reference_and_says_what_it_does(name: str) -> None:
    of_the_core = {"checked_by", "publish_to"}  # of the journal
    methods = [method for method in vars(PARTS[name]) if not method.startswith("_") and method not in of_the_core]
    assert methods
    assert [
        method
        for method in methods
        if not re.search(rf"^- `(await )?ctx\.{name}\.{method}\b.*`: \S", REFERENCE, re.MULTILINE)
    ] == []


def test_help_leads_to_every_part_of_the_context() -> None:
    told = pydoc.plain(pydoc.render_doc(PluginContext))
    assert {"rooms", "sessions", "messages", "ephemeral", "limits", "hooks", "db", "clock"} == PARTS.keys()
    assert [kind.__name__ for kind in PARTS.values() if f"`{kind.__name__}`" not in told] == []


@pytest.mark.parametrize(
    "value", [Answer, Applicant, Call, Denied, Draft, Edit, Event, Held, HeldMessage, Message, Receipt, Rejected, Request,
              Room, Session],
)  # fmt: skip
def test_all_of_a_value_is_documented(value: type) -> None:
    row = next(
        line for line in PAGE.splitlines() if line.startswith("| ") and f"`{value.__name__}`" in line.split("|")[1]
    )
    own = [name for name in vars(value) if isinstance(vars(value)[name], property)]
    stored = value._fields if hasattr(value, "_fields") else [field.name for field in fields(value)]
    public = [name for name in (*stored, *own) if not name.startswith("_") and (value, name) != (Request, "origin")]
    assert public
    assert [name for name in public if f"`{name}" not in row] == []
