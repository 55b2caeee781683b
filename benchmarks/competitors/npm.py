"""Node, and the packages of package-lock.json in a folder of the build."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks.load.library import BUILD
from benchmarks.machine import version_of

SCRIPTS = Path(__file__).parent / "node"
INSTALLED = BUILD / "node"


def missing() -> str | None:
    """Which of the programs this machine lacks."""
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"{' and '.join(absent)} cannot be found" if absent else None


def install() -> None:
    """Install the packages beside copies of the scripts, if the lock has changed since the last time."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock, done = (SCRIPTS / "package-lock.json").read_bytes(), INSTALLED / "installed.json"
    for path in SCRIPTS.glob("*.js*"):
        shutil.copy(path, INSTALLED)
    if not done.exists() or done.read_bytes() != lock:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=INSTALLED, check=True)
        done.write_bytes(lock)


def command(script: str) -> tuple[str, ...]:
    """What runs a script."""
    return ("node", str(INSTALLED / script))


def version(package: str) -> str:
    """A package's version and Node's."""
    installed = json.loads((INSTALLED / "node_modules" / package / "package.json").read_text())
    return f"{package} {installed['version']}, node {version_of('node', '--version')}"
