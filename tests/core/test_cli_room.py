"""``anonchat room create`` on a running server."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from anonchat.cli import main
from anonchat.testing.processes import ServerProcess

TOKEN = "the operator's token"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environ = {"ANONCHAT_ROOMS__CREATE": "operator", "ANONCHAT_SERVER__OPERATOR_TOKEN": TOKEN.replace(" ", "-")}
    with ServerProcess(tmp_path_factory.mktemp("server"), environ) as process:
        yield process


def _create(server: ServerProcess, *options: str, token: str = TOKEN) -> Result:
    operator = ("--operator-token", token.replace(" ", "-"))
    return CliRunner().invoke(main, ["room", "create", "Lunch", "--server", server.url, *operator, *options])


def _room(server: ServerProcess, printed: str) -> dict[str, object]:
    found = re.search(r"/r/([0-9a-f-]{36})#", printed)
    assert found
    with urllib.request.urlopen(f"{server.url}/api/rooms/{found[1]}", timeout=10) as answer:
        room: dict[str, object] = json.load(answer)
    return room


def test_a_room_as_asked_for(server: ServerProcess) -> None:
    done = _create(server, "--hours", "2", "--retention", "1", "--max", "7", "--description", "At noon", "--public")
    assert done.exit_code == 0, done.output
    assert len(set(re.findall(rf"{server.url}/r/\S+#[\w-]{{24}}", done.output))) == 2
    room = _room(server, done.output)
    assert (room["title"], room["description"], room["maxParticipants"]) == ("Lunch", "At noon", 7)
    assert (room["ephemeral"], room["retentionSeconds"]) == (True, 3_600)
    assert room["expiresAt"] is not None


def test_a_room_that_is_kept(server: ServerProcess) -> None:
    room = _room(server, _create(server, "--keep").output)
    assert (room["ephemeral"], room["expiresAt"]) == (False, None)


def test_the_token_of_the_configuration_is_used_here(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_SERVER__PORT", str(server.port))
    monkeypatch.setenv("ANONCHAT_SERVER__OPERATOR_TOKEN", TOKEN.replace(" ", "-"))
    assert CliRunner().invoke(main, ["room", "create", "Lunch"]).exit_code == 0


def test_a_code_only_where_it_can_be_seen(server: ServerProcess) -> None:
    assert "▄" not in _create(server).output
    assert "▄" not in _create(server, "--no-qr").output
    assert "▄" in _create(server, "--qr").output


def test_refusals_of_the_server_are_told(server: ServerProcess) -> None:
    done = _create(server, token="not the operator's token")
    assert (done.exit_code, "operator" in done.output) == (1, True)
    done = _create(server, "--hours", "1000000")
    assert (done.exit_code, "--hours (in seconds): At most" in done.output) == (1, True)
    done = _create(server, "--description", "x" * 1_001)
    assert (done.exit_code, "\n  --description: At most 1000 characters." in done.output) == (1, True)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = CliRunner().invoke(main, ["room", "create", "Lunch", "--server", f"http://127.0.0.1:{port}"])
    assert done.exit_code == 1
    assert done.output.startswith(f"anonchat: No server answers at http://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["chat.example.org", "ftp://chat.example.org"])
def test_an_address_that_is_none(address: str) -> None:
    done = CliRunner().invoke(main, ["room", "create", "Lunch", "--server", address])
    assert done.exit_code == 1
    assert done.output == (f"anonchat: {address} is no address of a server: it must begin with http:// or https://.\n")
