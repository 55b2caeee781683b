"""``anonchat config``, ``anonchat plugins``, and the commands of plugins."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anonchat.cli import COMMANDS, main

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SECRET = "a-secret-of-the-operator"
DICE = """
import click
from marshmallow import Schema, fields
from anonchat import hookimpl

__version__ = "1.2.3"

class Options(Schema):
    sides = fields.Integer(load_default=6)

class Plugin:
    @hookimpl
    def register_config_schema(self):
        return Options

    @hookimpl
    def register_commands(self):
        return [click.Command("throw", callback=lambda: click.echo("four"))]

    @hookimpl
    async def message_saved(self, message):
        pass
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a plugin that works and one that does not."""
    (tmp_path / "dice.py").write_text(DICE)
    (tmp_path / "broken.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _configure(folder: Path, *enabled: str, more: str = "") -> None:
    names = ", ".join(f'"{name}"' for name in enabled)
    (folder / "anonchat.toml").write_text(f'[plugins]\nenabled = [{names}]\nplugins_dir = "{folder}"\n{more}')


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_check_prints_what_is_in_effect_without_secrets(folder: Path) -> None:
    _configure(folder, "dice", more=f'[plugins.dice]\nsides = 20\n[server]\noperator_token = "{SECRET}"\nport = 8000\n')
    done = _run("config", "check")
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    settings = tomllib.loads(done.stdout)
    assert settings["server"]["port"] == 8000
    assert settings["server"]["operator_token"] == "***"
    assert settings["server"]["public_url"] == "off"
    assert settings["plugins"]["dice"] == {"sides": 20}


def test_check_prints_the_defaults_of_the_plugins_that_are_enabled(folder: Path) -> None:
    _configure(folder, "dice", "all", more="[plugins.polls]\nmost_options = 7\n")
    plugins = tomllib.loads(_run("config", "check").stdout)["plugins"]
    assert plugins["dice"] == {"sides": 6}
    assert plugins["polls"]["most_options"] == 7
    assert len(plugins["polls"]) > 1
    assert plugins["analytics"]["blur"] == 5


def test_check_warns_of_doubts(folder: Path) -> None:
    (folder / "anonchat.toml").write_text('[server]\nhost = "0.0.0.0"\n')
    done = _run("config", "check")
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: server.host is 0.0.0.0")


def test_check_names_every_error(folder: Path) -> None:
    (folder / "anonchat.toml").write_text('[server]\nport = "x"\n[rooms]\ncreate = "nobody"\n')
    done = _run("config", "check")
    assert done.exit_code == 1
    assert "server.port" in done.stderr
    assert "rooms.create" in done.stderr


def test_check_looks_at_the_options_of_plugins(folder: Path) -> None:
    _configure(folder, "dice", more='[plugins.dice]\nsides = "many"\n')
    done = _run("config", "check")
    assert (done.exit_code, "plugins.dice.sides" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("dyce", "plugins.dyce: there is no plugin 'dyce'; did you mean [plugins.dice]?"),
        ("modration", "plugins.modration: there is no plugin 'modration'; did you mean [plugins.moderation]?"),
        ("zebra", "plugins.zebra: there is no plugin 'zebra'; install its package, or remove the table"),
    ],
)
@pytest.mark.parametrize("command", [("config", "check"), ("serve",)])
def test_a_table_of_no_plugin_is_refused(folder: Path, command: tuple[str, ...], table: str, told: str) -> None:
    _configure(folder, "dice", more=f"[plugins.{table}]\nsides = 20\n")
    done = _run(*command)
    assert done.exit_code != 0
    assert [line.strip() for line in done.stderr.splitlines()][1:] == [told]


def test_a_plugin_that_is_off_keeps_its_table(folder: Path) -> None:
    _configure(folder, more="[plugins.moderation]\nanything = 20\n[plugins.dice]\nsides = 20\n")
    assert _run("config", "check").exit_code == 0


def test_example_is_the_file_of_the_project() -> None:
    assert _run("config", "example").output == EXAMPLE.read_text("utf-8")


def test_plugins_tells_each_state(folder: Path) -> None:
    _configure(folder, "dice", "broken", "absent")
    done = _run("plugins")
    assert done.exit_code == 1
    assert f"dice: enabled, {folder / 'dice.py'} 1.2.3\n" in done.output
    assert "hooks: message_saved, register_commands, register_config_schema" in done.output
    assert "broken: broken." in done.output
    assert "a_module_that_is_not_there" in done.output
    assert "absent: broken." in done.output


def test_a_plugin_in_a_file_needs_no_version(folder: Path) -> None:
    (folder / "plain.py").write_text("class Plugin:\n    pass\n")
    _configure(folder, "plain")
    assert _run("plugins").output.startswith(f"plain: enabled, {folder / 'plain.py'}\n")


def test_every_plugin_that_is_missing_is_named_at_once(folder: Path) -> None:
    _configure(folder, "absent", "dice", "broken", "gone")
    done = _run("config", "check")
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    told = ["names 'absent', but no", "'broken'", "names 'gone', but no"]
    assert [part in line for part, line in zip(told, lines, strict=True)] == [True] * 3


@pytest.mark.parametrize("group", [(), ("config",), ("migrate",), ("room",)])
def test_the_list_of_commands_cuts_no_sentence(group: tuple[str, ...]) -> None:
    listed = _run(*group, "--help").output.partition("\nCommands:\n")[2].splitlines()
    assert listed
    assert [line for line in listed if not line.endswith(".")] + [line for line in listed if line.endswith("...")] == []


def test_commands_of_a_plugin(folder: Path) -> None:
    _configure(folder, "dice")
    assert _run("dice", "throw").output == "four\n"
    assert "dice" in _run("--help").output
    assert _run("birds").exit_code == 2


def test_help_works_with_a_broken_plugin_and_a_broken_configuration(folder: Path) -> None:
    _configure(folder, "broken", "dice")
    assert _run("--help").exit_code == 0
    (folder / "anonchat.toml").write_text("nonsense")
    done = _run("--help")
    assert done.exit_code == 0
    assert all(f"  {name}" in done.output for name in COMMANDS)


def test_the_version_needs_none_of_the_server() -> None:
    code = (
        "import sys; from anonchat.cli import main; main(['--version'], standalone_mode=False);"
        "print(*{'tornado', 'sqlalchemy', 'marshmallow', 'alembic', 'structlog'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    version, loaded = done.stdout.splitlines()
    assert version.startswith("anonchat")
    assert loaded == ""


@pytest.mark.parametrize(
    ("role", "url"),
    [
        ("database", "mysql://x/y"),
        ("database", "sqlite://chat.db"),
        ("database", "postgresql://u@h/d?connections=1"),
        ("bus", "redis://h/words"),
    ],
)
def test_check_refuses_an_address_with_which_no_server_starts(folder: Path, role: str, url: str) -> None:
    (folder / "anonchat.toml").write_text(f'[storage]\n{role} = "{url}"\n')
    done = _run("config", "check")
    assert (done.exit_code, done.output[:10]) == (1, "anonchat: ")


@pytest.mark.parametrize("sign", ["/", "?", "#"])
@pytest.mark.parametrize(("role", "scheme"), [("database", "postgresql"), ("bus", "redis"), ("ephemeral", "redis")])
def test_a_password_with_a_sign_that_ends_the_host_is_never_shown(
    folder: Path, role: str, scheme: str, sign: str
) -> None:
    urls = {"database": "postgresql://127.0.0.1:1/d", "bus": "redis://127.0.0.1:1", "ephemeral": "redis://127.0.0.1:1"}
    urls[role] = f"{scheme}://user:Tr0ub4{sign}dor+3@host/1"
    lines = "\n".join(f'{name} = "{url}"' for name, url in urls.items())
    (folder / "anonchat.toml").write_text(f"[storage]\n{lines}\n")
    checked, looked = _run("config", "check"), _run("doctor")
    assert (checked.exit_code, "%2F" in checked.output) == (1, True)
    for output in (checked.output, looked.output):
        assert "Tr0ub4" not in output
        assert "dor+3" not in output


def test_all_stands_for_the_bundled_plugins_beside_others(folder: Path) -> None:
    _configure(folder, "all", "dice")
    done = _run("plugins")
    assert done.exit_code == 0, done.output
    assert [line for line in done.output.splitlines() if ": enabled" in line][-1].startswith("dice: enabled")
    assert done.output.count(": enabled") == 6
    assert "6 enabled." in _run("doctor").output
