"""What the enabled plugins declare: asked once, each thing of its type, each name once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import marshmallow
from limits import parse

from anonchat.errors import StartError
from anonchat.plugins.declarations import ClientEvent, Job, Metric, Route, ServerEvent, Tables, WebAssets
from anonchat.store.tables import metadata as core_metadata

Implementation = tuple[str, Callable[..., Any]]

# What a hook answers with: one object of that type, or a sequence of them.
ONE: Mapping[str, type] = {"register_config_schema": type, "register_tables": Tables, "register_web_assets": WebAssets}
MANY: Mapping[str, type] = {
    "register_routes": Route,
    "register_client_events": ClientEvent,
    "register_server_events": ServerEvent,
    "register_metrics": Metric,
    "register_commands": click.Command,
    "register_jobs": Job,
}


def declared_by(hook: str, implementations: Sequence[Implementation]) -> Iterator[tuple[str, Any]]:
    """(plugin name, what it declares), sequences one item at a time. Raises `StartError` that names the plugin."""
    for plugin, function in implementations:
        try:
            answer = function()
        except (Exception, SystemExit) as error:
            raise StartError(f"The plugin {plugin!r} failed in {hook}: {error!r}") from error
        for item in _items(plugin, hook, answer):
            _check_item(plugin, item)
            yield plugin, item


def _items(plugin: str, hook: str, answer: object) -> Sequence[object]:
    if answer is None:
        return ()
    if isinstance(answer, ONE.get(hook, ())):
        return (answer,)
    expected = MANY.get(hook, object)
    if hook in ONE or not isinstance(answer, list | tuple) or not all(isinstance(item, expected) for item in answer):
        wanted = ONE[hook].__name__ if hook in ONE else f"a list of {expected.__name__}"
        raise StartError(f"The plugin {plugin!r} must answer {hook} with {wanted}, not with {answer!r}.")
    return answer


def _check_item(plugin: str, item: object) -> None:
    """What would otherwise fail only when somebody uses it."""
    schemas = [getattr(item, name, None) for name in ("schema", "body", "query", "answer")]
    if any(schema is not None and not isinstance(schema, marshmallow.Schema) for schema in schemas):
        raise StartError(f"The plugin {plugin!r} must give a schema object, made with (), in {item!r}.")
    limit = getattr(item, "limit", None)
    if limit not in (None, "off"):
        try:
            parse(limit)
        except (ValueError, TypeError) as error:
            raise StartError(f"The plugin {plugin!r} gives the limit {limit!r}; write it like '5/minute'.") from error


def check_tables(declared: Sequence[tuple[str, Tables]]) -> None:
    """Raise `StartError` for a table name that is taken, by the core or by another plugin."""
    owners = dict.fromkeys(core_metadata.tables, "anonchat")
    for plugin, tables in declared:
        for name in tables.metadata.tables:
            if name in owners:
                raise StartError(
                    f"The plugin {plugin!r} declares the table {name!r}, which {owners[name]!r} has declared already."
                )
            owners[name] = plugin
