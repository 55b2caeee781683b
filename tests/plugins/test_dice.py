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


@pytest.mark.gen_test(timeout=60)
async def test_a_server_finds_it_by_its_name(site: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "anonchat.toml").write_text('[plugins]\nenabled = ["dice"]\n\n[plugins.dice]\nsides = 20\n')
    with ServerProcess(tmp_path, site) as server:
        events = await AsyncHTTPClient().fetch(f"{server.url}/api/asyncapi.json")
    assert b"dice.rolled" in events.body
