"""``anonchat config``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anonchat.commands.options import config_option, load, refusing

if TYPE_CHECKING:
    from anonchat.config import Settings
    from anonchat.config.settings import PluginSettings


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@config_option
def check(config: Path | None) -> None:
    """Print the settings in effect, and doubts about them.

    Secrets are masked. Exit code 1 if no server could start.
    """
    settings = load(config)
    with refusing():
        plugins = _check_plugins(settings)
        _check_storage(settings)
    click.echo("\n".join(_lines(replace(settings, plugins=plugins))))
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)


@config.command()
def example() -> None:
    """Print every setting with its default, as a file to begin with."""
    click.echo(files("anonchat.data").joinpath("config.example.toml").read_text("utf-8"), nl=False)


def _check_plugins(settings: Settings) -> PluginSettings:
    """The settings of the plugins with the defaults of those that are enabled.

    Raises `StartError` or `ConfigError` for a plugin that does not load or does not take its options.
    """
    from anonchat.plugins.options import options_of
    from anonchat.plugins.registry import load as load_plugins

    plugins = load_plugins(settings.plugins.enabled, settings.plugins.plugins_dir)
    valid = options_of(plugins, settings.plugins)
    plugins.configure(valid)
    options = dict(settings.plugins.options)
    for name, schema in plugins.declared("register_config_schema"):
        written = {key: value for key, value in schema().dump(valid[name]).items() if value is not None}
        options[name] = {**options.get(name, {}), **written}  # a secret may be one that is never dumped
    return replace(settings.plugins, options=options)


def _check_storage(settings: Settings) -> None:
    """Raises `StartError` for an address that no backend takes. Nothing is connected to."""
    from anonchat.clock import Clock
    from anonchat.storage.backends import ROLES, open_backend

    for role in ROLES:
        open_backend(role, getattr(settings.storage, role), Clock())


def _lines(settings: Settings) -> Iterator[str]:
    """As TOML, so that it can be read and copied."""
    from anonchat.config import word_of

    for table, values in settings.masked().items():
        plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
        yield f"[{table}]"
        for key, value in plain.items():
            yield f"{key} = {_toml(word_of(table, key) if value is None else value)}"
        yield ""
        for name, inner in values.items():
            if name not in plain:
                yield f"[{table}.{name}]"
                yield from (f"{key} = {_toml(value)}" for key, value in inner.items())
                yield ""


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
