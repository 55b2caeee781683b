"""What a running core takes, sends and answers stands in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from anonchat.config import describe_settings
from anonchat.errors import CODES
from anonchat.plugins.registry import bundled
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import request

DOCS = Path(__file__).parent.parent / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
SENT, ERRORS = (
    PROTOCOL.partition(title)[2].partition("\n## ")[0] for title in ("### What the server sends", "## Errors")
)
RECEIVED = PROTOCOL.partition("### What a client sends")[2].partition("\n### ")[0]
PROMISES = re.compile(r"^\| promise \| test \| control \|\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)


def row_of(name: str, section: str) -> str:
    """The row of a table that begins with a name; fails unless there is exactly one."""
    (row,) = (line for line in section.splitlines() if line.startswith(f"| `{name}` |"))
    return row


def test_every_setting_is_described() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    described = set()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        table = section.partition("]")[0].lstrip("[")
        described |= {f"{table}.{name}" for name in re.findall(r"^\| `(\w+)`", section, re.MULTILINE)}
    assert {setting.path for setting in describe_settings()} <= described


@pytest.mark.gen_test
async def test_every_metric_is_described_and_alerts_are_on_what_is_there(tmp_path: Path) -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    settings = settings_in(tmp_path, server={"port": 0, "metrics_port": 0}, plugins={"enabled": bundled()})
    async with running_server(settings) as server:
        told = (await AsyncHTTPClient().fetch(f"http://127.0.0.1:{server.metrics_port}/metrics")).body.decode()
    names = {name for name in re.findall(r"^# HELP (\w+)", told, re.MULTILINE) if not name.endswith("_created")}
    assert {name for name in names if f"`{name}`" not in text} == set()
    alerts = set(re.findall(r"(?:anonchat|process)_\w+", text.partition("## Of the core")[0]))
    assert {name for name in alerts if name.removesuffix("_bucket") not in names} == set()
    assert len(alerts) > 8


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_described_with_its_status_and_close_code(code: str) -> None:
    cells = [cell.strip() for cell in row_of(code, ERRORS).split("|")[1:-1]]
    assert cells[1] == str(CODES[code].status)
    if (close := CODES[code].close) is not None:
        assert cells[2].startswith(str(close))


def test_no_other_error_code_is_described() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| \d", ERRORS, re.MULTILINE)) == CODES.keys()


@pytest.mark.gen_test
async def test_every_event_and_its_fields_are_described(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        for name, (_, event) in server.events.server_events().items():
            row = row_of(name, SENT)
            assert event.durable == row.endswith("| yes |"), name
            fields = [field.data_key for field in event.schema.fields.values()] if event.schema else []
            assert [field for field in fields if not re.search(rf"\b{field}\b", PROTOCOL)] == [], name
        for name, (_, client) in server.events.client_events().items():
            row = row_of(name, RECEIVED)
            accepted = [f"{field.data_key}{'' if field.required else '?'}" for field in client.schema.fields.values()]
            assert "{" + ", ".join(accepted) + "}" in row, name


@pytest.mark.gen_test
async def test_every_route_is_described(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        document = (await request(server, "GET", "/api/openapi.json")).body
    methods = {"get", "post", "put", "patch", "delete"}
    routes = {
        f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found if method in methods
    }
    described = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", PROTOCOL, re.MULTILINE))
    assert routes <= described


@pytest.mark.gen_test
async def test_every_described_route_is_there(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        for method, path in re.findall(r"^\| `([A-Z]+) (/\S*)` \|", PROTOCOL, re.MULTILINE):
            reply = await request(server, method, re.sub(r"{\w+}", "x", path), {} if method == "POST" else None)
            assert reply.status != 405, path
            assert reply.status != 404 or reply.body["code"] == "room_not_found", path


def test_the_tree_names_every_module_once() -> None:
    design, core = (DOCS / "design.md").read_text(encoding="utf-8"), DOCS.parent / "anonchat"
    tree = design.partition("\nanonchat/")[2].partition("\nstorage/")[0]
    named = Counter(re.findall(r"(?<![\w/])\w+(?:\.py|/)", tree))
    modules = {path.name for path in core.glob("[a-z]*.py")}
    folders = {f"{path.parent.name}/" for path in core.glob("[a-z]*/__init__.py")}
    assert modules | folders <= set(named)
    assert [name for name, times in named.items() if times > 1] == []
    assert {name for name in named if name.endswith(".py")} == modules


def named_tests(text: str) -> list[tuple[str, str]]:
    """(file, name) of every test that a page names; `::name` alone is of the file that was named before it."""
    file, found = "", []
    for path, name in re.findall(r"((?:tests|anonchat/testing)/[\w/]+\.py)?(?:::(test_\w+))?", text):
        file = path or file
        if path or name:
            found.append((file, name))
    return found


def missing_tests(text: str) -> list[tuple[str, str]]:
    """Those of them that are not there."""
    root = DOCS.parent
    return [
        (file, name)
        for file, name in named_tests(text)
        if not (root / file).is_file() or (name and f"def {name}(" not in (root / file).read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    assert missing_tests((DOCS / page).read_text(encoding="utf-8")) == []


def test_a_test_that_was_renamed_is_noticed() -> None:
    """The control."""
    text = "`tests/test_docs.py::test_every_error_code`, `::test_no_other_error_code_is_described`, `tests/gone.py::test_it`"
    assert missing_tests(text) == [("tests/test_docs.py", "test_every_error_code"), ("tests/gone.py", "test_it")]


@pytest.mark.parametrize("page", ["reliability.md", "security.md", "privacy.md"])
def test_every_promise_has_a_test_and_a_control(page: str) -> None:
    tables = PROMISES.findall((DOCS / page).read_text(encoding="utf-8"))
    rows = [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]
    assert len(rows) > 12
    assert [row for row in rows if len(row) != 3 or not named_tests(row[1]) or not row[2]] == []
