"""Who may know whom: the borders between core, plugins and storage, read from the source.

Core names no plugin and no backend; its client, which talks to servers from afar, knows plugins by the names that the protocol
has for them, and nothing of their code. Plugins, storage and examples know the public names of `anonchat` and nobody else's;
storage may also use `anonchat.migrate`, with which it brings the tables up to date. Tests may use `anonchat.testing`.
Inside of the core, modules and packages know only what stands below them in the tree of docs/design.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import anonchat.api

ROOT = Path(__file__).parent.parent
CORE = ROOT / "anonchat"
OTHERS = ("plugins", "storage", "examples")

# Where Tornado is at home: what serves, what connects, and the saying goodbye.
TORNADO = ("http", "websocket", "client", "testing", "commands", "app.py", "server")
# Where statements are made. Elsewhere a statement is a value that is passed on, and these are its types.
STATEMENTS = ("store", "migrate", "migrations", "testing")
SQL_TYPES = {"ClauseElement", "Connection", "MetaData", "Table"}
MUTABLE_CALLS = {"dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict", "WeakValueDictionary"}
CHANGES = {
    "add",
    "append",
    "appendleft",
    "clear",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "setdefault",
    "update",
}


def sources(*folders: Path) -> list[Path]:
    """Every module below the folders, without those that a tool has left there."""
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return [path for path in found if not {"build", "__pycache__"} & set(path.parts)]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import, wherever it stands; name is None for ``import module``."""
    for node in ast.walk(tree):
        yield from imports_of(node)


def imports_of(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """The same of one statement."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, None) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield from ((node.module or "", alias.name) for alias in node.names)


def is_in(path: Path, places: tuple[str, ...]) -> bool:
    """Whether a module of the core lies in one of the folders, or is one of the files, named relative to it."""
    return path.relative_to(CORE).parts[0] in places


def strings(tree: ast.Module) -> Iterator[str]:
    """Every text in the code that is no docstring."""
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef))
    said = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def packages(*folders: str) -> set[str]:
    """The packages that the folders hold: ``anonchat_sqlite``."""
    return {
        path.name
        for folder in folders
        for path in (ROOT / folder).rglob("anonchat_*")
        if (path / "__init__.py").is_file()
    }


CORE_SOURCES = [pytest.param(path, id=name_of(path)) for path in sources(CORE)]
OTHER_SOURCES = [pytest.param(path, id=name_of(path)) for path in sources(*(ROOT / folder for folder in OTHERS))]


@pytest.mark.parametrize("path", CORE_SOURCES)
def test_core_names_no_plugin_and_no_backend(path: Path) -> None:
    tree = parsed(path)
    assert {module.partition(".")[0] for module, _ in imports(tree)}.isdisjoint(packages(*OTHERS))
    plugins = {point.name for point in entry_points(group="anonchat.plugins")}
    named = set(strings(tree))
    assert named.isdisjoint(packages(*OTHERS))
    assert named.isdisjoint(plugins) or is_in(path, ("client",))


def layers() -> dict[str, int]:
    """Module or package of the core -> the line of the tree on which it stands, from the top."""
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    tree = design.partition("\nanonchat/")[2].partition("\nstorage/")[0]
    lines = [re.findall(r"(?<![\w/])(\w+)(?:\.py|/)", line) for line in tree.splitlines()]
    return {name: number for number, names in enumerate(lines) for name in names}


def needed(node: ast.AST) -> Iterator[str]:
    """The modules and packages of the core that code imports when it runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield from (module.split(".")[1] for module, _ in imports_of(child) if module.startswith("anonchat."))
        yield from needed(child)


@pytest.mark.parametrize("path", CORE_SOURCES)
def test_nobody_knows_who_stands_above(path: Path) -> None:
    lines, own = layers(), path.relative_to(CORE).with_suffix("").parts[0]
    known = set(needed(parsed(path))) - {own}
    assert {name for name in known if lines[name] <= lines.get(own, -1)} == set()


def test_who_knows_somebody_above_would_be_found() -> None:
    lines = layers()
    assert lines["commands"] < lines["app"] < lines["rooms"] < lines["delivery"] < lines["errors"]
    code = "if x:\n    from anonchat.app import Server\nif TYPE_CHECKING:\n    from anonchat.rooms.rooms import Rooms\n"
    assert list(needed(ast.parse(code))) == ["app"]


@pytest.mark.parametrize("path", OTHER_SOURCES)
def test_others_know_public_names_only(path: Path) -> None:
    is_storage, is_test = path.is_relative_to(ROOT / "storage"), "tests" in path.parts
    for module, name in imports(parsed(path)):
        if module == "anonchat":
            assert name in anonchat.api.__all__ or name in ("testing", None), name
        elif module.startswith("anonchat."):
            allowed = (*(["anonchat.migrate"] * is_storage), *(["anonchat.testing"] * is_test))
            assert module.startswith(allowed), module


@pytest.mark.parametrize("path", OTHER_SOURCES)
def test_others_do_not_know_each_other(path: Path) -> None:
    own = {part for part in path.relative_to(ROOT).parts if part.startswith("anonchat_")}
    own |= {part.replace("-", "_") for part in path.relative_to(ROOT).parts if part.startswith("anonchat-")}
    known = {module.partition(".")[0] for module, _ in imports(parsed(path))}
    assert known & packages(*OTHERS) <= own


@pytest.mark.parametrize("path", CORE_SOURCES)
def test_tornado_stays_at_the_doors(path: Path) -> None:
    uses = [module for module, _ in imports(parsed(path)) if module.partition(".")[0] == "tornado"]
    assert not uses or is_in(path, TORNADO)


@pytest.mark.parametrize("path", CORE_SOURCES)
def test_statements_are_made_in_the_store(path: Path) -> None:
    used = {name for module, name in imports(parsed(path)) if module.partition(".")[0] == "sqlalchemy"}
    assert used <= SQL_TYPES or is_in(path, STATEMENTS)


@pytest.mark.parametrize("path", [*CORE_SOURCES, *OTHER_SOURCES])
def test_no_module_keeps_state(path: Path) -> None:
    tree = parsed(path)
    assert not [node.names for node in ast.walk(tree) if isinstance(node, ast.Global)]
    containers = {name for name, value in assigned(tree) if is_container(value)}
    assert not [name for name, value in assigned(tree) if is_made_empty(value)], (
        "an empty container is there to be filled"
    )
    assert containers.isdisjoint(changed(tree))


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """(name, value) of every assignment at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def is_container(value: ast.expr) -> bool:
    literal = isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
    return literal or _is_call_of(value, MUTABLE_CALLS)


def is_made_empty(value: ast.expr) -> bool:
    empty_literal = (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)
    return empty_literal or (_is_call_of(value, MUTABLE_CALLS) and not getattr(value, "args", ()))


def _is_call_of(value: ast.expr, names: set[str]) -> bool:
    return isinstance(value, ast.Call) and getattr(value.func, "id", getattr(value.func, "attr", "")) in names


def changed(tree: ast.Module) -> set[str]:
    """Names whose contents some code changes: ``NAME[key] = …``, ``del NAME[key]``, ``NAME.append(…)``, ``NAME += …``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(getattr(node.value, "id", ""))
        elif isinstance(node, ast.AugAssign):
            found.add(getattr(node.target, "id", ""))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            found.add(getattr(node.func.value, "id", ""))
    return found
