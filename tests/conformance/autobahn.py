"""Runs the Autobahn test suite itself against the echo server, prints what failed, and exits with 1 if anything did.

    make autobahn [ARGUMENTS="7.* 9.1.1"]

The suite needs CPython 2.7 with pip and SSL: ``python2.7``, one of pyenv's, or what ``PYTHON27`` names. It is installed
into build/autobahn. Where there is none its container image is run, if there is Docker. Its report for people, with
each frame of each case, is build/autobahn/reports/index.html.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from .beside import in_a_thread
from .echo import echoing

HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "build" / "autobahn"
REPORTS, SITE, INSTALLED = BUILD / "reports", BUILD / "site", BUILD / "installed"
PACKAGES = HERE / "autobahn.txt"
IMAGE = "crossbario/autobahn-testsuite:25.10.1"
AGENT = "anonchat"
CHECK = "import ssl, pip"
# Zope is a namespace package, which Python 2 knows only from a folder whose .pth files were read.
START = f"import site; site.addsitedir({str(SITE)!r}); from autobahntestsuite.wstest import run; run()"

COMPRESSION = ("12.", "13.")
"""Sections that nobody passes who never negotiates it; for them the suite finds UNIMPLEMENTED, which is right."""

Found = Mapping[str, Mapping[str, object]]
"""Case number -> what the suite found: `behavior`, `behaviorClose`, and more."""


def main() -> None:
    """Run the cases that the command line names, all without one."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    command = suite()
    with in_a_thread(echoing) as port:
        specification = {
            "outdir": str(REPORTS),
            "servers": [{"agent": AGENT, "url": f"ws://127.0.0.1:{port}"}],
            "cases": sys.argv[1:] or ["*"],
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (BUILD / "cases.json").write_text(json.dumps(specification), encoding="utf-8")
        with (BUILD / "suite.log").open("wb") as log:
            subprocess.run(
                [*command, "-m", "fuzzingclient", "-s", str(BUILD / "cases.json")], stdout=log, stderr=log, check=True
            )
    found: Found = json.loads((REPORTS / "index.json").read_text(encoding="utf-8"))[AGENT]
    counts = Counter(str(case["behavior"]) for case in found.values())
    print(f"{len(found)} cases: {', '.join(f'{count} {outcome}' for outcome, count in counts.most_common())}")
    for number, case in found.items():
        if case["behavior"] in ("NON-STRICT", "INFORMATIONAL"):
            print(f"{number} is {case['behavior']}")
    failed = failures(found)
    if failed or not found:
        raise SystemExit("\n".join([*failed, f"See {REPORTS / 'index.html'}"]))


def failures(found: Found) -> list[str]:
    """A line for each case that did not go well, in what was answered or in how it ended."""
    return [
        f"{number}: {case['behavior']}, end {case['behaviorClose']}"
        for number, case in found.items()
        if not is_well(number, str(case["behavior"])) or not is_well(number, str(case["behaviorClose"]))
    ]


def is_well(number: str, outcome: str) -> bool:
    return outcome in ("OK", "NON-STRICT", "INFORMATIONAL") or (
        outcome == "UNIMPLEMENTED" and number.startswith(COMPRESSION)
    )


def suite() -> list[str]:
    """The command that runs the suite, installed if it is not yet. Ends the process with what is missing."""
    for python in filter(None, candidates()):
        if subprocess.run([python, "-c", CHECK], capture_output=True, check=False).returncode == 0:
            install(python)
            return [python, "-c", START]
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        folder = f"{BUILD}:{BUILD}"
        return ["docker", "run", "--rm", "--network", "host", "--volume", folder, IMAGE, "wstest"]
    raise SystemExit(
        "The Autobahn test suite needs CPython 2.7 with pip and SSL (name it with PYTHON27=), or a running Docker. "
        "Without them its cases are covered by tests/conformance/test_autobahn.py."
    )


def candidates() -> Iterable[str | None]:
    """Pythons that may be 2.7."""
    yield os.environ.get("PYTHON27")
    yield shutil.which("python2.7")
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from map(str, versions.glob("2.7*/bin/python2.7"))


def install(python: str) -> None:
    """Everything at known versions, since hardly any package says which was its last for Python 2."""
    wanted = f"{python}\n{PACKAGES.read_text(encoding='utf-8')}"
    if INSTALLED.exists() and INSTALLED.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(SITE, ignore_errors=True)
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(SITE),
        "--requirement",
        str(PACKAGES),
    ]
    subprocess.run(command, check=True)
    INSTALLED.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
