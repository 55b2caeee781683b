"""The tables ``[plugins.<name>]`` of the configuration: each is that of a plugin, and fits it."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

import marshmallow

from anonchat.config import ConfigError, validate_plugin_options
from anonchat.config.settings import PluginSettings
from anonchat.errors import StartError
from anonchat.plugins.registry import Plugins, available, is_available, load


def options_of(plugins: Plugins, settings: PluginSettings) -> dict[str, dict[str, Any]]:
    """The validated table of each plugin. Raises `ConfigError` with everything that is wrong in all of them.

    A table of a plugin that is there and not enabled is left alone, so that switching it off is one word.
    """
    valid: dict[str, dict[str, Any]] = {}
    problems = [
        (f"plugins.{name}", _nobodys(name, plugins))
        for name in settings.options
        if name not in plugins.names and not is_available(name, settings.plugins_dir)
    ]
    schemas: dict[str, type[marshmallow.Schema]] = dict(plugins.declared("register_config_schema"))
    for name in plugins.names:
        try:
            schema = schemas.get(name, marshmallow.Schema)()  # that of a plugin without settings takes none
            valid[name] = validate_plugin_options(name, schema, settings.options.get(name, {}))
        except ConfigError as error:
            problems += error.errors
        except Exception as error:
            raise StartError(f"The plugin {name!r} failed with its settings, [plugins.{name}]: {error!r}") from error
    if problems:
        raise ConfigError(problems)
    return valid


def load_one(name: str, settings: PluginSettings) -> Plugins:
    """One plugin, and all that it declares with its settings. Raises `StartError`."""
    plugins = load([name], settings.plugins_dir)
    own = {name: settings.options[name]} if name in settings.options else {}
    plugins.configure(options_of(plugins, replace(settings, options=own)))
    return plugins


def _nobodys(name: str, plugins: Plugins) -> str:
    near = difflib.get_close_matches(name, [*plugins.names, *available()], 1)
    done = f"did you mean [plugins.{near[0]}]?" if near else "install its package, or remove the table"
    return f"there is no plugin {name!r}; {done}"
