"""What the enabled plugins declare: asked once, each thing of its type, each name once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import click
from limits import parse

from anonchat.errors import StartError
from anonchat.plugins.declarations import ClientEvent, Job, Metric, Route, ServerEvent, Tables, WebAssets
from anonchat.plugins.fields import what_does_not_fit
from anonchat.store.tables import metadata as core_metadata

Named = tuple[str, Callable[..., Any]]
"""The name of a plugin, and what it wrote for a hook."""

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

_PATH = re.compile(r"/api(/([A-Za-z0-9._~-]|\{[A-Za-z_][A-Za-z0-9_]*\})+)+")


def declared_by(
    hook: str, implementations: Sequence[Named], options: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[tuple[str, Any]]:
    """(plugin name, what it declares), sequences one item at a time. Raises `StartError` that names the plugin.

    With the `options` of each plugin, for a hook that is given them.
    """
    for plugin, function in implementations:
        try:
            answer = function() if options is None else function(config=options[plugin])
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
    """What would otherwise fail only when somebody uses it, or let in who should stay out."""
    if (problem := what_does_not_fit(item)) is not None:
        raise StartError(f"The plugin {plugin!r} {problem}.")
    limit = getattr(item, "limit", None)
    if limit not in (None, "off"):
        try:
            parse(limit)
        except (ValueError, TypeError) as error:
            raise StartError(f"The plugin {plugin!r} gives the limit {limit!r}; write it like '5/minute'.") from error


def check_routes(declared: Sequence[tuple[str, Route]], bundled: Collection[str]) -> None:
    """Raise `StartError` for a path that cannot work, or that is not the plugin's to take; `bundled` ones take any."""
    for plugin, route in declared:
        if (problem := _what_ails(route.path)) is not None:
            raise StartError(f"The plugin {plugin!r} declares the route {route.path!r}; {problem}.")
        own = rf"/api/(rooms/\{{roomId\}}/)?{re.escape(plugin)}([/.-].*)?"
        if plugin not in bundled and not re.fullmatch(own, route.path):
            raise StartError(
                f"The plugin {plugin!r} declares the route {route.path!r}; its routes must be named "
                f"/api/rooms/{{roomId}}/{plugin}... or /api/{plugin}..."
            )


def _what_ails(path: str) -> str | None:
    """Why no request would come there, or one with the session of another room."""
    if not _PATH.fullmatch(path):
        return "a path is like /api/rooms/{roomId}/rolls: letters, digits, '-', '.', '_', '~' and names in braces"
    variables = re.findall(r"\{(\w+)\}", path)
    if len(variables) != len(set(variables)):
        return "it names a variable twice"
    if path.startswith("/api/rooms/{") and not path.startswith("/api/rooms/{roomId}"):
        return "what follows /api/rooms/ must be named {roomId}, so that sessions of other rooms are refused"
    return None


def check_tables(declared: Sequence[tuple[str, Tables]]) -> None:
    """Raise `StartError` for a table name that is taken, by the core or by another plugin, or not the plugin's to take."""
    owners = dict.fromkeys(core_metadata.tables, "anonchat")
    for plugin, tables in declared:
        for name in tables.metadata.tables:
            if name in owners:
                raise StartError(
                    f"The plugin {plugin!r} declares the table {name!r}, which {owners[name]!r} has declared already."
                )
            if not name.startswith(f"{plugin}_"):
                raise StartError(
                    f"The plugin {plugin!r} declares the table {name!r}; its tables must be named {plugin}_<table>."
                )
            owners[name] = plugin
