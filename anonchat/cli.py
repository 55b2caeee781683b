"""The command line. Each command imports what it needs, so that none waits for the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

# Name of each command and its module, which holds it under the same name.
COMMANDS = {
    "serve": "serve",
    "chat": "chat",
    "room": "room",
    "plugins": "plugins",
    "config": "config",
    "migrate": "migrate",
    "backup": "backup",
    "restore": "backup",
    "move": "move",
    "doctor": "doctor",
    "chaos": "chaos",
}


class CommandLine(click.Group):
    """The commands of anonchat and, after the name of a plugin, its own: ``anonchat polls count``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands of anonchat in the order of their use, then the plugins that have some."""
        return [*COMMANDS, *_plugins_with_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; plugins are loaded only for a name that is not ours."""
        if cmd_name in COMMANDS:
            command: click.Command = getattr(import_module(f"anonchat.commands.{COMMANDS[cmd_name]}"), cmd_name)
            return command
        return _commands_of(cmd_name)


def _commands_of(plugin: str) -> click.Command | None:
    """The group of an enabled plugin's commands, or None. Raises `Refused` if the plugin cannot be loaded."""
    from anonchat.commands.options import load, refusing
    from anonchat.plugins.registry import load as load_plugins
    from anonchat.plugins.registry import names_of

    settings = load(None)
    enabled = names_of(settings.plugins.enabled)
    if plugin not in enabled:
        return None
    with refusing():
        loaded = load_plugins([plugin], settings.plugins.plugins_dir)
        commands: list[Any] = [command for _, command in loaded.declared("register_commands")]
    return click.Group(plugin, commands=commands, help=f"Commands of the plugin {plugin}.") if commands else None


def _plugins_with_commands() -> list[str]:
    """For the list of commands, which must not fail because a plugin or the configuration does."""
    from anonchat.commands.options import Refused, load
    from anonchat.plugins.registry import names_of

    try:
        settings = load(None)
        enabled = names_of(settings.plugins.enabled)
        return [name for name in enabled if _commands_of(name) is not None]
    except Refused:
        return []


@click.group(cls=CommandLine)
@click.version_option(package_name="anonchat", prog_name="anonchat")
def main() -> None:
    """A self-hosted server for anonymous, short-lived chat rooms."""
