"""Requests made by schemathesis from the server's own OpenAPI, right and wrong ones: all answers are as it says.

All its checks are on. ``HYPOTHESIS_PROFILE=soak`` makes many more requests, and others each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.plugins.registry import bundled
from anonchat.testing.processes import ServerProcess, environment

from .life import SOAK, SOAK_SECONDS

HERE = Path(__file__).parent
OPERATOR = "the-token-of-the-operator"
LONG = ("--max-time", str(SOAK_SECONDS))  # and sequences of requests
SHORT = ("--max-examples", "2", "--generation-deterministic", "--phases", "coverage,fuzzing")


def attack(server: ServerProcess, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis, which keeps what it has found in `folder`."""
    schemathesis = "from schemathesis.cli import schemathesis; schemathesis()"
    configuration = ("--config-file", str(HERE / "openapi" / "schemathesis.toml"))
    command = (sys.executable, "-c", schemathesis, *configuration, "run", f"{server.url}/api/openapi.json")
    environ = {
        **os.environ,
        "PYTHONPATH": str(HERE / "openapi"),
        "SCHEMATHESIS_HOOKS": "asking",
        "ANONCHAT_PORT": str(server.port),
        "ANONCHAT_OPERATOR": OPERATOR,
    }
    return subprocess.run(
        (*command, "--no-color", "--request-timeout", "30", *options),
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)  # 2,000 requests
def test_every_answer_is_as_described(tmp_path: Path) -> None:
    tables = environment(plugins={"enabled": bundled()}, server={"operator_token": OPERATOR})
    with ServerProcess(tmp_path, tables) as server:
        found = attack(server, tmp_path, *(LONG if SOAK else SHORT))
        assert found.returncode == 0, found.stdout + found.stderr
        assert "Traceback" not in server.log
        assert '"level": "error"' not in server.log


WRONG = """
from anonchat import Answer, Route, Schema, hookimpl
from marshmallow import fields

class Rolled(Schema):
    eyes = fields.Integer(required=True)

class Plugin:
    @hookimpl
    def register_routes(self):
        return [Route("GET", "/api/wrong/rolled", self.roll, answer=Rolled()), Route("GET", "/api/wrong/broken", self.fail)]

    async def roll(self, request):
        return Answer({"eyes": "three"})

    async def fail(self, request):
        raise ValueError
"""


def test_control_what_is_not_as_described_is_found(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    tables = environment(plugins={"enabled": ["wrong"], "plugins_dir": str(tmp_path)})
    with ServerProcess(tmp_path, tables) as server:
        found = attack(server, tmp_path, *SHORT, "--include-path-regex", "^/api/wrong/")
        assert found.returncode == 1
        assert "Server error: 1" in found.stdout
        assert "Response violates schema: 1" in found.stdout
