"""Find the enabled plugins, order them, register them with pluggy, and collect what they declare."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from anonchat.errors import StartError
from anonchat.installed import offered
from anonchat.plugins.declared import Named, check_routes, check_tables, declared_by
from anonchat.plugins.hookspecs import PROJECT, SPECS

GROUP = "anonchat.plugins"
SPEC_MARK = f"{PROJECT}_spec"  # what pluggy leaves on a function that `hookspec` decorates
IMPL_MARK = f"{PROJECT}_impl"  # and one that `hookimpl` does
ALL = "all"  # stands in `[plugins] enabled` for the bundled plugins
BUNDLED_BY = "anonchat"  # plugins that come with this distribution are on unless the configuration names others
CONFIGURED = ("register_routes", "register_client_events", "register_jobs")  # are given the plugin's settings


@dataclass(frozen=True, slots=True)
class Plugin:
    """One enabled plugin: its name in the configuration, its one object, and where it comes from.

    `origin` is for people: what pip knows, such as ``anonchat-dice 1.0``, or a file. `package` is what Python imports.
    """

    name: str
    instance: Any = field(repr=False)
    origin: str
    package: str


def available() -> Mapping[str, EntryPoint]:
    """Every installed plugin by its name, whether it is enabled or not. Nothing of them is imported."""
    return {point.name: point for point in offered(GROUP)}


def is_available(name: str, folder: Path | None) -> bool:
    """Whether a plugin of that name is installed, or lies in the folder."""
    return name in available() or (folder is not None and _in_folder(folder, name) is not None)


def origin_of(point: EntryPoint) -> str:
    """Where an installed plugin comes from: the name that pip knows, and its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.module


def _offered_by(name: str) -> list[str]:
    """The packages that are installed and offer a plugin of that name."""
    found = offered(GROUP).select(name=name)
    return sorted({point.dist.name if point.dist is not None else point.value for point in found})


def bundled() -> tuple[str, ...]:
    """The names of the plugins that come with anonchat, by the alphabet, as packaging sorts them."""
    return tuple(
        name for name, point in available().items() if point.dist is not None and point.dist.name == BUNDLED_BY
    )


def names_of(enabled: Sequence[str] | None) -> tuple[str, ...]:
    """The plugins that ``[plugins] enabled`` names, in its order. None or "all": the bundled ones."""
    wanted = (ALL,) if enabled is None else enabled
    return tuple(name for entry in wanted for name in (bundled() if entry == ALL else (entry,)))


def load(
    enabled: Sequence[str] | None, folder: Path | None = None, given: Mapping[str, object] | None = None
) -> Plugins:
    """Import and register the enabled plugins (None or "all": the bundled ones), and after them those that are `given` as objects.

    Raises `StartError` with one sentence for each that is not there or cannot be loaded.
    """
    names = names_of(enabled)
    found = available()
    problems = [f"[plugins] enabled names {name!r} twice." for name in dict.fromkeys(names) if names.count(name) > 1]
    loaded = []
    for name in dict.fromkeys(names):
        try:
            loaded.append(_load_one(name, folder, found))
        except StartError as error:
            problems.append(str(error))
    if problems:
        raise StartError("\n".join(problems))
    for name, instance in (given or {}).items():
        module = type(instance).__module__
        loaded.append(Plugin(name, instance, module, module.partition(".")[0]))
    return Plugins(loaded)


def _load_one(name: str, folder: Path | None, found: Mapping[str, EntryPoint]) -> Plugin:
    if folder is not None and (path := _in_folder(folder, name)) is not None:
        return _from_folder(name, path)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise StartError(
            f"[plugins] enabled names {name!r}, but no such plugin is installed. Installed: {known}. "
            f"Install its package, or take the name out of the list."
        )
    if len(packages := _offered_by(name)) > 1:
        raise StartError(f"Two packages offer a plugin {name!r}: {', '.join(packages)}. Uninstall one of them.")
    return _from_entry_point(name, found[name])


class Plugins:
    """The enabled plugins, registered. Order: that of the configuration."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.all = tuple(plugins)
        self.names = tuple(plugin.name for plugin in plugins)
        self._manager = pluggy.PluginManager(PROJECT)
        for spec in SPECS:
            self._manager.add_hookspecs(spec)
        # pluggy calls the last registered first.
        for plugin in reversed(self.all):
            self._register(plugin)
        self._check_kind("register_hookspecs")
        self._declared: dict[str, Sequence[tuple[str, Any]]] = {}
        self._declare("register_hookspecs")
        self._add_offered_hooks()
        self._check_hooks()
        for hook in self.hook_names():
            if hook.startswith("register_") and hook not in self._declared and hook not in CONFIGURED:
                self._declare(hook)
        check_tables(self._declared["register_tables"])

    def configure(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        """Ask for what may depend on settings, given those of each plugin, validated. Raises `StartError`."""
        for hook in CONFIGURED:
            self._declared[hook] = tuple(declared_by(hook, self.implementations(hook), options))
        check_routes(self._declared["register_routes"], bundled())

    def hook_names(self) -> tuple[str, ...]:
        """All hooks, those of the core and those that plugins offer."""
        return tuple(sorted(name for name in vars(self._manager.hook) if not name.startswith("_")))

    def implementations(self, hook: str) -> tuple[Named, ...]:
        """(plugin name, function) in the order of calling. The function takes all arguments of the hook."""
        caller = getattr(self._manager.hook, hook)
        expected = caller.spec.argnames if caller.spec is not None else ()
        return tuple(
            (str(found.plugin_name), _accepting(found.function, found.argnames, expected))
            for found in reversed(caller.get_hookimpls())
        )

    def declared(self, hook: str) -> Sequence[tuple[str, Any]]:
        """(plugin name, what it declares) for a ``register_*`` hook, which was called once; sequences one item at a time.

        What `CONFIGURED` names is known after `configure`.
        """
        return self._declared[hook]

    def offered_by(self, plugin: str) -> frozenset[str]:
        """The names of the hooks that a plugin offers to others."""
        offered = [specs for owner, specs in self._declared["register_hookspecs"] if owner == plugin]
        return frozenset(name for specs in offered for name in dir(specs) if hasattr(getattr(specs, name), SPEC_MARK))

    def hooks_of(self, plugin: str) -> tuple[str, ...]:
        """The names of the hooks that a plugin implements."""
        instance = next(found.instance for found in self.all if found.name == plugin)
        callers = self._manager.get_hookcallers(instance) or []
        return tuple(sorted(caller.name for caller in callers))

    def _register(self, plugin: Plugin) -> None:
        try:
            self._manager.register(plugin.instance, plugin.name)
        except (ValueError, pluggy.PluginValidationError) as error:
            raise StartError(f"The plugin {plugin.name!r} does not fit: {error}") from error

    def _declare(self, hook: str) -> None:
        self._declared[hook] = tuple(declared_by(hook, self.implementations(hook)))

    def _add_offered_hooks(self) -> None:
        for plugin, specs in self._declared["register_hookspecs"]:
            try:
                self._manager.add_hookspecs(specs)
            except (ValueError, pluggy.PluginValidationError) as error:
                raise StartError(f"The hooks that the plugin {plugin!r} offers do not fit: {error}") from error

    def _check_hooks(self) -> None:
        """Each that is implemented exists and is of its kind, and each that looks like one is marked."""
        callers = {hook: getattr(self._manager.hook, hook) for hook in self.hook_names()}
        known = [hook for hook, caller in callers.items() if caller.spec is not None]
        for hook, caller in callers.items():
            for found in caller.get_hookimpls():
                if caller.spec is None and not found.optionalhook:
                    raise StartError(
                        f"The plugin {found.plugin_name!r} implements a hook that does not exist: {hook}. "
                        f"{_nearest(hook, known)}"
                    )
            self._check_kind(hook)
        for plugin in self.all:
            for hook in known:
                method = getattr(plugin.instance, hook, None)
                if inspect.isroutine(method) and not hasattr(method, IMPL_MARK):
                    raise StartError(
                        f"The plugin {plugin.name!r} has a method {hook} that is never called: write @hookimpl above it."
                    )

    def _check_kind(self, hook: str) -> None:
        """Declaring hooks are plain functions, all others are asynchronous."""
        declares = hook.startswith("register_")
        for found in getattr(self._manager.hook, hook).get_hookimpls():
            if inspect.iscoroutinefunction(found.function) == declares:
                kind = "a plain function" if declares else "an async function"
                raise StartError(f"The plugin {found.plugin_name!r} must implement {hook} as {kind}.")


def _nearest(hook: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(hook, known, 1)
    return f"Did you mean {near[0]}?" if near else "docs/plugins.md has them all."


def _accepting(function: Callable[..., Any], takes: Sequence[str], given: Sequence[str]) -> Callable[..., Any]:
    """pluggy lets an implementation leave out arguments that it does not need."""
    if set(takes) == set(given):
        return function
    return lambda **arguments: function(**{name: arguments[name] for name in takes})


def _from_entry_point(name: str, point: EntryPoint) -> Plugin:
    try:
        return Plugin(name, point.load()(), origin_of(point), point.module.split(".")[0])
    except (Exception, SystemExit) as error:
        raise StartError(f"The plugin {name!r} ({point.value}) cannot be loaded: {error!r}") from error


def _in_folder(folder: Path, name: str) -> Path | None:
    """``<folder>/<name>.py`` or ``<folder>/<name>/__init__.py``."""
    return next((path for path in (folder / f"{name}.py", folder / name / "__init__.py") if path.is_file()), None)


def _from_folder(name: str, path: Path) -> Plugin:
    """A plugin that is not installed: a module or package with a class `Plugin` in ``[plugins] plugins_dir``."""
    module_name = f"anonchat_plugin_{name}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise StartError(f"The plugin {name!r} at {path} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        origin = f"{path} {getattr(module, '__version__', '')}".rstrip()
        return Plugin(name, module.Plugin(), origin, module_name)
    except (Exception, SystemExit) as error:
        raise StartError(f"The plugin {name!r} at {path} cannot be loaded: {error!r}") from error
