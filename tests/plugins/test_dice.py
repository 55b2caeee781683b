"""The example plugin as a stranger's: built and installed by pip, found by its entry point, its own tests run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from anonchat.testing.processes import ServerProcess

EXAMPLE = Path(__file__).parents[2] / "examples" / "anonchat-dice"
PAGE = (EXAMPLE.parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
SECONDS = 120

pytestmark = pytest.mark.timeout(3 * SECONDS)


def run(*command: str | Path, environ: dict[str, str] | None = None, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example's folder, since building leaves files behind."""
    folder = tmp_path_factory.mktemp("source") / "anonchat-dice"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    return folder


@pytest.fixture(scope="module")
def site(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which the plugin is installed beside anonchat."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, copy, folder=copy)
    return {"PYTHONPATH": str(folder)}


def test_its_own_tests_pass(copy: Path, site: dict[str, str]) -> None:
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", environ=site, folder=copy)


def test_the_recipe_of_the_page_makes_a_plugin_of_ones_own(copy: Path, tmp_path: Path) -> None:
    """As it stands there, but for the installation; a web module that is not found would refuse the start."""
    recipe = PAGE.partition("```console\n$ cp -r examples/anonchat-dice")[2].partition("```")[0].splitlines()
    steps = [line.removeprefix("$ ") for line in recipe if line.startswith("$ ") and "../.venv/" not in line]
    assert steps[0] == "cd anonchat-weather"
    shutil.copytree(copy, tmp_path / "anonchat-weather", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    run("sh", "-ec", "\n".join(steps), folder=tmp_path)
    made = tmp_path / "anonchat-weather"
    assert [path for path in made.rglob("*") if "dice" in path.name and "test" not in path.name] == []
    run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests",
        folder=made,
        environ={"PYTHONPATH": str(made)},
    )


def block_of_the_page(name: str) -> str:
    """The example that begins with the name of a file."""
    return PAGE.partition(f"```python\n# {name}\n")[2].partition("```")[0]


def test_two_nodes_on_database_servers_as_on_the_page(copy: Path, tmp_path: Path) -> None:
    on_redis = "\n\ndef test_control(tmp_path):\n    assert settings_in(tmp_path).storage.bus.startswith('redis')\n"
    (tmp_path / "tests").mkdir()
    for name, more in (("conftest.py", ""), ("test_nodes.py", on_redis)):
        (tmp_path / "tests" / name).write_text(block_of_the_page(name) + more, encoding="utf-8")
    run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests",
        folder=tmp_path, environ={"PYTHONPATH": str(copy)},
    )  # fmt: skip


def test_its_types_can_be_checked_as_on_the_page(copy: Path, tmp_path: Path) -> None:
    command = PAGE.partition("$ MYPYPATH=.. ../.venv/bin/mypy ")[2].partition(" anonchat_weather\n")[0].split()
    assert command[0] == "--strict"
    environ = {"MYPYPATH": str(EXAMPLE.parents[1]), "MYPY_CACHE_DIR": str(tmp_path)}
    run(sys.executable, "-m", "mypy", *command, "anonchat_dice", folder=copy, environ=environ)


@pytest.mark.gen_test
async def test_a_server_finds_it_by_its_name(site: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "anonchat.toml").write_text('[plugins]\nenabled = ["dice"]\n\n[plugins.dice]\nsides = 20\n')
    with ServerProcess(tmp_path, site) as server:
        events = await AsyncHTTPClient().fetch(f"{server.url}/api/asyncapi.json")
    assert b"dice.rolled" in events.body
