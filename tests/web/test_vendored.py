"""Foreign modules are those that the lock names, and nothing else lies beside them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = (ROOT / "anonchat/web/static/vendor", ROOT / "tests/web/vendor")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_web", ROOT / "tools" / "vendor_web.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_foreign_file_is_the_one_of_the_lock(tool: ModuleType) -> None:
    tool.check_tree()
    locked = {ROOT / file["to"] for package in tool.locked() for file in package["files"]}
    assert {path for folder in FOLDERS for path in folder.iterdir()} == locked


def test_a_changed_file_is_found(tool: ModuleType) -> None:
    file = tool.locked()[0]["files"][0]
    with pytest.raises(tool.WrongSum, match="has the sum"):
        tool.check((ROOT / file["to"]).read_bytes() + b"\n", file["sha256"], file["to"])


def test_modules_import_each_other_by_path(tool: ModuleType) -> None:
    prepared = tool.prepared(b'import{h}from"preact";import"preact/hooks";\n//# sourceMappingURL=x.map\n', "x.mjs")
    assert prepared == b'import{h}from"./preact.mjs";import"./hooks.mjs";\n'
