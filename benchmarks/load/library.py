"""The C sources of the load, compiled when they are used first."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
BUILD = SOURCES.parents[1] / "build" / "benchmarks"
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")


def compiler() -> str | None:
    """The C compiler of this machine."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(source: Path, *flags: str) -> Path:
    """What a source compiles to; made anew only when it, its headers or the flags have changed.

    Raises RuntimeError where there is no compiler, and CalledProcessError where it finds a mistake.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("The benchmark needs a C compiler; on Debian or Ubuntu: apt install gcc libc6-dev")
    texts = [path.read_bytes() for path in (source, *sorted(SOURCES.glob("*.h")))]
    state = hashlib.sha256(b"\0".join([*texts, " ".join((*FLAGS, *flags)).encode()])).hexdigest()[:16]
    target = BUILD / f"{source.stem}-{state}"
    if not target.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        subprocess.run([command, *FLAGS, *flags, "-o", str(unfinished), str(source)], check=True)
        unfinished.replace(target)
    return target


def load(name: str) -> ctypes.CDLL:
    """One of the sources beside this module as a library; calls let go of the interpreter's lock."""
    return ctypes.CDLL(str(compiled(SOURCES / f"{name}.c", "-shared", "-fPIC")))
