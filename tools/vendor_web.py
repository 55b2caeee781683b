"""Brings the web client's foreign modules into the tree: exact versions, checked, with their licences.

    python tools/vendor_web.py            # fetch with npm what tools/vendored.json names, check and write it
    python tools/vendor_web.py --check    # compare what is in the tree with the lock; needs no network

The lock has for each package its name, its version, the SHA-256 of its archive, and its files: where they lie in the
archive, where they go in the tree, and the SHA-256 of what is written there. To take a new version change its number
and both sums: a wrong sum is answered with the right one.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "tools" / "vendored.json"

# Browsers resolve paths, not names of packages; so no import map, and with it no inline script, is needed.
IMPORTS = {
    "preact": "./preact.mjs",
    "preact/hooks": "./hooks.mjs",
    "@preact/signals-core": "./signals-core.mjs",
}


class WrongSum(Exception):
    """A file is not the one that the lock names."""


def locked() -> list[Mapping[str, Any]]:
    """The packages of the lock."""
    packages: list[Mapping[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))
    return packages


def prepared(content: bytes, name: str) -> bytes:
    """A file as it is written: modules import each other by path, and name no map that is not there."""
    if not name.endswith(".mjs"):
        return content
    text = re.sub(r"\n//# sourceMappingURL=\S+\s*$", "\n", content.decode())
    return re.sub(r'(from|import)"([^"./\s][^"\s]*)"', lambda found: f'{found[1]}"{IMPORTS[found[2]]}"', text).encode()


def check(content: bytes, sum_: str, what: str) -> None:
    """Raises `WrongSum`, saying what was found."""
    found = hashlib.sha256(content).hexdigest()
    if found != sum_:
        raise WrongSum(f"{what} has the sum {found}, and {LOCK.name} says {sum_}")


def check_tree() -> None:
    """Hold every file of the tree against the lock. Raises `WrongSum`, or `OSError` for one that is missing."""
    for package in locked():
        for file in package["files"]:
            check((ROOT / file["to"]).read_bytes(), file["sha256"], file["to"])


def fetch(package: Mapping[str, Any], folder: Path) -> None:
    """Get one package by npm, from wherever npm is told to get packages, and write its files."""
    named = f"{package['name']}@{package['version']}"
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--ignore-scripts", named], cwd=folder, check=True, capture_output=True, text=True
    )
    archive = folder / packed.stdout.split()[-1]
    check(archive.read_bytes(), package["sha256"], named)
    with tarfile.open(archive) as opened:
        for file in package["files"]:
            member = opened.extractfile(f"package/{file['from']}")
            assert member is not None, file["from"]
            content = prepared(member.read(), file["to"])
            check(content, file["sha256"], file["to"])
            target = ROOT / file["to"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def main() -> int:
    """Returns the exit code."""
    try:
        if "--check" in sys.argv[1:]:
            check_tree()
        else:
            with tempfile.TemporaryDirectory() as folder:
                for package in locked():
                    fetch(package, Path(folder))
    except (WrongSum, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
