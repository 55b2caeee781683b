"""What ``anonchat doctor`` says of Redis."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from anonchat import Finding
from anonchat.cli import main
from anonchat.clock import Clock
from anonchat.storage.backends import open_backend
from anonchat.testing.redis import LOOPBACK, RedisServer

NOWHERE = "postgresql://127.0.0.1:1/chat"
ROLES = ("bus", "ephemeral")


@pytest.fixture(scope="module")
def own() -> Iterator[RedisServer]:
    """One whose settings may be changed."""
    with RedisServer() as server:
        yield server


def findings(url: str, role: str = "ephemeral") -> list[Finding]:
    return list(asyncio.run(open_backend(role, url, Clock()).findings()))


def states(url: str, role: str = "ephemeral") -> set[tuple[str, str]]:
    return {(finding.check, finding.state) for finding in findings(url, role)}


@pytest.mark.parametrize("role", ROLES)
def test_all_is_well(own: RedisServer, role: str) -> None:
    assert states(own.url(), role) == {(role, "ok")}
    time.sleep(0.01)
    assert own.ask("KEYS", "*") == b"*0\r\n", "nothing stays"


@pytest.mark.parametrize("role", ROLES)
def test_nobody_answers_or_lets_us_in(own: RedisServer, role: str) -> None:
    own.ask("ACL", "SETUSER", "somebody", "on", ">secret", "+@all", "~*", "&*")
    assert states(own.url(login="somebody:secret@"), role) == {(role, "ok")}
    for url in (own.url(port=1), own.url(login="somebody:guessed@")):
        assert states(url, role) == {(role, "fail")}, url


@pytest.mark.parametrize(
    ("role", "rights"),
    [("bus", ("+@all", "resetchannels")), ("bus", ("+@all", "&*", "-subscribe")), ("ephemeral", ("+@all", "-time"))],
)
def test_a_right_is_missing(own: RedisServer, role: str, rights: tuple[str, ...]) -> None:
    own.ask("ACL", "SETUSER", "lame", "reset", "on", ">secret", "~*", *rights)
    assert states(own.url(login="lame:secret@"), role) == {(role, "fail")}
    (said,) = findings(own.url(login="lame:secret@"), role)
    assert "rights" in said.advice


def test_a_replica_is_noticed(own: RedisServer) -> None:
    own.ask("REPLICAOF", LOOPBACK, "1")
    try:
        assert states(own.url()) == {("ephemeral", "fail")}
    finally:
        own.ask("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    ("setting", "wrong", "right", "check"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "redis"),
        ("save", '"60 1"', '""', "privacy"),
        ("appendonly", "yes", "no", "privacy"),
    ],
)
def test_what_it_forgets_and_what_it_keeps(own: RedisServer, setting: str, wrong: str, right: str, check: str) -> None:
    own.ask("CONFIG", "SET", setting, wrong)
    try:
        assert states(own.url()) == {("ephemeral", "ok"), (check, "warn")}
    finally:
        own.ask("CONFIG", "SET", setting, right)


@pytest.mark.parametrize("seconds", [-30, 30])
def test_clocks_that_differ(own: RedisServer, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    assert states(own.url()) == {("ephemeral", "ok"), ("clock", "warn")}
    assert any("30 seconds apart" in finding.text for finding in findings(own.url()))


def test_who_may_not_read_its_settings_is_told_so(own: RedisServer) -> None:
    own.ask("ACL", "SETUSER", "plain", "on", ">secret", "+@all", "-@dangerous", "~*", "&*")
    assert states(own.url(login="plain:secret@")) == {("ephemeral", "ok"), ("redis", "ok")}


def test_another_machine_is_asked_in_the_clear(own: RedisServer) -> None:
    """0.0.0.0 leads here, too, and is none of the addresses of this machine alone."""
    assert states(own.url().replace(LOOPBACK, "0.0.0.0")) == {("ephemeral", "ok"), ("privacy", "warn")}


def said(monkeypatch: pytest.MonkeyPatch, folder: Path, bus: str, ephemeral: str) -> list[tuple[str, str]]:
    """Check and state of all that `anonchat doctor` finds."""
    monkeypatch.chdir(folder)
    for role, url in (("DATABASE", NOWHERE), ("BUS", bus), ("EPHEMERAL", ephemeral)):
        monkeypatch.setenv(f"ANONCHAT_STORAGE__{role}", url)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    return [(finding["check"], finding["state"]) for finding in json.loads(done.stdout)]


def test_the_doctor_looks_at_both_roles(own: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = said(monkeypatch, tmp_path, own.url(), own.url())
    finally:
        own.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert {("bus", "ok"), ("ephemeral", "ok")} < set(found)
    assert found.count(("redis", "warn")) == 1, "of one server it is said once"


def test_a_memory_bus_is_doubted_where_others_could_share_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("bus", "warn") in said(monkeypatch, tmp_path, "memory://", "memory://")
