"""``anonchat doctor`` in places where something is wrong."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

import anonchat.maintenance.doctor
import anonchat_sqlite.maintenance
from anonchat.app import Server
from anonchat.cli import main
from anonchat.rooms.rooms import NewRoom
from anonchat.testing import settings_in
from anonchat.testing.processes import ServerProcess

pytestmark = pytest.mark.sqlite

DAY = 86_400


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which nothing is wrong yet; no server listens where its configuration says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANONCHAT_SERVER__PORT", "1")
    return tmp_path


def _examine() -> tuple[int, dict[str, list[str]], str]:
    """The exit code, the states of each check, and everything that was said."""
    done = CliRunner().invoke(main, ["doctor", "--json"])
    states: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout):
        states.setdefault(finding["check"], []).append(finding["state"])
    return done.exit_code, states, done.stdout


def _change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "anonchat.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _create_room(folder: Path) -> None:
    async def work() -> None:
        server = Server(settings_in(folder))
        await server.open()
        await server.rooms.create(NewRoom("Lunch"))
        await server.close()

    asyncio.run(work())


def test_all_is_well_before_the_first_start(folder: Path) -> None:
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    assert {line.split()[0] for line in done.output.splitlines()} <= {"ok", "warn"}
    assert "ok    server: No server is running." in done.output
    assert list(folder.iterdir()) == [], "it only looks: a file of root would keep the server out"


def test_all_is_well_beside_a_running_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ServerProcess(folder) as server:
        monkeypatch.setenv("ANONCHAT_SERVER__PORT", str(server.port))
        code, states, said = _examine()
        assert (code, states["server"], states["database"]) == (0, ["ok"], ["ok"])
        assert "proxy" not in states
        request = urllib.request.Request(f"{server.url}/health", headers={"X-Forwarded-For": "203.0.113.9"})
        with urllib.request.urlopen(request, timeout=60):
            pass
        code, states, said = _examine()
        assert (code, states["proxy"]) == (0, ["warn"])
        assert "trusted_proxies" in said
        monkeypatch.setenv("ANONCHAT_SERVER__PORT", "1")
        assert _examine()[1]["server"] == ["warn"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell in ways of their own")
def test_open_files_are_those_of_the_running_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a server that is started from here" in _examine()[2]
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)); sys.argv = ['anonchat', 'serve']"
    )
    with ServerProcess(
        folder, command=(sys.executable, "-P", "-c", f"{limited}; from anonchat.cli import main; main()")
    ) as server:
        monkeypatch.setenv("ANONCHAT_SERVER__PORT", str(server.port))
        code, states, said = _examine()
    assert (code, states["open files"]) == (0, ["warn"])
    assert "Only 448 people can be connected at once to the running server." in said


def test_a_short_queue_is_made_longer_for_good(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = folder / "somaxconn"
    short.write_text("4096\n")
    monkeypatch.setattr(anonchat.maintenance.doctor, "SOMAXCONN", short)
    assert "net.core.somaxconn=65535 > /etc/sysctl.d/" in _examine()[2]


def test_a_broken_configuration(folder: Path) -> None:
    (folder / "anonchat.toml").write_text('[rooms]\ncreate = "nobody"\n[limits]\njson_depth = 0\n')
    code, states, _ = _examine()
    assert (code, states) == (1, {"configuration": ["fail", "fail"]})


def test_doubts_and_broken_plugins(folder: Path) -> None:
    (folder / "broken.py").write_text("raise ValueError\n")
    (folder / "anonchat.toml").write_text(
        f'[server]\nhost = "0.0.0.0"\n[plugins]\nenabled = ["broken"]\nplugins_dir = "{folder}"\n'
    )
    code, states, _ = _examine()
    assert (code, states["configuration"], states["plugins"]) == (1, ["warn"], ["fail"])


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", "sqlite:///missing/chat.db")
    code, states, _ = _examine()
    assert (code, states["folder"]) == (1, ["fail"])


def test_a_damaged_database(folder: Path) -> None:
    _create_room(folder)
    path = folder / "anonchat.db"
    content = bytearray(path.read_bytes())
    content[8_192:16_384] = b"x" * 8_192
    path.write_bytes(content)
    code, states, said = _examine()
    assert (code, states["database"]) == (1, ["fail"])
    assert "restore a backup" in said


def test_rows_without_their_room(folder: Path) -> None:
    _create_room(folder)
    _change(folder, "PRAGMA foreign_keys = OFF", "DELETE FROM rooms")
    assert _examine()[:2][1]["database"] == ["fail"]


def test_a_database_that_others_can_read(folder: Path) -> None:
    _create_room(folder)
    (folder / "anonchat.db").chmod(0o644)
    assert _examine()[1]["privacy"] == ["warn"]


@pytest.mark.parametrize(
    ("change", "check", "state"),
    [
        ("UPDATE rooms SET expires_at = {yesterday}", "retention", "warn"),
        ("UPDATE rooms SET created_at = {tomorrow}", "clock", "fail"),
        ("UPDATE schema_version_core SET version_num = 'core_9999'", "tables", "fail"),
    ],
)
def test_what_the_database_tells(folder: Path, change: str, check: str, state: str) -> None:
    _create_room(folder)
    assert _examine()[0] == 0
    now = round(time.time())  # not in the parameters: their names must be the same in every process
    _change(folder, change.format(yesterday=(now - DAY) * 1_000, tomorrow=(now + DAY) * 1_000))
    code, states, _ = _examine()
    assert state in states[check]
    assert code == (state == "fail")


def test_a_full_disk_hides_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _create_room(folder)
    _change(folder, "UPDATE rooms SET expires_at = 1")
    monkeypatch.setattr(anonchat_sqlite.maintenance, "NO_SPACE", 1 << 62)
    monkeypatch.setattr(anonchat_sqlite.maintenance, "LITTLE_SPACE", 1 << 62)
    code, states, _ = _examine()
    assert (code, states["disk"], states["retention"]) == (1, ["fail"], ["warn"])


class Stranger(BaseHTTPRequestHandler):
    answer = ""

    def do_GET(self) -> None:
        self.wfile.write(f"HTTP/1.1 {self.answer}".encode())


class Elsewhere(Stranger):
    answer = "302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"


class Alike(Stranger):
    answer = '200 OK\r\n\r\n{"dependencies": []}'


@pytest.mark.parametrize("stranger", [BaseHTTPRequestHandler, Elsewhere, Alike])
def test_somebody_else_on_the_port(monkeypatch: pytest.MonkeyPatch, stranger: type[BaseHTTPRequestHandler]) -> None:
    with HTTPServer(("127.0.0.1", 0), stranger) as other:
        Thread(target=other.handle_request).start()
        monkeypatch.setenv("ANONCHAT_SERVER__PORT", str(other.server_port))
        code, states, _ = _examine()
    assert (code, states["server"]) == (1, ["fail"])
