"""Configuration: a TOML file and the environment become validated, frozen ``Settings``, or one ``ConfigError``.

Precedence: environment, file, default. Everything that is wrong is found in one go; no value is repeated in an error,
since it may be a secret.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError

from anonchat.config.environment import CONFIG_VARIABLE, cast_texts, overlay, variable_name, variable_of
from anonchat.config.errors import ConfigError, Keys, Problem, path_text, refusals, unknown_setting, with_variables
from anonchat.config.rules import broken_rules, doubts
from anonchat.config.settings import TABLES, PluginSettings, Settings, setting_fields
from anonchat.config.values import OrWord, parse_plugin_name

__all__ = [
    "ConfigError",
    "SettingDescription",
    "Settings",
    "describe_settings",
    "load_settings",
    "validate_plugin_options",
    "word_of",
]

DEFAULT_FILE = "anonchat.toml"

SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {name: Schema.from_dict(dict(setting_fields(table)), name=table.__name__)() for name, table in TABLES.items()}
)


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting of the core as documentation shows it; ``default`` is written as it would be in the file."""

    path: str
    variable: str
    kind: str
    default: Any


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of ``path`` and ``environ``; raises ``ConfigError`` with all that is wrong.

    Without ``path`` the file that ``ANONCHAT_CONFIG`` names is read, else ``anonchat.toml`` in the working folder if
    there is one. With neither file nor variables the answer is ``Settings()``.
    """
    document, problems = _read_document(path, environ)
    readable = not problems
    problems += overlay(document, environ)
    settings, refused = _build(document)
    problems += refused
    if readable:  # what an unreadable file says is unknown, and so is what it would go together with
        problems += _broken(settings, document, {path.partition("[")[0] for path, _ in problems})
    if problems:
        raise ConfigError(problems)
    return replace(settings, warnings=doubts(settings))


def validate_plugin_options(name: str, schema: Schema, options: Mapping[str, Any]) -> dict[str, Any]:
    """What ``schema`` makes of a plugin's table (``settings.plugins.options.get(name, {})``).

    Texts of environment variables are cast to the types of the schema first. Raises ``ConfigError`` with paths such as
    ``plugins.dice.sides``; unknown keys are refused unless the schema says otherwise.
    """
    loaded, problems = _check(("plugins", name), schema, options)
    if problems:
        raise ConfigError(problems)
    return loaded


def describe_settings() -> tuple[SettingDescription, ...]:
    """Every setting of the core, table by table."""
    return tuple(
        SettingDescription(
            f"{name}.{setting}",
            variable_name(name, setting),
            judge.metadata["kind"],
            _written_default(name, setting),
        )
        for name, table in TABLES.items()
        for setting, judge in setting_fields(table).items()
    )


def word_of(table: str, setting: str) -> str | None:
    """The word that stands for None in the file, such as "off"; None for a setting that has no such word."""
    judge = setting_fields(TABLES[table])[setting]
    return judge.word if isinstance(judge, OrWord) else None


def _written_default(table: str, setting: str) -> Any:
    default = getattr(getattr(Settings(), table), setting)
    if default is None:
        return word_of(table, setting)
    return list(default) if isinstance(default, tuple) else default


def _read_document(path: Path | None, environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    named = environ.get(CONFIG_VARIABLE)
    file = path or Path(named or DEFAULT_FILE)
    origin = f" (named by {CONFIG_VARIABLE})" if named and not path else ""
    try:
        # "-sig", since editors on Windows put a byte order mark in front.
        return tomllib.loads(file.read_text("utf-8-sig")), []
    except FileNotFoundError:
        if not path and not named:
            return {}, []
        problem = "no such file"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = "is not written in UTF-8"
    except (ValueError, RecursionError) as error:
        problem = f"is not valid TOML: {error}"
    return {}, [(str(file), problem + origin)]


def _build(document: Mapping[str, Any]) -> tuple[Settings, list[Problem]]:
    """Settings from what is valid in a document, and what is not."""
    problems = [(path_text((name,)), unknown_setting((name,), TABLES)) for name in document if name not in TABLES]
    tables: dict[str, Any] = {}
    for name, table in TABLES.items():
        values = document.get(name, {})
        if not isinstance(values, dict):
            problems.append((name, f"must be a table: write [{name}] in a line of its own and its settings below"))
            continue
        loaded, refused = _load_plugins(values) if table is PluginSettings else _check((name,), SCHEMAS[name], values)
        problems += refused
        tables[name] = table(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in loaded.items()}
        )
    return Settings(**tables), problems


def _load_plugins(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The table ``[plugins]``: the core's own settings, and unjudged the table of each plugin."""
    schema = SCHEMAS["plugins"]
    options = {
        name: MappingProxyType(table)
        for name, table in values.items()
        if isinstance(table, dict) and name not in schema.fields
    }
    loaded, problems = _check(("plugins",), schema, {key: values[key] for key in values if key not in options})
    for name in options:
        try:
            parse_plugin_name(name)
        except ValueError as error:
            problems.append((path_text(("plugins", name)), str(error)))
    return loaded | {"options": MappingProxyType(options)}, problems


def _check(keys: Keys, schema: Schema, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """What a schema makes of the table at ``keys``: all that is valid, and what is not."""
    try:
        return schema.load(cast_texts(values, schema)), []
    except ValidationError as error:
        problems = [
            (path_text(keys + inner), with_variables(message, [variable_of(values, inner)]))
            for inner, message in refusals(error.messages, schema, keys)
        ]
        return error.valid_data if isinstance(error.valid_data, dict) else {}, problems


def _broken(settings: Settings, document: Mapping[str, Any], unusable: Collection[str]) -> list[Problem]:
    """The rules between settings that do not hold, with the variables that have a part in it."""
    return [
        (rule.paths[0], with_variables(message, [variable_of(document, path.split(".")) for path in rule.paths]))
        for rule, message in broken_rules(settings, unusable)
    ]
