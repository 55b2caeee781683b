"""Settings from environment variables: names, casts, and what is refused or left alone."""

from pathlib import Path
from typing import Any

import pytest

from anonchat.config import ConfigError, Settings, describe_settings, load_settings


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def value_at(settings: Settings, path: str) -> Any:
    """The value of a setting by its path."""
    table, _, name = path.partition(".")
    return getattr(getattr(settings, table), name)


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("SERVER__PORT", "8000", "server.port", 8000),
        ("SERVER__PORT", " 8_000 ", "server.port", 8000),
        ("SERVER__METRICS_PORT", "9100", "server.metrics_port", 9100),
        ("SERVER__METRICS_PORT", "off", "server.metrics_port", None),
        ("SERVER__DRAIN_SECONDS", "2.5", "server.drain_seconds", 2.5),
        ("SERVER__DRAIN_SECONDS", "3", "server.drain_seconds", 3.0),
        ("SERVER__TOKEN_IN_URL", "false", "server.token_in_url", False),
        ("SERVER__TOKEN_IN_URL", "0", "server.token_in_url", False),
        ("SERVER__TOKEN_IN_URL", " Off ", "server.token_in_url", False),
        ("SERVER__TOKEN_IN_URL", "YES", "server.token_in_url", True),
        ("SERVER__ALLOWED_HOSTS", '["a.org", "b.org"]', "server.allowed_hosts", ("a.org", "b.org")),
        ("SERVER__ALLOWED_HOSTS", "['a.org',]", "server.allowed_hosts", ("a.org",)),
        ("SERVER__OPERATOR_TOKEN", "1234567890123456", "server.operator_token", "1234567890123456"),
        ("STORAGE__DATABASE", "postgresql://u:p@db/x", "storage.database", "postgresql://u:p@db/x"),
        ("LIMITS__MESSAGES_PER_SESSION", "20/minute", "limits.messages_per_session", "20/minute"),
        ("LIMITS__PING_SECONDS", "30", "limits.ping_seconds", 30.0),
        ("PLUGINS__ENABLED", '["polls"]', "plugins.enabled", ("polls",)),
        ("PLUGINS__ENABLED", "all", "plugins.enabled", None),
        ("PLUGINS__PLUGINS_DIR", ".", "plugins.plugins_dir", Path()),
    ],
)
def test_values(variable: str, text: str, path: str, value: Any) -> None:
    found = value_at(load_settings(None, {f"ANONCHAT_{variable}": text}), path)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SERVER__PORT", '"8000"'),
        ("SERVER__PORT", "8000\nhost = 'x'"),
        ("SERVER__PORT", "8000.0"),
        ("SERVER__PORT", "true"),
        ("SERVER__DRAIN_SECONDS", "inf"),
        ("SERVER__TOKEN_IN_URL", "maybe"),
        ("SERVER__TOKEN_IN_URL", "2"),
        ("SERVER__ALLOWED_HOSTS", "a.org"),
        ("SERVER__ALLOWED_HOSTS", "[" * 5000),
        ("PLUGINS__ENABLED", "polls"),
    ],
)
def test_wrong_values_name_their_variable(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {f"ANONCHAT_{variable}": text})
    ((path, message),) = caught.value.errors
    assert path == variable.lower().replace("__", ".")
    assert message.endswith(f"(from ANONCHAT_{variable})")


def test_environment_wins_over_file(working_folder: Path) -> None:
    (working_folder / "anonchat.toml").write_text("server = { port = 1, host = '::1' }\nplugins.dice.sides = 6")
    environ = {"ANONCHAT_SERVER__PORT": "2", "ANONCHAT_PLUGINS__DICE__SIDES": "20", "ANONCHAT_SERVER__HOST": ""}
    loaded = load_settings(None, environ)
    assert (loaded.server.port, loaded.server.host) == (2, "::1")
    assert loaded.plugins.options["dice"]["sides"] == "20"


def test_names_of_variables() -> None:
    for setting in describe_settings():
        table, _, name = setting.path.partition(".")
        assert setting.variable == f"ANONCHAT_{table.upper()}__{name.upper()}"
        with pytest.raises(ConfigError) as caught:
            load_settings(None, {setting.variable: "\0"})
        assert [path for path, _ in caught.value.errors] == [setting.path]


@pytest.mark.parametrize(
    ("variable", "path", "message"),
    [
        ("ANONCHAT_PORT", "ANONCHAT_PORT", "unknown variable; did you mean ANONCHAT_SERVER__PORT?"),
        ("ANONCHAT_SERVER_PORT", "ANONCHAT_SERVER_PORT", "unknown variable; did you mean ANONCHAT_SERVER__PORT?"),
        ("ANONCHAT_server__port", "ANONCHAT_server__port", "unknown variable; did you mean ANONCHAT_SERVER__PORT?"),
        ("ANONCHAT_CONFG", "ANONCHAT_CONFG", "unknown variable; did you mean ANONCHAT_CONFIG?"),
        (
            "ANONCHAT_X",
            "ANONCHAT_X",
            "unknown variable: unset it, or write ANONCHAT_<TABLE>__<SETTING>, with two underscores between",
        ),
        (
            "ANONCHAT_SERVER__PROT",
            "server.prot",
            "unknown setting; did you mean server.port? (from ANONCHAT_SERVER__PROT)",
        ),
        (
            "ANONCHAT_PLUGINS__DICE",
            "plugins.dice",
            "unknown setting; the settings of a plugin stand in a table of its own, [plugins.dice] "
            "(from ANONCHAT_PLUGINS__DICE)",
        ),
        (
            "ANONCHAT_SERVER__PORT__X",
            "ANONCHAT_SERVER__PORT__X",
            "unknown variable; did you mean ANONCHAT_SERVER__PORT?",
        ),
    ],
)
def test_unknown_variables(variable: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {variable: "5"})
    assert caught.value.errors == [(path, message)]


@pytest.mark.parametrize(
    "variable", ["ANONCHAT_", "ANONCHAT___", "ANONCHAT_SERVER__", "ANONCHAT_PLUGINS____X", "ANONCHAT_É"]
)
def test_odd_names_are_refused(variable: str) -> None:
    with pytest.raises(ConfigError):
        load_settings(None, {variable: "5"})


def test_empty_unknown_variable_is_refused_as_well() -> None:
    with pytest.raises(ConfigError):
        load_settings(None, {"ANONCHAT_SERVER_PORT": ""})


def test_variable_below_something_that_is_no_table(working_folder: Path) -> None:
    (working_folder / "anonchat.toml").write_text("server = 1\n[plugins.dice]\nsides = 6")
    environ = {"ANONCHAT_SERVER__PORT": "2", "ANONCHAT_PLUGINS__DICE__SIDES__MOST": "20"}
    with pytest.raises(ConfigError) as caught:
        load_settings(None, environ)
    assert [path for path, _ in caught.value.errors] == ["plugins.dice.sides.most", "server.port", "server"]


def test_variables_of_others_are_left_alone() -> None:
    environ = {
        "PORT": "1",
        "MY_ANONCHAT_PORT": "1",
        "anonchat_server__port": "1",
        "ANONCHAT_TEST_POSTGRES": "postgresql://x",
        # What Kubernetes tells every container about services "anonchat" and "anonchat-redis".
        "ANONCHAT_PORT": "tcp://10.0.0.1:5000",
        "ANONCHAT_SERVICE_HOST": "10.0.0.1",
        "ANONCHAT_SERVICE_PORT": "5000",
        "ANONCHAT_SERVICE_PORT_HTTP": "5000",
        "ANONCHAT_PORT_5000_TCP": "tcp://10.0.0.1:5000",
        "ANONCHAT_PORT_5000_TCP_PROTO": "tcp",
        "ANONCHAT_PORT_5000_TCP_ADDR": "10.0.0.1",
        "ANONCHAT_REDIS_SERVICE_HOST": "10.0.0.2",
        "ANONCHAT_REDIS_PORT": "tcp://10.0.0.2:6379",
        "ANONCHAT_REDIS_PORT_6379_TCP_PORT": "6379",
    }
    assert load_settings(None, environ) == Settings()
