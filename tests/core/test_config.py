"""Reading a configuration: which file, what is valid, and errors that are complete, located and discreet."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from marshmallow import Schema, fields
from marshmallow.validate import Range

from anonchat.config import ConfigError, Settings, describe_settings, load_settings, validate_plugin_options

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(working_folder: Path) -> Write:
    """Write a configuration file and tell where it is."""

    def to_file(text: str) -> Path:
        path = working_folder / "given.toml"
        path.write_text(text, "utf-8")
        return path

    return to_file


def errors_of(path: Path | None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The errors of a configuration that must have some, by path."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ or {})
    errors = dict(caught.value.errors)
    assert len(errors) == len(caught.value.errors), "one path has two errors"
    return errors


class TestFiles:
    def test_no_configuration_is_a_good_one(self) -> None:
        loaded = load_settings(None, {"PATH": "/bin"})
        assert loaded == Settings()
        assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 5000)
        assert loaded.storage.database == "sqlite:///anonchat.db"
        assert loaded.plugins.enabled is None
        assert loaded.warnings == ()

    def test_order_of_files(self, working_folder: Path, write: Write) -> None:
        given_file = write("server.port = 1")
        (working_folder / "anonchat.toml").write_text("server.port = 2")
        (working_folder / "named.toml").write_text("server.port = 3")
        named = {"ANONCHAT_CONFIG": "named.toml"}
        assert load_settings(given_file, named).server.port == 1
        assert load_settings(None, named).server.port == 3
        assert load_settings(None, {}).server.port == 2
        assert load_settings(None, {"ANONCHAT_CONFIG": ""}).server.port == 2

    def test_byte_order_mark_and_windows_line_ends(self, working_folder: Path) -> None:
        path = working_folder / "windows.toml"
        path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 8000\r\n")
        assert load_settings(path, {}).server.port == 8000

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"[server]\nport = \n", "is not valid TOML: Invalid value (at line 2, column 8)"),
            (b"[server]\nport = 1\nport = 2\n", "is not valid TOML: Cannot overwrite a value (at line 3, column 9)"),
            (b"x = '\xff'", "is not written in UTF-8"),
            (None, "no such file"),
        ],
    )
    def test_unreadable_file(self, working_folder: Path, content: bytes | None, message: str) -> None:
        path = working_folder / "broken.toml"
        if content is not None:
            path.write_bytes(content)
        assert errors_of(path) == {str(path): message}
        assert errors_of(path, {"ANONCHAT_CONFIG": "other.toml"}) == {str(path): message}
        assert errors_of(None, {"ANONCHAT_CONFIG": str(path)}) == {str(path): f"{message} (named by ANONCHAT_CONFIG)"}

    def test_folder_instead_of_file(self, working_folder: Path) -> None:
        assert errors_of(working_folder)[str(working_folder)].startswith("cannot be read: ")

    def test_broken_file_does_not_hide_errors_of_the_environment(self, write: Write) -> None:
        path = write("[server")
        environ = {"ANONCHAT_SERVER__PORT": "x", "ANONCHAT_NONE": "1", "ANONCHAT_ROOMS__CREATE": "operator"}
        # Whether there is an operator's token is not known, so nothing is said about that.
        assert set(errors_of(path, environ)) == {str(path), "server.port", "ANONCHAT_NONE"}


class TestTypes:
    def test_every_type(self, write: Write, working_folder: Path) -> None:
        path = write(
            """
            [server]
            port = 0
            public_url = "HTTPS://Chat.Example.org:443/"
            allowed_hosts = ["Chat.Internal.", "[::1]"]
            trusted_proxies = ["10.0.0.0/8", "::1"]
            token_in_url = false
            metrics_port = 9100
            drain_seconds = 2
            [limits]
            messages_per_session = "off"
            ping_seconds = 12.5
            [plugins]
            enabled = []
            plugins_dir = "."
            """
        )
        loaded = load_settings(path, {})
        assert loaded.server.public_url == "https://chat.example.org"
        assert loaded.server.allowed_hosts == ("chat.internal", "::1")
        assert [str(network) for network in loaded.server.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
        assert (loaded.server.token_in_url, loaded.server.metrics_port, loaded.server.port) == (False, 9100, 0)
        assert (loaded.server.drain_seconds, loaded.limits.ping_seconds) == (2, 12.5)
        assert loaded.limits.messages_per_session == "off"
        assert loaded.plugins.enabled == ()
        assert loaded.plugins.plugins_dir is not None
        assert loaded.plugins.plugins_dir.resolve() == working_folder.resolve()

    @pytest.mark.parametrize("wrong", ["{ a = 1 }", "[[1]]", "1979-05-27", "inf", "nan", "-1", '"\\u0000"', "1e400"])
    def test_every_setting_refuses_what_none_takes(self, write: Write, wrong: str) -> None:
        paths = [setting.path for setting in describe_settings()]
        errors = errors_of(write("\n".join(f"{path} = {wrong}" for path in paths)))
        assert {path.partition("[")[0] for path in errors} == set(paths)

    def test_wrong_types_are_not_cast(self, write: Write) -> None:
        text = """
            [server]
            port = "5000"
            token_in_url = 1
            drain_seconds = "10"
            allowed_hosts = "chat.example.org"
            public_url = 5
            metrics_port = 9100.0
            [rooms]
            public_rooms = "yes"
            history_page = true
            """
        assert errors_of(write(text)) == {
            "server.port": "must be a whole number from 0 to 65535",
            "server.token_in_url": "must be true or false",
            "server.drain_seconds": "must be a number from 0 to 300",
            "server.allowed_hosts": 'must be a list such as ["chat.example.org"]',
            "server.public_url": 'must be an origin such as "https://chat.example.org", or "off"',
            "server.metrics_port": 'must be a whole number from 0 to 65535, or "off"',
            "rooms.public_rooms": "must be true or false",
            "rooms.history_page": "must be a whole number from 1 to 200",
        }

    def test_table_that_is_none(self, write: Write) -> None:
        errors = errors_of(write("server = 5\nrooms = [1]\n[[limits]]\n"))
        assert list(errors) == ["server", "rooms", "limits"]
        assert errors["server"] == "must be a table: write [server] in a line of its own and its settings below"

    def test_settings_cannot_be_changed(self) -> None:
        loaded = load_settings(None, {"ANONCHAT_PLUGINS__DICE__SIDES": "6"})
        with pytest.raises(dataclasses.FrozenInstanceError):
            loaded.server.port = 1  # type: ignore[misc]
        assert not hasattr(loaded.server, "__dict__")
        with pytest.raises(TypeError):
            loaded.plugins.options["dice"]["sides"] = 7  # type: ignore[index]


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "path", "message"),
        [
            ("server.prot = 1", "server.prot", "unknown setting; did you mean server.port?"),
            ("limts.text_length = 1", "limts", "unknown setting; did you mean limits?"),
            ("port = 1", "port", "unknown setting; did you mean server.port?"),
            ("server.database = 'x'", "server.database", "unknown setting; did you mean storage.database?"),
            ("log.colour = 1", "log.colour", "unknown setting: remove it; there are level, format"),
            ("plugins.enabeld = []", "plugins.enabeld", "unknown setting; did you mean plugins.enabled?"),
            (
                "plugins.dice = 6",
                "plugins.dice",
                "unknown setting; the settings of a plugin stand in a table of its own, [plugins.dice]",
            ),
            ('server."a\\nb" = 1', 'server."a\\nb"', None),
        ],
    )
    def test_unknown_settings(self, write: Write, text: str, path: str, message: str | None) -> None:
        errors = errors_of(write(text))
        assert list(errors) == [path]
        assert message is None or errors[path] == message

    def test_all_at_once_one_a_line(self, write: Write) -> None:
        path = write("[server]\nport = -1\ntrusted_proxies = ['::1', 'proxy']\n[log]\nlevel = 'loud'\n")
        with pytest.raises(ConfigError) as caught:
            load_settings(path, {"ANONCHAT_ROOMS__HISTORY_PAGE": "many"})
        assert str(caught.value).splitlines() == [
            "4 errors in the configuration:",
            "  server.port: must be a whole number from 0 to 65535",
            '  server.trusted_proxies[1]: must be an address or network such as "10.0.0.0/8"; names are not looked up',
            "  rooms.history_page: must be a whole number from 1 to 200 (from ANONCHAT_ROOMS__HISTORY_PAGE)",
            '  log.level: must be one of "debug", "info", "warning", "error"',
        ]

    def test_one_error_and_messages_of_many_lines(self) -> None:
        error = ConfigError([("a.b", "two\n  lines")])
        assert str(error) == "1 error in the configuration:\n  a.b: two lines"
        assert error.args == ([("a.b", "two lines")],)


class DiceSchema(Schema):
    """The table of a plugin with a setting of each kind."""

    sides = fields.Integer(strict=True, load_default=6, validate=Range(2, 100))
    loaded = fields.Boolean(load_default=False)
    label = fields.String(load_default="dice")
    colours = fields.List(fields.String(), load_default=list)
    weights = fields.Dict(keys=fields.String(), values=fields.Float())
    throw = fields.Nested({"at_most": fields.Integer(strict=True)})


class TestPlugins:
    def test_tables_are_kept_raw_also_of_plugins_that_are_off(self, write: Write) -> None:
        loaded = load_settings(write("[plugins]\nenabled = ['polls']\n[plugins.dice]\nsides = 'many'\n"), {})
        assert loaded.plugins.enabled == ("polls",)
        assert loaded.plugins.options == {"dice": {"sides": "many"}}

    def test_longest_name(self, write: Write) -> None:
        assert load_settings(write(f"plugins.enabled = ['{'d' * 40}']"), {}).plugins.enabled == ("d" * 40,)

    def test_folder_below_the_home_folder(self, working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (working_folder / "mine").mkdir()
        monkeypatch.setenv("HOME", str(working_folder))
        loaded = load_settings(None, {"ANONCHAT_PLUGINS__PLUGINS_DIR": "~/mine"})
        assert loaded.plugins.plugins_dir == working_folder / "mine"

    @pytest.mark.parametrize("name", ["Dice", "my-dice", "two__parts", "ü", "4", "d" * 41])
    def test_names(self, write: Write, name: str) -> None:
        errors = errors_of(write(f'[plugins]\nenabled = ["{name}"]\n[plugins."{name}"]\nx = 1'))
        assert len(errors) == 2
        assert all("at most 40 lower-case letters" in message for message in errors.values())

    def test_environment_is_cast_by_the_schema_of_the_plugin(self, write: Write) -> None:
        environ = {
            "SIDES": "20",
            "LOADED": "yes",
            "LABEL": "7",
            "COLOURS": '["red", "8"]',
            "WEIGHTS__LEFT": "0.5",
            "THROW__AT_MOST": "3",
        }
        path = write("[plugins.dice]\nsides = 12\nthrow.at_most = 2\n")
        options = load_settings(
            path, {f"ANONCHAT_PLUGINS__DICE__{key}": text for key, text in environ.items()}
        ).plugins.options
        assert validate_plugin_options("dice", DiceSchema(), options["dice"]) == {
            "sides": 20,
            "loaded": True,
            "label": "7",
            "colours": ["red", "8"],
            "weights": {"left": 0.5},
            "throw": {"at_most": 3},
        }

    def test_json_object_as_table(self) -> None:
        environ = {"ANONCHAT_PLUGINS__DICE__WEIGHTS": '{"left": 1}', "ANONCHAT_PLUGINS__DICE__THROW": "{at_most = 4}"}
        options = load_settings(None, environ).plugins.options["dice"]
        loaded = validate_plugin_options("dice", DiceSchema(), options)
        assert (loaded["weights"], loaded["throw"]) == ({"left": 1.0}, {"at_most": 4})

    def test_missing_table_is_all_defaults(self) -> None:
        loaded = validate_plugin_options("dice", DiceSchema(), MappingProxyType({}))
        assert loaded == {"sides": 6, "loaded": False, "label": "dice", "colours": []}

    def test_errors(self, write: Write) -> None:
        path = write("[plugins.dice]\nloaded = 'maybe'\nsidse = 1\n[plugins.dice.throw]\nat_mots = 1\n")
        environ = {
            "ANONCHAT_PLUGINS__DICE__SIDES": "1",
            "ANONCHAT_PLUGINS__DICE__COLOUR": "red",
            "ANONCHAT_PLUGINS__DICE__THROW__AT_MOST": "few",
        }
        options = load_settings(path, environ).plugins.options["dice"]
        with pytest.raises(ConfigError) as caught:
            validate_plugin_options("dice", DiceSchema(), options)
        assert dict(caught.value.errors) == {
            "plugins.dice.sides": "Must be greater than or equal to 2 and less than or equal to 100. "
            "(from ANONCHAT_PLUGINS__DICE__SIDES)",
            "plugins.dice.loaded": "Not a valid boolean.",
            "plugins.dice.sidse": "unknown setting; did you mean plugins.dice.sides?",
            "plugins.dice.colour": "unknown setting; did you mean plugins.dice.colours? "
            "(from ANONCHAT_PLUGINS__DICE__COLOUR)",
            "plugins.dice.throw.at_mots": "unknown setting; did you mean plugins.dice.throw.at_most?",
            "plugins.dice.throw.at_most": "Not a valid integer. (from ANONCHAT_PLUGINS__DICE__THROW__AT_MOST)",
        }


class TestSecrets:
    TEXT = """
        [server]
        operator_token = "correct-horse-battery"
        [storage]
        database = "postgresql://chat:correct-horse@db/chat?sslpassword=battery"
        bus = "redis://:correct@horse@cache/0"
        ephemeral = "redis://cache/0?password=battery"
        [plugins.webhook]
        api_key = "correct"
        tries = 3
        targets = [{ url = "https://user:horse@example.org/x", token = "battery" }]
        """

    def test_masked_and_shown(self, write: Write) -> None:
        loaded = load_settings(write(self.TEXT), {"ANONCHAT_PLUGINS__WEBHOOK__SECRET": "horse"})
        masked = loaded.masked()
        assert masked["server"]["operator_token"] == "***"
        assert masked["storage"] == {
            "database": "postgresql://***@db/chat?sslpassword=***",
            "bus": "redis://***@cache/0",
            "ephemeral": "redis://cache/0?password=***",
        }
        assert masked["plugins"]["webhook"] == {
            "api_key": "***",
            "tries": 3,
            "targets": [{"url": "https://***@example.org/x", "token": "***"}],
            "secret": "***",
        }
        for shown in (
            repr(loaded),
            str(loaded),
            repr(loaded.storage),
            f"{loaded.server}",
            repr(loaded.plugins),
            str(masked),
        ):
            assert not any(word in shown for word in ("correct", "horse", "battery"))
            assert "***" in shown

    def test_masked_has_every_setting(self) -> None:
        shown = {f"{table}.{name}" for table, values in Settings().masked().items() for name in values}
        assert shown == {setting.path for setting in describe_settings()}
        assert Settings().masked()["server"]["operator_token"] is None

    @pytest.mark.parametrize("line", ["operator_token = S3CR3T", "operator_token = 'S3CR3T", "port = 'S3CR3T'"])
    def test_no_error_repeats_a_line_of_the_file(self, write: Write, line: str) -> None:
        with pytest.raises(ConfigError) as caught:
            load_settings(write(f"[server]\n{line}\n"), {})
        assert "S3CR3T" not in str(caught.value)
        assert caught.value.__context__ is None

    @given(strategies.text(strategies.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_error_repeats_a_value(self, noise: str) -> None:
        forms: list[Callable[[str], Any]] = [
            "S3CR3T{}".format,
            "https://u:S3CR3T{}@h:S3CR3T".format,
            "https://h:S3CR3T{}".format,
            "[{}S3CR3T".format,
            '["S3CR3T{}", "10.0.0.0/S3CR3T"]'.format,
            "S3CR3T{}/minute".format,
            "1/S3CR3T{}".format,
        ]
        for form in forms:
            environ = {setting.variable: form(noise) for setting in describe_settings()}
            with pytest.raises(ConfigError) as caught:
                load_settings(None, environ)
            assert "S3CR3T" not in str(caught.value)
            assert "S3CR3T" not in repr(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
