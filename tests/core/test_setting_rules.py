"""Combinations of settings: each rule at its border and beyond, and what is only doubtful."""

from pathlib import Path

import pytest

from anonchat.config import ConfigError, load_settings
from anonchat.config.rules import RULES, is_loopback

TOKEN = "server.operator_token = '0123456789abcdef'"
POSTGRES = "storage.database = 'postgresql://db/x'"
REDIS_BUS = "storage.bus = 'redis://cache/0'"
REDIS_EPHEMERAL = "storage.ephemeral = 'redis://cache/0'"

# (settings that go together, settings that do not, the path of the error)
BORDERS = [
    (
        "server.port = 9100\nserver.metrics_port = 9101",
        "server.port = 9100\nserver.metrics_port = 9100",
        "server.metrics_port",
    ),
    ("server.port = 0\nserver.metrics_port = 0", "server.metrics_port = 5000", "server.metrics_port"),
    ("server.allowed_origins = ['*']", "server.allowed_origins = ['*', 'https://a.org']", "server.allowed_origins"),
    (f"{POSTGRES}\n{REDIS_BUS}\n{REDIS_EPHEMERAL}", f"{REDIS_BUS}\n{REDIS_EPHEMERAL}", "storage.bus"),
    (f"{POSTGRES}\n{REDIS_EPHEMERAL}", f"{POSTGRES}\n{REDIS_BUS}", "storage.ephemeral"),
    ("sessions.grace_seconds = 60", "sessions.grace_seconds = 61", "sessions.grace_seconds"),
    ("sessions.name_hold_seconds = 10", "sessions.name_hold_seconds = 9", "sessions.grace_seconds"),
    ("sessions.ttl_seconds = 900", "sessions.ttl_seconds = 899", "sessions.name_hold_seconds"),
    (
        "sessions.connect_seconds = 3600",
        "sessions.connect_seconds = 3600\nsessions.ttl_seconds = 3599",
        "sessions.connect_seconds",
    ),
    ("sessions.connect_seconds = 10", "sessions.connect_seconds = 9", "limits.identify_seconds"),
    (f"rooms.create = 'operator'\n{TOKEN}", "rooms.create = 'operator'", "rooms.create"),
    ("rooms.max_duration_seconds = 86400", "rooms.max_duration_seconds = 86399", "rooms.default_duration_seconds"),
    ("rooms.max_retention_seconds = 86400", "rooms.max_retention_seconds = 86399", "rooms.default_retention_seconds"),
    ("rooms.max_participants = 100", "rooms.max_participants = 99", "rooms.default_participants"),
    ("retention.backups_seconds = 31536000", "retention.backups_seconds = 31536001", "retention.backups_seconds"),
    ("retention.overdue_seconds = 60", "retention.overdue_seconds = 59", "retention.interval_seconds"),
    ("limits.pong_seconds = 24.9", "limits.pong_seconds = 25", "limits.pong_seconds"),
    ("limits.queue_bytes = 65536", "limits.queue_bytes = 65535", "limits.frame_bytes"),
    ("limits.text_length = 5376", "limits.text_length = 5377", "limits.text_length"),
]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_paths(text: str) -> list[str]:
    """Where a configuration is wrong; empty when it is not."""
    Path("anonchat.toml").write_text(text)
    try:
        load_settings(None, {})
    except ConfigError as error:
        return [path for path, _ in error.errors]
    return []


@pytest.mark.parametrize(("good", "bad", "path"), BORDERS)
def test_borders(good: str, bad: str, path: str) -> None:
    assert error_paths(good) == []
    assert error_paths(bad) == [path]


def test_a_lease_is_long_enough_for_its_beats() -> None:
    """Shorter ones could not be kept: people would be told to have gone too late, or while they are there."""
    assert error_paths("sessions.lease_seconds = 4\nsessions.grace_seconds = 1") == []
    assert error_paths("sessions.lease_seconds = 3\nsessions.grace_seconds = 1") == ["sessions.lease_seconds"]


def test_every_rule_has_its_border() -> None:
    assert {rule.paths[0] for rule in RULES} == {path for _, _, path in BORDERS}


def test_rules_about_a_wrong_setting_keep_quiet() -> None:
    assert error_paths("limits.ping_seconds = 'x'\nlimits.pong_seconds = 299") == ["limits.ping_seconds"]
    assert error_paths("server = 1\nrooms.create = 'operator'") == ["server"]


def test_a_broken_rule_says_how_much_and_names_every_variable() -> None:
    environ = {"ANONCHAT_LIMITS__PING_SECONDS": "5", "ANONCHAT_LIMITS__TEXT_LENGTH": "6000"}
    with pytest.raises(ConfigError) as caught:
        load_settings(None, environ)
    pong, text = (message for _, message in caught.value.errors)
    assert pong.startswith("must be below limits.ping_seconds, which is 5: ")
    assert pong.endswith("(from ANONCHAT_LIMITS__PING_SECONDS)")
    assert "needs 73024 bytes (from ANONCHAT_LIMITS__TEXT_LENGTH)" in text


@pytest.mark.parametrize(
    ("text", "beginnings"),
    [
        ("", []),
        ("server.host = '::1'", []),
        ("server.host = '0.0.0.0'", ["server.host is 0.0.0.0"]),
        ("server.host = '0.0.0.0'\nserver.allowed_hosts = ['chat.example.org']", []),
        ("server.host = '0.0.0.0'\nserver.public_url = 'http://chat.example.org'", ["server.public_url is http:"]),
        ("server.public_url = 'http://localhost:5000'", []),
        ("server.public_url = 'https://a.org'", ["server.public_url is https"]),
        ("server.public_url = 'https://a.org'\nserver.trusted_proxies = ['127.0.0.1']", []),
        ("server.trusted_proxies = ['::/0']", ["server.trusted_proxies trusts every address"]),
        ("server.allowed_origins = ['*']", ['server.allowed_origins is "*"']),
    ],
)
def test_warnings(text: str, beginnings: list[str]) -> None:
    Path("anonchat.toml").write_text(text)
    warnings = load_settings(None, {}).warnings
    assert len(warnings) == len(beginnings)
    assert all(warning.startswith(start) for warning, start in zip(warnings, beginnings, strict=True))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("a.org", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
