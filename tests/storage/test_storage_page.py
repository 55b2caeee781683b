"""The recipe of docs/storage-backends.md as a stranger follows it: a backend of one's own is tested, found and used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from anonchat.testing.processes import ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "storage-backends.md").read_text(encoding="utf-8")
SECONDS = 120

pytestmark = pytest.mark.timeout(3 * SECONDS)


def run(*command: str | Path, folder: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def block(kind: str, name: str = "") -> str:
    """An example of the page, of which the first line may name a file."""
    return PAGE.partition(f"```{kind}\n{name}")[2].partition("```")[0]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the recipe makes."""
    above = tmp_path_factory.mktemp("above")
    (above / "anonchat").symlink_to(ROOT)
    steps = [line.removeprefix("$ ") for line in block("console").splitlines()]
    assert [step for step in steps if "../anonchat/.venv/bin/" in step] == steps[-2:]
    run("sh", "-ec", "\n".join(steps[:-2]), folder=above)
    made = above / "anonchat-shelf"
    for kind, name in (("toml", "pyproject.toml"), ("python", "test_shelf.py")):
        (made / name).write_text(block(kind, f"# {name}"), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def site(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which it is installed beside anonchat."""
    folder = tmp_path_factory.mktemp("site")
    command = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--target", folder, package)
    run(sys.executable, "-m", "pip", *command, folder=package)
    return {"PYTHONPATH": str(folder)}


def test_its_tests_are_those_of_every_backend(package: Path, site: dict[str, str]) -> None:
    passed = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=package, environ=site)
    assert "10 passed" in passed


@pytest.mark.gen_test
async def test_a_server_uses_it(site: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "anonchat.toml").write_text(block("toml", "# anonchat.toml"), encoding="utf-8")
    with ServerProcess(tmp_path, site) as server:
        answer = await AsyncHTTPClient().fetch(f"{server.url}/health/ready")
    assert answer.code == 200


def test_where_it_is_not_installed_it_is_named(tmp_path: Path) -> None:
    """The control."""
    (tmp_path / "anonchat.toml").write_text(block("toml", "# anonchat.toml"), encoding="utf-8")
    command = (sys.executable, "-P", "-m", "anonchat", "serve")
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert refused.returncode != 0
    assert "names the backend 'shelf', which is not installed" in refused.stderr
