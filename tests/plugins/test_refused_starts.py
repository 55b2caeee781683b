"""What is wrong with a plugin is found at the start, which is refused with one sentence that names it."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import marshmallow
import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text

from anonchat import (
    ClientEvent,
    Job,
    Metric,
    PluginContext,
    Route,
    Schema,
    ServerEvent,
    StartError,
    Tables,
    WebAssets,
    hookimpl,
)
from anonchat.config import ConfigError
from anonchat.plugins.registry import bundled, load
from anonchat.testing import Budgets, running_server, settings_in
from tests.plugins.kitchen_sink import Plugin as KitchenSink

pytestmark = pytest.mark.gen_test


async def refusal(folder: Path, given: Mapping[str, object], **tables: Any) -> str:
    """The sentence with which a start is refused."""
    with pytest.raises(StartError) as refused:
        async with running_server(settings_in(folder, **tables), plugins=given, budgets=Budgets(life_seconds=0.05)):
            pass
    return str(refused.value)


def declaring(hook: str, answer: object) -> object:
    """A plugin that answers one declaring hook."""

    def declare(self: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Declaring", (), {hook: hookimpl(declare)})()


def doing(hook: str, error: BaseException | None = None) -> object:
    """A plugin whose life-cycle hook raises, or hangs."""

    async def setup(self: object, ctx: PluginContext) -> None:
        await fail()

    async def startup(self: object) -> None:
        await fail()

    async def fail() -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    hooks: dict[str, Callable[..., object]] = {"setup": setup, "startup": startup}
    return type("Doing", (), {hook: hookimpl(hooks[hook])})()


async def handler(_: Any) -> Any:
    return None


async def work() -> None:
    return None


def event(name: str, **options: Any) -> ClientEvent:
    return ClientEvent(name, Schema(), handler, **options)


# --- hooks


async def test_an_unknown_hook(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        async def filter_mesage(self, draft: object) -> None:
            """Misspelt."""

    text = await refusal(tmp_path, {"dice": Plugin()})
    assert (
        text == "The plugin 'dice' implements a hook that does not exist: filter_mesage. Did you mean filter_message?"
    )


async def test_an_unknown_hook_that_is_not_async(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        def brew_coffee(self) -> None:
            """There is no such hook, of any kind."""

    text = await refusal(tmp_path, {"dice": Plugin()})
    assert "'dice' implements a hook that does not exist: brew_coffee. docs/plugins.md" in text


@pytest.mark.parametrize("hook", ["setup", "register_routes", "kitchen_sink_drained"])
async def test_a_hook_without_its_mark(tmp_path: Path, hook: str) -> None:
    plugin = type("Plugin", (), {hook: lambda self: None})()
    text = await refusal(tmp_path, {"kitchen_sink": KitchenSink(), "dice": plugin})
    assert text == f"The plugin 'dice' has a method {hook} that is never called: write @hookimpl above it."


async def test_an_argument_that_a_hook_does_not_have(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        async def filter_message(self, message: object) -> None:
            """The argument is called draft."""

    text = await refusal(tmp_path, {"dice": Plugin()})
    assert "'dice' does not fit" in text
    assert "message" in text


async def test_a_plain_function_where_an_async_one_is_due(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        def message_saved(self, message: object) -> None:
            """Not async."""

    assert "'dice' must implement message_saved as an async function" in await refusal(tmp_path, {"dice": Plugin()})


@pytest.mark.parametrize("hook", ["register_routes", "register_hookspecs"])
async def test_an_async_function_where_a_plain_one_is_due(tmp_path: Path, hook: str) -> None:
    async def declare(self: object) -> list[object]:
        return []

    plugin = type("Plugin", (), {hook: hookimpl(declare)})()
    assert f"'dice' must implement {hook} as a plain function" in await refusal(tmp_path, {"dice": plugin})


# --- life cycle


@pytest.mark.parametrize("hook", ["setup", "startup"])
@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("no dice"), "no dice"), (SystemExit(3), "raised SystemExit: 3"), (None, "took longer than 0.05 s")],
)
async def test_a_life_cycle_hook_that_fails(tmp_path: Path, hook: str, error: BaseException | None, told: str) -> None:
    text = await refusal(tmp_path, {"dice": doing(hook, error)})
    assert f"'dice' failed in {hook}" in text
    assert told in text


async def test_what_was_set_up_before_is_shut_down_and_its_tasks_end(tmp_path: Path) -> None:
    class First:
        was_shut_down = False

        @hookimpl
        async def setup(self, ctx: PluginContext) -> None:
            self.task = ctx.spawn(asyncio.sleep(3600))

        @hookimpl
        async def shutdown(self) -> None:
            self.was_shut_down = True

    class Last(First):
        pass

    first, last = First(), Last()
    await refusal(tmp_path, {"first": first, "dice": doing("setup", ValueError()), "last": last})
    assert first.task.cancelled()
    assert first.was_shut_down
    assert not last.was_shut_down


# --- declarations


DECLARING = [
    "register_config_schema", "register_tables", "register_routes", "register_client_events", "register_server_events",
    "register_web_assets", "register_metrics", "register_commands", "register_jobs", "register_hookspecs",
]  # fmt: skip


@pytest.mark.parametrize("hook", DECLARING)
async def test_a_declaring_hook_that_raises(tmp_path: Path, hook: str) -> None:
    text = await refusal(tmp_path, {"dice": declaring(hook, ValueError("no dice"))})
    assert f"'dice' failed in {hook}: ValueError('no dice')" in text


@pytest.mark.parametrize("hook", DECLARING)
async def test_an_answer_of_the_wrong_type(tmp_path: Path, hook: str) -> None:
    assert f"'dice' must answer {hook} with" in await refusal(tmp_path, {"dice": declaring(hook, "dice")})


@pytest.mark.parametrize(
    ("hook", "declared", "told"),
    [
        ("register_client_events", event("dice.roll"), "the event 'dice.roll', which 'dice' has"),
        ("register_client_events", event("send_message"), "the event 'send_message', which 'anonchat' has"),
        ("register_client_events", event("roll"), "must be named dice.<event>"),
        ("register_client_events", event("polls.roll"), "must be named dice.<event>"),
        ("register_client_events", event("dice.roll", limit="often"), "the limit 'often'"),
        ("register_client_events", ClientEvent("dice.roll", Schema, handler), "a schema object"),  # type: ignore[arg-type]
        ("register_server_events", ServerEvent("dice.rolled"), "the event 'dice.rolled', which 'dice' has"),
        ("register_server_events", ServerEvent("rolled"), "must be named dice.<event>"),
        ("register_routes", Route("GET", "/api/dice", handler), "GET /api/dice, which 'dice' has"),
        (
            "register_routes",
            Route("POST", "/api/rooms", handler),
            "must be named /api/rooms/{roomId}/dice... or /api/dice",
        ),
        ("register_jobs", Job("roll", 60, work), "Two jobs are named 'dice.roll'"),
        ("register_metrics", Metric("rolls", "counter", "Rolls."), "The metric 'rolls' of the plugin 'dice'"),
        ("register_metrics", Metric("no name", "counter", "Rolls."), "The metric 'no name' of the plugin 'dice'"),
    ],
)
async def test_a_name_that_is_taken_or_no_good(tmp_path: Path, hook: str, declared: object, told: str) -> None:
    text = await refusal(tmp_path, {"dice": declaring(hook, [declared, declared])})
    assert told in text
    assert "dice" in text


OTHERS = "what follows /api/rooms/ must be named {roomId}"
SHAPE = "a path is like /api/rooms/{roomId}/rolls"
NAMES = "its routes must be named /api/rooms/{roomId}/dice... or /api/dice..."


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/rooms/{room_id}/dice", OTHERS),
        ("/api/rooms/{id}/{roomId}", OTHERS),
        ("/api/rooms/{roomId}/dice/{roomId}", "it names a variable twice"),
        ("/api/rooms/{room-id}/dice", SHAPE),
        ("/api/rooms/{roomId}/dice/{1st}", SHAPE),
        ("/api/rooms/{roomId}/dice{", SHAPE),
        ("/api/dice?sides=6", SHAPE),
        ("/api/dice rolls", SHAPE),
        ("/api//dice", SHAPE),
        ("/dice", SHAPE),
        ("api/dice", SHAPE),
        ("/api/rolls", NAMES),
        ("/api/dices", NAMES),
        ("/api/dice{sides}", NAMES),
        ("/api/rooms/{roomId}/rolls", NAMES),
        ("/api/rooms/{roomId}", NAMES),
        ("/api/{roomId}/dice", NAMES),
    ],
)
async def test_a_path_that_is_no_good(tmp_path: Path, path: str, told: str) -> None:
    route = Route("GET", path, handler, auth="participant")
    text = await refusal(tmp_path, {"dice": declaring("register_routes", [route])})
    assert text.startswith(f"The plugin 'dice' declares the route {path!r}; ")
    assert told in text


@pytest.mark.parametrize("path", ["/api/dice", "/api/dice/{sides}", "/api/rooms/{roomId}/dice-rolls.csv"])
async def test_a_path_of_the_plugin_is_taken(tmp_path: Path, path: str) -> None:
    plugin = declaring("register_routes", [Route("GET", path, handler)])
    async with running_server(settings_in(tmp_path), plugins={"dice": plugin}) as server:
        assert server.plugins.names == ("dice",)


def not_async(_: Any = None) -> None:
    """A handler that somebody forgot to make async."""


class Called:
    """An object that is called as a function is."""

    async def __call__(self, _: Any = None) -> None:
        return None


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


@pytest.mark.parametrize(
    ("hook", "declared", "told"),
    [
        (
            "register_routes",
            {"auth": "moderators"},
            "auth='moderators' in Route '/api/dice'; it takes one of 'nobody',",
        ),
        ("register_routes", {"method": "get"}, "it takes one of 'GET',"),
        ("register_routes", {"handler": not_async}, "it takes a function written with async def"),
        ("register_routes", {"status": "200"}, "it takes a whole number"),
        ("register_client_events", {"role": "owner"}, "it takes one of 'participant', 'moderator'"),
        ("register_client_events", {"handler": decorated(not_async)}, "it takes a function written with async def"),
        ("register_client_events", {"limit": 5}, "it takes a text, or None"),
        ("register_server_events", {"schema": Schema}, "it takes a schema object, made with (), or None"),
        ("register_jobs", {"seconds": 0}, "it takes a number above 0"),
        ("register_jobs", {"seconds": "60"}, "it takes a number above 0"),
        ("register_jobs", {"run": not_async}, "it takes a function written with async def"),
        ("register_metrics", {"kind": "count"}, "it takes one of 'counter',"),
        ("register_metrics", {"labels": "sides"}, "it takes a tuple of texts"),
        ("register_metrics", {"labels": ("sides", "room_id")}, "gives the label 'room_id' in Metric 'rolls'"),
        ("register_web_assets", {"folder": "static"}, "it takes a pathlib.Path"),
        ("register_tables", {"migrations": "migrations"}, "it takes a pathlib.Path"),
        ("register_tables", {"sums": "dice_days"}, "it takes a tuple of texts"),
    ],
)
async def test_a_field_that_does_not_fit(tmp_path: Path, hook: str, declared: Mapping[str, Any], told: str) -> None:
    good: dict[str, Any] = {
        "register_routes": Route("GET", "/api/dice", handler),
        "register_client_events": event("dice.roll"),
        "register_server_events": ServerEvent("dice.rolled"),
        "register_jobs": Job("roll", 60, work),
        "register_metrics": Metric("rolls", "counter", "Rolls."),
        "register_web_assets": WebAssets(tmp_path, "dice.mjs"),
        "register_tables": Tables(MetaData(), tmp_path),
    }
    wrong = replace(good[hook], **declared)
    text = await refusal(
        tmp_path, {"dice": declaring(hook, wrong if isinstance(wrong, WebAssets | Tables) else [wrong])}
    )
    assert text.startswith("The plugin 'dice' gives ")
    assert told in text


@pytest.mark.parametrize("function", [decorated(handler), functools.partial(handler, 1), Called(), lambda: work()])
async def test_what_is_async_in_another_way_is_taken(tmp_path: Path, function: Callable[..., Any]) -> None:
    plugin = declaring("register_jobs", [Job("roll", 60, function)])
    async with running_server(settings_in(tmp_path), plugins={"dice": plugin}) as server:
        assert server.plugins.names == ("dice",)


async def test_an_event_of_another_plugin(tmp_path: Path) -> None:
    first = declaring("register_server_events", [ServerEvent("first.event")])
    text = await refusal(
        tmp_path, {"first": first, "dice": declaring("register_server_events", [ServerEvent("first.event")])}
    )
    assert "'dice' declares the event 'first.event', which 'first' has declared already" in text


# --- tables


def tables(folder: Path, column: str, name: str = "dice_rolls") -> Tables:
    """A plugin's table whose migration makes `column` beside the id."""
    metadata = MetaData()
    Table(name, metadata, Column("id", Text, primary_key=True), Column("room_id", Text, ForeignKey("rooms.id")))
    migrations = folder / "migrations"
    migrations.mkdir(exist_ok=True)
    (migrations / "0001_first.py").write_text(
        '"""First."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "dice_0001"\ndown_revision = None\n'
        f"\n\ndef upgrade() -> None:\n    op.create_table({name!r}, sa.Column('id', sa.Text, primary_key=True), {column})\n"
    )
    return Tables(metadata, migrations)


KEY = "sa.Column('room_id', sa.Text, sa.ForeignKey('rooms.id', ondelete='CASCADE'), nullable=False)"


async def test_a_table_that_cascades_is_taken(tmp_path: Path) -> None:
    plugin = declaring("register_tables", tables(tmp_path, KEY))
    async with running_server(settings_in(tmp_path), plugins={"dice": plugin}) as server:
        assert server.plugins.names == ("dice",)


@pytest.mark.parametrize("removed", [", ondelete='CASCADE'", ", nullable=False"])
async def test_a_table_that_would_outlive_its_room(tmp_path: Path, removed: str) -> None:
    plugin = declaring("register_tables", tables(tmp_path, KEY.replace(removed, "")))
    text = await refusal(tmp_path, {"dice": plugin})
    assert "The table dice_rolls of the plugin dice would outlive its room" in text
    assert text == await refusal(tmp_path, {"dice": plugin}), "the second start is refused too"


@pytest.mark.parametrize(("name", "owner"), [("messages", "anonchat"), ("dice_red_rolls", "dice_red")])
async def test_a_table_that_is_taken(tmp_path: Path, name: str, owner: str) -> None:
    red = declaring("register_tables", tables(tmp_path, KEY, "dice_red_rolls"))
    text = await refusal(tmp_path, {"dice_red": red, "dice": declaring("register_tables", tables(tmp_path, KEY, name))})
    assert f"'dice' declares the table {name!r}, which {owner!r} has declared already" in text


async def test_a_table_that_is_named_like_another_plugins(tmp_path: Path) -> None:
    text = await refusal(tmp_path, {"dice": declaring("register_tables", tables(tmp_path, KEY, "dices_rolls"))})
    assert "'dice' declares the table 'dices_rolls'; its tables must be named dice_<table>" in text


async def test_a_table_that_only_a_migration_knows(tmp_path: Path) -> None:
    declared = tables(tmp_path, KEY)
    plugin = declaring("register_tables", replace(declared, metadata=MetaData()))
    text = await refusal(tmp_path, {"dice": plugin})
    assert "A migration of the plugin dice makes the table dice_rolls, which is not in the MetaData" in text
    assert text == await refusal(tmp_path, {"dice": plugin}), "the second start is refused too"


async def test_a_table_that_a_later_migration_drops(tmp_path: Path) -> None:
    declared = tables(tmp_path, KEY)
    (declared.migrations / "0002_last.py").write_text(
        '"""Last."""\n\nfrom alembic import op\n\nrevision = "dice_0002"\ndown_revision = "dice_0001"\n'
        '\n\ndef upgrade() -> None:\n    op.drop_table("dice_rolls")\n'
    )
    plugin = declaring("register_tables", replace(declared, metadata=MetaData()))
    async with running_server(settings_in(tmp_path), plugins={"dice": plugin}) as server:
        assert server.plugins.names == ("dice",)


async def test_a_column_that_no_migration_makes(tmp_path: Path) -> None:
    declared = tables(tmp_path, KEY)
    declared.metadata.tables["dice_rolls"].append_column(Column("total", Integer))
    text = await refusal(tmp_path, {"dice": declaring("register_tables", declared)})
    assert "The plugin dice declares the column total of the table dice_rolls, but none of its migrations" in text


async def test_a_migration_that_fails(tmp_path: Path) -> None:
    text = await refusal(tmp_path, {"dice": declaring("register_tables", tables(tmp_path, "no_such_thing"))})
    assert "dice_0001" in text
    assert "nothing was changed" in text


async def test_migrations_that_are_not_there(tmp_path: Path) -> None:
    plugin = declaring("register_tables", Tables(MetaData(), tmp_path / "nowhere"))
    assert "The migrations of dice are missing" in await refusal(tmp_path, {"dice": plugin})


# --- settings


class Sides(marshmallow.Schema):
    sides = marshmallow.fields.Integer(strict=True, validate=marshmallow.validate.Range(2, 1000))
    colour = marshmallow.fields.String()


async def test_every_bad_setting_of_every_plugin_is_told_with_its_path(tmp_path: Path) -> None:
    plugins = {name: declaring("register_config_schema", Sides) for name in ("dice", "other")}
    options = {"dice": {"sides": 1, "colour": 5, "size": 3}, "other": {"sides": "many"}}
    text = await refusal(tmp_path, plugins, plugins={"options": options})
    paths = ("plugins.dice.sides", "plugins.dice.colour", "plugins.dice.size", "plugins.other.sides")
    assert all(f"  {path}: " in text for path in paths)
    assert "4 errors" in text


async def test_a_plugin_without_settings_takes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.dice\.sides"):
        async with running_server(
            settings_in(tmp_path, plugins={"options": {"dice": {"sides": 6}}}), plugins={"dice": object()}
        ):
            pass


async def test_a_schema_of_settings_that_fails(tmp_path: Path) -> None:
    class Failing(marshmallow.Schema):
        @marshmallow.pre_load
        def fail(self, _data: object, **_: object) -> None:
            raise KeyError("no dice")

    text = await refusal(tmp_path, {"dice": declaring("register_config_schema", Failing)})
    assert "'dice' failed with its settings" in text


# --- finding


async def test_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    text = await refusal(tmp_path, {}, plugins={"enabled": ("nonesuch",)})
    assert "enabled names 'nonesuch', but no such plugin is installed" in text
    assert "\n" not in text


def test_all_stands_for_the_bundled_plugins() -> None:
    together = load(("all",))
    assert together.names == load(None).names == bundled()
    assert load(("all",), given={"dice": object()}).names == (*bundled(), "dice")
    with pytest.raises(StartError, match="enabled names 'polls' twice"):
        load(("polls", "all"))


async def test_a_plugin_that_is_named_twice(tmp_path: Path) -> None:
    assert "enabled names 'dice' twice" in await refusal(tmp_path, {}, plugins={"enabled": ("dice", "dice")})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise ValueError('no dice')", "no dice"),
        ("import sys; sys.exit('no dice')", "no dice"),
        ("import nonesuch", "nonesuch"),
        ("this is no Python", "SyntaxError"),
        ("", "has no attribute 'Plugin'"),
    ],
)
async def test_a_plugin_that_cannot_be_loaded(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "dice.py").write_text(source)
    text = await refusal(tmp_path, {}, plugins={"enabled": ("dice",), "plugins_dir": tmp_path})
    assert "The plugin 'dice' at" in text
    assert told in text


def install(site: Path, distribution: str) -> None:
    """A package with the plugin "dice", as pip leaves it."""
    (site / f"{distribution}.py").write_text("class Dice:\n    pass\n")
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[anonchat.plugins]\ndice = {distribution}:Dice\n")


async def test_two_packages_with_a_plugin_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for distribution in ("red_dice", "blue_dice"):
        install(tmp_path, distribution)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = await refusal(tmp_path, {}, plugins={"enabled": ("dice",)})
    assert "Two packages offer a plugin 'dice': blue_dice, red_dice" in text


async def test_a_plugin_that_is_not_enabled_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "green_dice")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with running_server(settings_in(tmp_path)):
        assert "green_dice" not in sys.modules
    async with running_server(settings_in(tmp_path, plugins={"enabled": ("dice",)})):
        assert "green_dice" in sys.modules


async def test_a_web_module_that_is_not_there(tmp_path: Path) -> None:
    declared = declaring("register_web_assets", WebAssets(tmp_path, "dice.mjs"))
    text = await refusal(tmp_path, {"dice": declared})
    assert "'dice' names the web module 'dice.mjs'" in text
