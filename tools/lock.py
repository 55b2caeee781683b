"""Writes locks/*.txt: exact versions with the hashes of all their files, from what setup.cfg and pyproject.toml ask for.

    python tools/lock.py              # keep what is locked, take in what setup.cfg asks for now
    python tools/lock.py --upgrade    # take the newest versions that setup.cfg allows

It needs uv (``pip install uv``), which asks the index that it is told to ask. One lock serves every Python from 3.11 on and
every platform: each line says where it holds, and has the hash of each file that was published.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "locks"
OLDEST_PYTHON = "3.11"
EXTRAS = {"server": ("chat",), "image": ("scale", "speed"), "development": ("dev",), "benchmarks": ("dev", "bench")}
RUNS_ON = ("chat", "scale", "speed")  # the extras whose lower bounds `lowest` tries
TESTS = ("test",)


def find_uv() -> str:
    """The program. Raises RuntimeError that says how to get it."""
    found = shutil.which("uv", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
    if found is None:
        raise RuntimeError("uv was not found. Install it into this environment: pip install uv")
    return found


def compile_lock(target: Path, extras: tuple[str, ...], *options: str) -> None:
    """Resolve setup.cfg with some extras, and what builds the project, into a file of requirements."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        builds = "\n".join(tomllib.load(file)["build-system"]["requires"])
    named = [word for extra in extras for word in ("--extra", extra)]
    subprocess.run(
        [find_uv(), "pip", "compile", "setup.cfg", "-", *named, "--universal", "--python-version", OLDEST_PYTHON,
         "--no-header", "--no-annotate", "--no-emit-package", "anonchat", "--quiet", "--output-file", str(target), *options],
        cwd=ROOT, check=True, input=builds, text=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def main() -> int:
    """Returns the exit code."""
    options = ("--generate-hashes", *sys.argv[1:])
    LOCKS.mkdir(exist_ok=True)
    try:
        for name, extras in EXTRAS.items():
            compile_lock(LOCKS / f"{name}.txt", extras, *options)
        # What the server runs on in its oldest versions, and new tools to test it with.
        with tempfile.TemporaryDirectory() as folder:
            oldest = Path(folder) / "oldest.txt"
            compile_lock(oldest, RUNS_ON, "--resolution", "lowest-direct")
            compile_lock(LOCKS / "lowest.txt", TESTS, "--constraint", str(oldest), *options)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
