"""``anonchat room create`` on a running server."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from anonchat.cli import main
from anonchat.testing.processes import ServerProcess

TOKEN = "the operator's token"
VARIABLE = "ANONCHAT_SERVER__OPERATOR_TOKEN"
CREATE = ("create", "Lunch")
END = ("end", "00000000-0000-4000-8000-000000000000", "--yes")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environ = {"ANONCHAT_ROOMS__CREATE": "operator", VARIABLE: TOKEN.replace(" ", "-")}
    with ServerProcess(tmp_path_factory.mktemp("server"), environ) as process:
        yield process


class Stranger(HTTPServer):
    """Answers everything in one way, and keeps what was asked."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answer = answer
        self.asked: list[str] = []


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Stranger)
        self.server.asked.append(f"{self.requestline}\n{self.headers}")
        self.wfile.write(self.server.answer)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stranger(head: str, body: str = "") -> Iterator[Stranger]:
    answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with Stranger(answer.encode()) as other:
        thread = Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield other
        finally:
            other.shutdown()
            thread.join()


def _create(server: ServerProcess, *options: str, token: str = TOKEN) -> Result:
    operator = ("--operator-token", token.replace(" ", "-"))
    return CliRunner().invoke(main, ["room", "create", "Lunch", "--server", server.url, *operator, *options])


def _room(server: ServerProcess, printed: str) -> dict[str, object]:
    found = re.search(r"/r/([0-9a-f-]{36})#", printed)
    assert found
    with urllib.request.urlopen(f"{server.url}/api/rooms/{found[1]}", timeout=60) as answer:
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


def _end(server: ServerProcess, named: str, *options: str, answer: str = "") -> Result:
    operator = ("--server", server.url, "--operator-token", TOKEN.replace(" ", "-"))
    return CliRunner().invoke(main, ["room", "end", named, *operator, *options], input=answer)


def _ended(server: ServerProcess, link: str) -> bool:
    try:
        _room(server, link)
    except urllib.error.HTTPError as error:
        return error.code == 410
    return False


@pytest.mark.parametrize("cut", [r"http\S+", r"(?<=/r/)[0-9a-f-]{36}", r"http[^#]+"])
def test_a_room_is_ended_by_its_link_or_its_id(server: ServerProcess, cut: str) -> None:
    links = _create(server).output
    found = re.search(cut, links)
    assert found is not None
    assert _end(server, found[0], answer="n\n").exit_code == 1
    assert not _ended(server, links)
    done = _end(server, found[0], answer="y\n")
    assert (done.exit_code, "The room has ended." in done.output) == (0, True)
    assert _ended(server, links)
    again = _end(server, found[0], "--yes")
    assert (again.exit_code, "ended" in again.output) == (1, True)


@pytest.mark.parametrize("command", [CREATE, END])
@pytest.mark.parametrize("token", [None, "wrong"])
def test_who_is_not_the_operator_is_told_what_it_takes(
    server: ServerProcess, command: tuple[str, ...], token: str | None
) -> None:
    operator = ("--operator-token", token) if token else ()
    done = CliRunner().invoke(main, ["room", *command, "--server", server.url, *operator])
    assert (done.exit_code, "--operator-token" in done.output) == (1, True)
    assert f"Set it as {VARIABLE}" in done.output


def test_the_token_of_the_environment_is_used_everywhere(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN.replace(" ", "-"))
    done = CliRunner().invoke(main, ["room", *CREATE, "--server", server.url])
    assert done.exit_code == 0, done.output


def test_a_terminal_is_asked_for_the_token_and_does_not_show_it(server: ServerProcess) -> None:
    links, token = _create(server).output, TOKEN.replace(" ", "-")
    found = re.search(r"http\S+", links)
    assert found is not None
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "anonchat", "room", "end", found[0], "--server", server.url, "--yes"]
    try:
        process = subprocess.Popen(command, stdin=terminal, stderr=subprocess.PIPE, start_new_session=True)
        assert process.stderr is not None
        with process.stderr as told:
            assert told.read(len("Operator token: ")) == b"Operator token: "
            os.write(keyboard, f"{token}\n".encode())
            assert (process.wait(120), told.read().strip()) == (0, b"")
        assert select.select([keyboard], [], [], 0)[0] == [], "nothing that was typed is shown"
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert _ended(server, links)


@pytest.mark.parametrize("named", ["Lunch", "https://chat.example.org/", "https://chat.example.org/r/", ""])
def test_what_names_no_room_is_told(server: ServerProcess, named: str) -> None:
    done = _end(server, named, "--yes")
    assert (done.exit_code, "This names no room." in done.output) == (1, True)


def test_the_token_of_the_configuration_is_used_here(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_SERVER__PORT", str(server.port))
    monkeypatch.setenv(VARIABLE, TOKEN.replace(" ", "-"))
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


@pytest.mark.parametrize("command", [CREATE, END])
@pytest.mark.parametrize(
    "body", ["<html>Welcome!</html>", "{}", "[]", "", '{"ok": false, "joinUrl": 1}', '{"code": 0}', "[" * 9_999]
)
def test_who_answers_well_but_otherwise_is_not_believed(command: tuple[str, ...], body: str) -> None:
    with stranger("200 OK", body) as other:
        done = CliRunner().invoke(main, ["room", *command, "--server", other.url])
    assert done.exit_code == 1
    assert done.output == (
        f"anonchat: What answers at {other.url} is not anonchat (status 200). Name the server with --server.\n"
    )


@pytest.mark.parametrize("command", [CREATE, END])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_sends_the_token_elsewhere(command: tuple[str, ...], status: int) -> None:
    with stranger("200 OK", '{"ok": true, "joinUrl": "", "moderatorUrl": ""}') as elsewhere:
        with stranger(f"{status} Moved\r\nLocation: {elsewhere.url}/r") as other:
            named = ("--server", other.url, "--operator-token", TOKEN)
            done = CliRunner().invoke(main, ["room", *command, *named])
        assert (done.exit_code, len(other.asked), TOKEN in other.asked[0]) == (1, 1, True)
        assert f"The server {other.url} sends us to {elsewhere.url}/r. If that is right, name it with" in done.output
        assert elsewhere.asked == []
        named = ("--server", elsewhere.url, "--operator-token", TOKEN)
        assert CliRunner().invoke(main, ["room", *command, *named]).exit_code == 0, "the control"


def test_no_proxy_gets_to_see_what_stays_on_this_machine(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with stranger("502 Bad Gateway") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert _create(server).exit_code == 0
        assert proxy.asked == []
        done = CliRunner().invoke(main, ["room", *CREATE, "--server", "http://chat.invalid"])
        assert (done.exit_code, len(proxy.asked)) == (1, 1), "the control: for other machines it is used"


def test_who_does_not_speak_http_is_told_in_a_sentence() -> None:
    with stranger("200 OK") as other:
        other.answer = b"SSH-2.0-OpenSSH\r\n"
        done = CliRunner().invoke(main, ["room", *CREATE, "--server", other.url])
    assert (done.exit_code, done.output[:10]) == (1, "anonchat: ")


@pytest.mark.parametrize("address", ["chat.example.org", "ftp://chat.example.org"])
def test_an_address_that_is_none(address: str) -> None:
    done = CliRunner().invoke(main, ["room", "create", "Lunch", "--server", address])
    assert done.exit_code == 1
    assert done.output == (f"anonchat: {address} is no address of a server: it must begin with http:// or https://.\n")
